"""Airflow's own pause flag and next run of a Dag, and the runs that are not finished."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

from airflow.models.dag import DagModel
from airflow.models.dagrun import DagRun
from airflow.models.taskinstance import TaskInstance
from airflow.utils.sqlalchemy import with_row_locks
from airflow.utils.state import DagRunState, State
from airflow.utils.types import DagRunType
from sqlalchemy import Table, and_, func, or_, select, update
from sqlalchemy.orm import Session

UNFINISHED_RUNS = (DagRunState.QUEUED, DagRunState.RUNNING)

#: how long nothing may have moved in a run with held instances before it counts as waiting for them alone
SETTLED_FOR = timedelta(seconds=30)


def dag_table() -> Table:
    """Airflow's ``dag`` table, for joins: ``dag_id``, ``is_paused``."""
    return DagModel.__table__


def paused_dags(session: Session, dag_ids: Collection[str]) -> set[str]:
    """Return those of the Dags that are paused in Airflow."""
    query = select(DagModel.dag_id).where(DagModel.dag_id.in_(dag_ids), DagModel.is_paused.is_(True))
    return set(session.scalars(query))


def set_paused(session: Session, dag_ids: Collection[str], paused: bool) -> None:
    """Pause or unpause Dags in Airflow, as its own switch does."""
    session.execute(
        update(DagModel)
        .where(DagModel.dag_id.in_(dag_ids))
        .values(is_paused=paused)
        .execution_options(synchronize_session=False)
    )


def lock_dags(session: Session, dag_ids: Collection[str]) -> None:
    """Keep the scheduler from making runs of Dags until this transaction ends, and wait for those it is making.

    It takes the same locks, and passes over Dags that are locked.
    """
    query = select(DagModel.dag_id).where(DagModel.dag_id.in_(dag_ids)).order_by(DagModel.dag_id)
    session.execute(with_row_locks(query, session, of=DagModel)).all()


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


def dags_with_moving_runs(session: Session, dag_ids: Collection[str], *, held_pool: str, now: datetime) -> set[str]:
    """Return the Dags with a run that will still get on by itself.

    That is every unfinished run but those in which something waits in ``held_pool`` and nothing has moved for
    ``SETTLED_FOR``: between two tasks a run looks idle for a moment too.
    """
    instance = (TaskInstance.dag_id == DagRun.dag_id, TaskInstance.run_id == DagRun.run_id)
    active = [state for state in State.unfinished if state]
    waiting = select(TaskInstance.id).where(
        *instance,
        TaskInstance.pool == held_pool,
        or_(TaskInstance.state.is_(None), TaskInstance.state.in_(active)),
    )
    moved_at = now - SETTLED_FOR
    moving = select(TaskInstance.id).where(
        *instance,
        or_(
            and_(TaskInstance.pool != held_pool, TaskInstance.state.in_(active)),
            TaskInstance.end_date > moved_at,
        ),
    )
    idle = and_(DagRun.state == DagRunState.RUNNING, DagRun.start_date <= moved_at, waiting.exists(), ~moving.exists())
    query = select(DagRun.dag_id).where(DagRun.dag_id.in_(dag_ids), DagRun.state.in_(UNFINISHED_RUNS), ~idle)
    return set(session.scalars(query.distinct()))
