"""Airflow's own pause flag and next run of a Dag, and the runs that are not finished."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

from airflow.models.dag import DagModel
from airflow.models.dagrun import DagRun
from airflow.utils.sqlalchemy import with_row_locks
from airflow.utils.state import DagRunState
from airflow.utils.types import DagRunType
from sqlalchemy import Table, func, select, update
from sqlalchemy.orm import Session

from taskops_provider.adapter import compatibility
from taskops_provider.adapter.runs import unfinished_run
from taskops_provider.domain.chunks import chunks

UNFINISHED_RUNS = (DagRunState.QUEUED, DagRunState.RUNNING)


def dag_table() -> Table:
    """Airflow's ``dag`` table, for joins: ``dag_id``, ``is_paused``."""
    table: Table = DagModel.__table__
    return table


def paused_dags(session: Session, dag_ids: Collection[str]) -> set[str]:
    """Return those of the Dags that are paused in Airflow."""
    query = select(DagModel.dag_id).where(DagModel.dag_id.in_(dag_ids), DagModel.is_paused.is_(True))
    return set(session.scalars(query))


def draining_dags(session: Session, dag_ids: Collection[str]) -> set[str]:
    """Return those of the Dags that drain in Airflow: it creates no automatic runs, and pauses them after the last."""
    return compatibility.draining_dags(session, dag_ids)


def is_stale(session: Session, dag_id: str) -> bool:
    """Tell whether the file of a Dag is gone, so that Airflow runs nothing of it."""
    return bool(session.scalar(select(DagModel.is_stale).where(DagModel.dag_id == dag_id)))


def set_paused(session: Session, dag_ids: Collection[str], paused: bool) -> None:
    """Pause or unpause Dags in Airflow, as its own switch does."""
    session.execute(
        update(DagModel)
        .where(DagModel.dag_id.in_(dag_ids))
        .values(compatibility.pause_values(paused=paused))
        .execution_options(synchronize_session=False)
    )


def lock_dags(session: Session, dag_ids: Collection[str]) -> None:
    """Keep the scheduler from making runs of Dags until this transaction ends, and wait for those it is making.

    It takes the same locks, and passes over Dags that are locked.
    """
    for chunk in chunks(sorted(dag_ids)):
        query = select(DagModel.dag_id).where(DagModel.dag_id.in_(chunk)).order_by(DagModel.dag_id)
        session.execute(with_row_locks(query, session, of=DagModel)).all()


def lock_runs_and_dags(session: Session, dag_ids: Collection[str]) -> None:
    """Keep the scheduler from creating and starting runs of Dags until this transaction ends; wait for what it does.

    In its order, so that the two never wait for each other: the runs that are not finished, then the Dags. A run that
    was created in between must be free: whoever has it may be waiting for the Dag.

    :raises OperationalError: when it is not; do the whole transaction again (``services.shared.retries``)
    """
    before = _unfinished_ids(session, dag_ids)
    _lock_runs(session, before)
    lock_dags(session, dag_ids)
    _lock_runs(session, _unfinished_ids(session, dag_ids) - before, nowait=True)


def _unfinished_ids(session: Session, dag_ids: Collection[str]) -> set[int]:
    found: set[int] = set()
    for chunk in chunks(sorted(dag_ids)):
        found.update(session.scalars(select(DagRun.id).where(DagRun.dag_id.in_(chunk), unfinished_run())))
    return found


def _lock_runs(session: Session, ids: Collection[int], *, nowait: bool = False) -> None:
    for chunk in chunks(sorted(ids)):
        query = select(DagRun.id).where(DagRun.id.in_(chunk)).order_by(DagRun.id)
        session.execute(with_row_locks(query, session, of=DagRun, nowait=nowait)).all()


def highest_run_ids(session: Session, dag_ids: Collection[str]) -> dict[str, int]:
    """Return the id of the newest run of each Dag that this transaction sees; Dags without runs are missing."""
    found: dict[str, int] = {}
    for chunk in chunks(sorted(dag_ids)):
        query = select(DagRun.dag_id, func.max(DagRun.id)).where(DagRun.dag_id.in_(chunk)).group_by(DagRun.dag_id)
        found.update({row[0]: row[1] for row in session.execute(query)})
    return found


def newest_automatic_run(session: Session, dag_id: str) -> datetime | None:
    """Return the logical date from which Airflow goes on: that of the newest run of the schedule or of a backfill."""
    return session.scalar(
        select(func.max(DagRun.logical_date)).where(
            DagRun.dag_id == dag_id, DagRun.run_type.in_((DagRunType.SCHEDULED, DagRunType.BACKFILL_JOB))
        )
    )


def planned_runs(session: Session, dag_ids: Collection[str]) -> dict[str, datetime]:
    """Return when the scheduler would make the next run, for the Dags for which it would."""
    query = select(DagModel.dag_id, DagModel.next_dagrun_create_after).where(
        DagModel.dag_id.in_(dag_ids), DagModel.next_dagrun_create_after.is_not(None)
    )
    return {row.dag_id: row.next_dagrun_create_after for row in session.execute(query)}


def stop_planned_runs(session: Session, dag_ids: Collection[str]) -> None:
    """Take away the next run: the scheduler makes none, and runs in flight go on.

    The dag-processor works the next run out anew each time it parses the file, so this is said again while it
    is to hold.
    """
    session.execute(
        update(DagModel)
        .where(DagModel.dag_id.in_(dag_ids))
        .values(next_dagrun_create_after=None)
        .execution_options(synchronize_session=False)
    )


def drain(session: Session, dag_ids: Collection[str]) -> set[str] | None:
    """Have Airflow drain those of the Dags that are neither paused nor draining.

    :return: them; None if this version of Airflow cannot drain
    """
    return compatibility.drain(session, dag_ids) if compatibility.HAS_DRAINING else None


def drained_in_airflow(session: Session, since: Mapping[str, datetime]) -> set[str]:
    """Return the Dags that Airflow paused at the end of their draining.

    :param since: Dag -> since when
    """
    return compatibility.drained_since(session, since)


def give_back_planned_run(session: Session, dag_id: str, at: datetime) -> None:
    """Undo :func:`stop_planned_runs` unless the dag-processor did."""
    session.execute(
        update(DagModel)
        .where(DagModel.dag_id == dag_id, DagModel.next_dagrun_create_after.is_(None))
        .values(next_dagrun_create_after=at)
        .execution_options(synchronize_session=False)
    )


def unfinished_run_counts(session: Session, dag_ids: Collection[str]) -> dict[str, int]:
    """Count queued and running runs per Dag (Dags without any are left out)."""
    query = (
        select(DagRun.dag_id, func.count().label("runs"))
        .where(DagRun.dag_id.in_(dag_ids), DagRun.state.in_(UNFINISHED_RUNS))
        .group_by(DagRun.dag_id)
    )
    return {row.dag_id: row.runs for row in session.execute(query)}
