"""Airflow's backfills and the clearing of instances, as replenishments use them.

Airflow's own ``_create_backfill`` commits in the middle and makes every run of a range; here a backfill is made of
exactly the cycles that are asked for, a few in each of the caller's transactions: with their record, or not at all.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from airflow._shared.timezones.timezone import coerce_datetime
from airflow.configuration import conf as airflow_conf
from airflow.exceptions import ParamValidationError
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
from airflow.utils.sqlalchemy import with_row_locks
from airflow.utils.state import DagRunState, State, TaskInstanceState
from sqlalchemy import and_, func, or_, select, update
from sqlalchemy.orm import Session

from taskops_provider.adapter.cells import MANY_TASKS
from taskops_provider.adapter.cycles import Cycle
from taskops_provider.adapter.runs import GATED_POOLS, Run, unfinished_run
from taskops_provider.domain.answers import Json
from taskops_provider.domain.cells import CellFacts
from taskops_provider.domain.chunks import chunks
from taskops_provider.domain.gate import GATE_POOLS
from taskops_provider.domain.states import Downstream

#: stands for the state of an instance that a gate had stopped, see :func:`take_back`
GATED = "gated"
_NO_SUCCESS = (TaskInstanceState.FAILED, TaskInstanceState.UPSTREAM_FAILED, TaskInstanceState.SKIPPED)


def busy_dags(session: Session, dag_ids: Collection[str]) -> dict[str, list[int]]:
    """Return the ids of the backfills that go on, by Dag: Airflow allows one at a time."""
    query = select(Backfill.dag_id, Backfill.id).where(Backfill.dag_id.in_(dag_ids), Backfill.completed_at.is_(None))
    found: dict[str, list[int]] = {}
    for dag_id, backfill_id in session.execute(query):
        found.setdefault(dag_id, []).append(backfill_id)
    return found


def problem_of_conf(dag: SerializedDAG, conf: Json) -> str | None:
    """Return why a Dag's params refuse a conf, None if they take it. Airflow asks the same when it creates a run."""
    try:
        dag.params.deep_merge(conf).validate()
    except ParamValidationError as error:
        # what comes after the first line is the schema, and the value once more
        return str(error).partition("\n")[0][:300]
    return None


def open_backfill(
    session: Session, dag_id: str, dates: Sequence[datetime], *, conf: Json, max_active_runs: int, user: str
) -> int:
    """Record a backfill of Airflow's for some logical dates, without any run yet; return its id. The caller commits."""
    backfill = Backfill(
        dag_id=dag_id,
        from_date=min(dates),
        to_date=max(dates),
        max_active_runs=max_active_runs,
        dag_run_conf=conf,
        reprocess_behavior=ReprocessBehavior.NONE,
        triggering_user_name=user,
    )
    session.add(backfill)
    session.flush()
    return backfill.id


def widen_backfill(session: Session, backfill_id: int, dates: Sequence[datetime]) -> int:
    """Have a backfill cover more logical dates; return the ordinal of its next run."""
    backfill = session.scalars(select(Backfill).where(Backfill.id == backfill_id)).one()
    backfill.from_date = min([backfill.from_date, *dates])
    backfill.to_date = max([backfill.to_date, *dates])
    query = select(func.max(BackfillDagRun.sort_ordinal)).where(BackfillDagRun.backfill_id == backfill_id)
    return (session.scalar(query) or 0) + 1


def make_run(
    session: Session, dag: SerializedDAG, cycle: Cycle, backfill_id: int, ordinal: int, *, conf: Json, user: str
) -> None:
    """Create the run of a cycle, queued, in a savepoint of its own; where there is one already none is created.

    Lock the Dag before: the scheduler may be about to create this run.

    :raises Exception: as Airflow's code does; nothing of the run is left then
    """
    _create_backfill_dag_run_non_partitioned(
        dag=dag,
        info=DagRunInfo(
            run_after=coerce_datetime(cycle.run_after),
            data_interval=DataInterval(coerce_datetime(cycle.start), coerce_datetime(cycle.end)),
        ),
        reprocess_behavior=ReprocessBehavior.NONE,
        backfill_id=backfill_id,
        dag_run_conf=conf,
        backfill_sort_ordinal=ordinal,
        triggering_user_name=user,
        run_on_latest_version=False,
        session=session,
    )
    session.flush()


def runs_of_backfill(session: Session, backfill_id: int) -> dict[datetime, str]:
    """Return the runs that a backfill created, by logical date."""
    query = (
        select(DagRun.logical_date, DagRun.run_id)
        .join(BackfillDagRun, BackfillDagRun.dag_run_id == DagRun.id)
        .where(BackfillDagRun.backfill_id == backfill_id)
    )
    return {row.logical_date: row.run_id for row in session.execute(query)}


def lock_runs(session: Session, dag_id: str, run_ids: Collection[str]) -> dict[str, str]:
    """Keep the scheduler from runs of a Dag until this transaction ends; return their states as they are then."""
    found: dict[str, str] = {}
    for chunk in chunks(sorted(run_ids)):
        query = select(DagRun.run_id, DagRun.state).where(DagRun.dag_id == dag_id, DagRun.run_id.in_(chunk))
        locked = with_row_locks(query.order_by(DagRun.id), session, of=DagRun)
        found.update({run_id: str(state) for run_id, state in session.execute(locked)})
    return found


def run_at(session: Session, dag_id: str, logical_date: datetime) -> str | None:
    """Return the run of a Dag at a logical date."""
    return session.scalar(select(DagRun.run_id).where(DagRun.dag_id == dag_id, DagRun.logical_date == logical_date))


def complete_backfills(session: Session, ids: Collection[int], now: datetime) -> None:
    """Mark backfills of which all runs have ended: the scheduler does it too, but only twice a minute.

    None of them stays paused: whoever clears a run of it later wants it to start.
    """
    session.execute(
        update(Backfill)
        .where(Backfill.id.in_(ids), Backfill.completed_at.is_(None))
        .values(completed_at=now)
        .execution_options(synchronize_session=False)
    )
    session.execute(
        update(Backfill)
        .where(Backfill.id.in_(ids), Backfill.is_paused.is_(True))
        .values(is_paused=False)
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


def unpause_backfills(session: Session, ids: Collection[int], *, paused_before: datetime) -> None:
    """Let the queued runs of backfills start that have been paused since before a moment."""
    session.execute(
        update(Backfill)
        .where(
            Backfill.id.in_(ids),
            Backfill.completed_at.is_(None),
            Backfill.is_paused.is_(True),
            Backfill.updated_at < paused_before,
        )
        .values(is_paused=False)
        .execution_options(synchronize_session=False)
    )


def paused_backfills(session: Session, ids: Collection[int]) -> list[int]:
    """Return those of some backfills that go on but are paused."""
    query = select(Backfill.id).where(
        Backfill.id.in_(ids), Backfill.completed_at.is_(None), Backfill.is_paused.is_(True)
    )
    return sorted(session.scalars(query))


def paused_backfill_of(session: Session, runs: Collection[Run]) -> int | None:
    """Return a backfill that goes on but is paused, and so keeps one of some queued runs of a Dag from starting."""
    query = (
        select(Backfill.id)
        .join(DagRun, DagRun.backfill_id == Backfill.id)
        .where(
            DagRun.dag_id.in_({run.dag_id for run in runs}),
            DagRun.run_id.in_([run.run_id for run in runs]),
            DagRun.state == DagRunState.QUEUED,
            Backfill.is_paused.is_(True),
        )
    )
    return session.scalar(query.order_by(Backfill.id).limit(1))


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


def cell_facts_in_runs(
    session: Session, dag_id: str, run_ids: Collection[str], task_ids: Collection[str]
) -> dict[tuple[str, str], list[CellFacts]]:
    """Return the instances of tasks in some runs by (run_id, task_id).

    Without a join: the planner of PostgreSQL reads all instances of a Dag for one.
    """
    found: dict[tuple[str, str], list[CellFacts]] = {}
    wanted = set(task_ids)
    for chunk in chunks(run_ids):
        query = (
            select(TI.run_id, TI.task_id, TI.state, TI.pool).where(TI.dag_id == dag_id, TI.run_id.in_(chunk)).distinct()
        )
        if len(wanted) <= MANY_TASKS:
            query = query.where(TI.task_id.in_(wanted))
        for run_id, task_id, state, pool in session.execute(query):
            if task_id in wanted:
                found.setdefault((run_id, task_id), []).append(CellFacts(state, pool in GATED_POOLS))
    return found


class Executions(NamedTuple):
    """The tries of the instances of a task in a run, and when they began.

    :param first_begin: None if one of them never did
    :param last_begin: None if none did
    """

    first_try: int
    last_try: int
    first_begin: datetime | None
    last_begin: datetime | None


def executions_in_runs(
    session: Session, dag_id: str, run_ids: Collection[str], task_ids: Collection[str]
) -> dict[tuple[str, str], Executions]:
    """Return what has executed of tasks in some runs by (run_id, task_id). One query for each 500 runs."""
    found: dict[tuple[str, str], Executions] = {}
    wanted = set(task_ids)
    for chunk in chunks(run_ids):
        query = (
            select(
                TI.run_id,
                TI.task_id,
                func.min(TI.try_number),
                func.max(TI.try_number),
                func.min(TI.start_date),
                func.max(TI.start_date),
                func.count() == func.count(TI.start_date),
            )
            .where(TI.dag_id == dag_id, TI.run_id.in_(chunk), TI.state != TaskInstanceState.REMOVED)
            .group_by(TI.run_id, TI.task_id)
        )
        if len(wanted) <= MANY_TASKS:
            query = query.where(TI.task_id.in_(wanted))
        for run_id, task_id, low, high, first, last, all_have in session.execute(query):
            if task_id in wanted:
                found[run_id, task_id] = Executions(low, high, first if all_have else None, last)
    return found


class Clearing(NamedTuple):
    """How tasks are cleared.

    :param passed: tasks directly upstream of them that did not execute because of a gate or a time-out: they count as
        success, else what follows them would be skipped again
    :param excluded: tasks that count as success whatever became of them
    :param conf: what the run's conf becomes; None: it stays
    """

    passed: Collection[str]
    excluded: Collection[str]
    on_latest_version: bool
    conf: Json | None


def runs_on_latest_version(dag: SerializedDAG, asked_for: bool | None) -> bool:
    """Return whether what is cleared executes by the newest version of its Dag: Airflow's own rule for clearing."""
    if asked_for is not None:
        return asked_for
    if dag.rerun_with_latest_version is not None:
        return bool(dag.rerun_with_latest_version)
    return bool(airflow_conf.getboolean("core", "rerun_with_latest_version", fallback=False))


def clear_tasks(
    session: Session, dag: SerializedDAG, run_id: str, task_ids: Collection[str], how: Clearing, now: datetime
) -> None:
    """Clear some tasks in an existing run, so that they execute, and nothing else.

    Airflow starts no queued run of a backfill that is paused. One that is over stays so if it was cancelled, or paused
    until its last run had ended; nothing else of it is left to start.
    """
    session.execute(
        update(TI)
        .where(
            TI.dag_id == dag.dag_id,
            TI.run_id == run_id,
            or_(
                and_(
                    TI.task_id.in_(how.passed),
                    or_(
                        TI.state == TaskInstanceState.SKIPPED,
                        and_(TI.pool.in_(GATED_POOLS), TI.state == TaskInstanceState.FAILED),
                    ),
                ),
                and_(TI.task_id.in_(how.excluded), TI.state.in_(_NO_SUCCESS)),
            ),
        )
        .values(state=TaskInstanceState.SUCCESS, updated_at=now)
        .execution_options(synchronize_session=False)
    )
    session.execute(
        update(Backfill)
        .where(
            Backfill.id.in_(select(DagRun.backfill_id).where(DagRun.dag_id == dag.dag_id, DagRun.run_id == run_id)),
            Backfill.completed_at.is_not(None),
            Backfill.is_paused.is_(True),
        )
        .values(is_paused=False)
        .execution_options(synchronize_session=False)
    )
    # what is not written yet would be forgotten, and Airflow's sessions do not write by themselves
    session.flush()
    session.expire_all()
    dag.clear(
        task_ids=list(task_ids),
        run_id=run_id,
        dag_run_state=DagRunState.QUEUED,
        run_on_latest_version=how.on_latest_version,
        session=session,
    )
    if how.conf is not None:
        run = session.scalars(select(DagRun).where(DagRun.dag_id == dag.dag_id, DagRun.run_id == run_id)).one()
        run.conf = dict(how.conf)
        session.flush()


def take_back(
    session: Session, dag_id: str, run_id: str, before: Mapping[str, str], leaves: Collection[str] | None, now: datetime
) -> None:
    """Undo :func:`clear_tasks` in a run that is still queued: nothing of it executes.

    Hold the lock of the run, see :func:`lock_runs`.

    :param before: task id -> the state that its instances get back; ``gated`` for one that a gate had stopped
    :param leaves: tasks without downstream tasks, which decide about the run's state; None: all do
    """
    for task_id, state in before.items():
        gated = state == GATED
        values: dict[str, Any] = {"state": "skipped" if gated else state, "end_date": now, "updated_at": now}
        if gated:
            values["pool"] = GATE_POOLS[Downstream.SKIP]
        session.execute(
            update(TI)
            .where(TI.dag_id == dag_id, TI.run_id == run_id, TI.task_id == task_id, TI.state.is_(None))
            .values(values)
            .execution_options(synchronize_session=False)
        )
    failed = select(TI.id).where(
        TI.dag_id == dag_id,
        TI.run_id == run_id,
        TI.state.in_((TaskInstanceState.FAILED, TaskInstanceState.UPSTREAM_FAILED)),
    )
    if leaves is not None:
        failed = failed.where(TI.task_id.in_(leaves))
    has_failed = session.scalar(failed.limit(1)) is not None
    session.execute(
        update(DagRun)
        .where(DagRun.dag_id == dag_id, DagRun.run_id == run_id, DagRun.state == DagRunState.QUEUED)
        .values(state=DagRunState.FAILED if has_failed else DagRunState.SUCCESS, end_date=now)
        .execution_options(synchronize_session=False)
    )


def has_unfinished_runs(session: Session, backfill_ids: Collection[int]) -> bool:
    """Whether a run of some backfills has not ended."""
    query = select(DagRun.id).where(DagRun.backfill_id.in_(backfill_ids), unfinished_run())
    return session.scalar(query.limit(1)) is not None


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
