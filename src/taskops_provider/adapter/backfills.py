"""Airflow's backfills and the clearing of instances, as replenishments use them.

Airflow's own ``_create_backfill`` commits in the middle and makes every run of a range; here a backfill is made of
exactly the cycles that are asked for, in the caller's transaction: with its record, or not at all.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from airflow._shared.timezones.timezone import coerce_datetime
from airflow.models.backfill import (
    Backfill,
    BackfillDagRun,
    ReprocessBehavior,
    _create_backfill_dag_run_non_partitioned,
)
from airflow.models.dagrun import DagRun
from airflow.models.taskinstance import TaskInstance as TI
from airflow.serialization.definitions.dag import SerializedDAG
from airflow.timetables.base import DagRunInfo, DataInterval
from airflow.utils.state import DagRunState, State, TaskInstanceState
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from taskops_provider.adapter.cycles import Cycle
from taskops_provider.adapter.dag_state import lock_dags
from taskops_provider.adapter.runs import GATED_POOLS, Run, chunks
from taskops_provider.domain.cells import Seen


class Made(NamedTuple):
    """A backfill and its runs.

    :param run_ids: logical date -> run; where the run was there already it is missing
    """

    backfill_id: int
    run_ids: dict[datetime, str]


def busy_dags(session: Session, dag_ids: Collection[str]) -> dict[str, list[int]]:
    """Return the ids of the backfills that go on, by Dag: Airflow allows one at a time."""
    query = select(Backfill.dag_id, Backfill.id).where(Backfill.dag_id.in_(dag_ids), Backfill.completed_at.is_(None))
    found: dict[str, list[int]] = {}
    for dag_id, backfill_id in session.execute(query):
        found.setdefault(dag_id, []).append(backfill_id)
    return found


def make_backfill(
    session: Session,
    dag: SerializedDAG,
    cycles: Sequence[Cycle],
    *,
    conf: dict[str, Any],
    max_active_runs: int,
    user: str,
) -> Made:
    """Make the runs of some cycles, queued, as a backfill of Airflow's, in the order given. The caller commits."""
    # the scheduler may be about to make one of these runs: a date that both insert would break its whole round
    lock_dags(session, [dag.dag_id])
    dates = [cycle.logical_date for cycle in cycles]
    backfill = Backfill(
        dag_id=dag.dag_id,
        from_date=min(dates),
        to_date=max(dates),
        max_active_runs=max_active_runs,
        dag_run_conf=conf,
        reprocess_behavior=ReprocessBehavior.NONE,
        triggering_user_name=user,
    )
    session.add(backfill)
    session.flush()
    for ordinal, cycle in enumerate(cycles, start=1):
        _create_backfill_dag_run_non_partitioned(
            dag=dag,
            info=DagRunInfo(
                run_after=coerce_datetime(cycle.run_after),
                data_interval=DataInterval(coerce_datetime(cycle.start), coerce_datetime(cycle.end)),
            ),
            reprocess_behavior=ReprocessBehavior.NONE,
            backfill_id=backfill.id,
            dag_run_conf=conf,
            backfill_sort_ordinal=ordinal,
            triggering_user_name=user,
            run_on_latest_version=False,
            session=session,
        )
    session.flush()
    query = (
        select(DagRun.logical_date, DagRun.run_id)
        .join(BackfillDagRun, BackfillDagRun.dag_run_id == DagRun.id)
        .where(BackfillDagRun.backfill_id == backfill.id)
    )
    return Made(backfill.id, {row.logical_date: row.run_id for row in session.execute(query)})


def run_at(session: Session, dag_id: str, logical_date: datetime) -> str | None:
    """Return the run of a Dag at a logical date."""
    return session.scalar(select(DagRun.run_id).where(DagRun.dag_id == dag_id, DagRun.logical_date == logical_date))


def complete_backfills(session: Session, ids: Collection[int], now: datetime) -> None:
    """Mark backfills of which all runs have ended: the scheduler does it too, but only twice a minute."""
    session.execute(
        update(Backfill)
        .where(Backfill.id.in_(ids), Backfill.completed_at.is_(None))
        .values(completed_at=now)
        .execution_options(synchronize_session=False)
    )


def pause_backfills(session: Session, ids: Collection[int], paused: bool) -> None:
    """Keep the queued runs of backfills from starting, or let them; those that run go on."""
    session.execute(
        update(Backfill)
        .where(Backfill.id.in_(ids), Backfill.completed_at.is_(None), Backfill.is_paused.is_not(paused))
        .values(is_paused=paused)
        .execution_options(synchronize_session=False)
    )


def cancel_backfills(session: Session, ids: Collection[int], now: datetime) -> None:
    """Fail the queued runs of backfills and end them, as Airflow's own cancelling does; what runs goes on."""
    session.execute(
        update(DagRun)
        .where(DagRun.backfill_id.in_(ids), DagRun.state == DagRunState.QUEUED)
        .values(state=DagRunState.FAILED, end_date=now)
        .execution_options(synchronize_session=False)
    )
    complete_backfills(session, ids, now)


def run_states(session: Session, wanted: Collection[Run]) -> dict[Run, str]:
    """Return the states of some runs; those that were deleted are missing."""
    found: dict[Run, str] = {}
    by_dag: dict[str, list[str]] = {}
    for dag_id, run_id in wanted:
        by_dag.setdefault(dag_id, []).append(run_id)
    for dag_id, run_ids in by_dag.items():
        for chunk in chunks(run_ids):
            query = select(DagRun.run_id, DagRun.state).where(DagRun.dag_id == dag_id, DagRun.run_id.in_(chunk))
            found.update({Run(dag_id, run_id): str(state) for run_id, state in session.execute(query)})
    return found


def seen_in(
    session: Session, dag_id: str, run_ids: Collection[str], task_ids: Collection[str]
) -> dict[tuple[str, str], list[Seen]]:
    """Return the instances of tasks in some runs by (run_id, task_id)."""
    found: dict[tuple[str, str], list[Seen]] = {}
    wanted = set(task_ids)
    for chunk in chunks(run_ids):
        query = (
            select(TI.run_id, TI.task_id, TI.state, TI.pool).where(TI.dag_id == dag_id, TI.run_id.in_(chunk)).distinct()
        )
        for run_id, task_id, state, pool in session.execute(query):
            if task_id in wanted:
                found.setdefault((run_id, task_id), []).append(Seen(state, pool in GATED_POOLS))
    return found


def execute_again(
    session: Session, dag: SerializedDAG, run_id: str, task_ids: Collection[str], passed: Collection[str], now: datetime
) -> None:
    """Clear some tasks in an existing run, so that they execute, and nothing else.

    :param passed: tasks upstream of them that were gated: they count as success, else what follows them would be
        skipped again
    """
    session.execute(
        update(TI)
        .where(
            TI.dag_id == dag.dag_id,
            TI.run_id == run_id,
            TI.task_id.in_(passed),
            TI.pool.in_(GATED_POOLS),
            TI.state.in_((TaskInstanceState.SKIPPED, TaskInstanceState.FAILED)),
        )
        .values(state=TaskInstanceState.SUCCESS, updated_at=now)
        .execution_options(synchronize_session=False)
    )
    # what is not written yet would be forgotten, and Airflow's sessions do not write by themselves
    session.flush()
    session.expire_all()
    dag.clear(task_ids=list(task_ids), run_id=run_id, dag_run_state=DagRunState.QUEUED, session=session)


def unfinished_ids(session: Session, dag_id: str, run_ids: Collection[str], task_ids: Collection[str]) -> list[UUID]:
    """Return the ids of the unfinished instances of tasks in some runs."""
    active = [state for state in State.unfinished if state]
    ids: list[UUID] = []
    for chunk in chunks(run_ids):
        query = select(TI.id).where(
            TI.dag_id == dag_id,
            TI.run_id.in_(chunk),
            TI.task_id.in_(task_ids),
            TI.state.is_(None) | TI.state.in_(active),
        )
        ids += session.scalars(query)
    return ids
