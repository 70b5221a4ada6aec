"""Runs that Airflow would not have created, or would not have gone on with, if their Dag were paused as it is to be.

A Dag is unpaused in Airflow while its workflow drains, and while a replenishment executes runs of a Dag that people
have paused. In both cases the scheduler may create other runs: on schedule, to catch up, for assets. They wait, whole,
until the Dag is unpaused for everybody (``services.gate.whose_pause``). So do those that people create between two
times at which a replenishment has their paused Dag awake.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import inspect, or_, select

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

_column_seen = False


def is_foreign(dag_run: Any, session: Session) -> bool:
    """Whether a run that no replenishment creates belongs to a workflow that drains, or is woken now or later.

    One query, and up to two more where it does or its Dag is paused.
    Of a run that was there before (a task that is added to it, say) it counts when it was created.
    """
    from airflow.models.dag import DagModel

    from taskops_provider.models import Workflow

    if not _has_column(session):
        return False
    query = (
        select(Workflow.woken_at, Workflow.draining_since)
        .join(DagModel, DagModel.dag_id == Workflow.dag_id)
        .where(
            Workflow.dag_id == dag_run.dag_id,
            or_(Workflow.woken_at.is_not(None), Workflow.draining_since.is_not(None), DagModel.is_paused.is_(True)),
        )
    )
    with session.no_autoflush:
        found = session.execute(query).first()
        if found is None:
            return False
        if not _has_instances(dag_run, session):
            return any(found) or _will_be_woken(dag_run.dag_id, session)
    created = dag_run.created_at or dag_run.run_after
    return any(since is not None and created >= since for since in found)


def _has_instances(dag_run: Any, session: Session) -> bool:
    """Whether a run was there before: a queued one may not have been looked at yet."""
    from airflow.models.taskinstance import TaskInstance as TI

    query = select(TI.id).where(TI.dag_id == dag_run.dag_id, TI.run_id == dag_run.run_id)
    return session.scalar(query.limit(1)) is not None


def _will_be_woken(dag_id: str, session: Session) -> bool:
    """Whether a replenishment that is not over has runs of a paused Dag left."""
    from taskops_provider.models import Replenishment, ReplenishmentRun

    left = (
        select(ReplenishmentRun.id)
        .join(Replenishment, Replenishment.id == ReplenishmentRun.replenishment_id)
        .where(
            ReplenishmentRun.dag_id == dag_id,
            ReplenishmentRun.state.in_(("waiting", "active")),
            Replenishment.ended_at.is_(None),
        )
    )
    return session.scalar(left.limit(1)) is not None


def _has_column(session: Session) -> bool:
    """Tell whether our tables are of this version: a query that fails would abort the scheduler's transaction."""
    global _column_seen
    if not _column_seen:
        with session.no_autoflush:
            columns = inspect(session.connection()).get_columns("taskops_workflow")
        _column_seen = any(column["name"] == "woken_at" for column in columns)
    return _column_seen
