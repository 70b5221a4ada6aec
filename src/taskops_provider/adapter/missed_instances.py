"""Instances that escaped an open gate interval: their run was being created while the interval was opened."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from airflow.models.dagrun import DagRun
from airflow.models.taskinstance import TaskInstance as TI
from airflow.utils.types import DagRunTriggeredByType
from sqlalchemy import ColumnElement, Select, and_, or_, select
from sqlalchemy.orm import Session

from taskops_provider.adapter.runs import (
    GATED_POOLS,
    HOLD_POOL,
    INSTANCE_COLUMNS,
    RUN_CREATED_AT,
    Instance,
    unfinished_instance,
    unfinished_run,
)
from taskops_provider.domain.gate import ANY_TASK, WAITING_MARKS, WAITING_STATE
from taskops_provider.domain.states import Downstream
from taskops_provider.domain.windows.scope import ANY_DAG
from taskops_provider.models import GateInterval, ReplenishmentRun


def dags_with_unjustified_holds(session: Session, now: datetime) -> set[str]:
    """Return the Dags with a held instance that nothing holds. One query."""
    query = _unjustified(select(TI.dag_id), now).distinct()
    return set(session.scalars(query))


def unjustified_holds(session: Session, dag_id: str, now: datetime) -> list[Instance]:
    """Return the held instances of a Dag that nothing holds: neither an open interval nor a window. One query."""
    query = _unjustified(select(*INSTANCE_COLUMNS), now).where(TI.dag_id == dag_id).order_by(TI.id)
    return [Instance(*row) for row in session.execute(query)]


def _unjustified(query: Select[*tuple[Any, ...]], now: datetime) -> Select[*tuple[Any, ...]]:
    holds = GateInterval.downstream == Downstream.HOLD.value
    by_operation = select(GateInterval.id).where(
        GateInterval.dag_id == TI.dag_id, GateInterval.task_id == TI.task_id, GateInterval.to_at.is_(None), holds
    )
    # of a run that was created in the window, until it is over
    by_window = select(GateInterval.id).where(
        or_(GateInterval.dag_id == TI.dag_id, GateInterval.dag_id == ANY_DAG),
        or_(GateInterval.task_id == TI.task_id, GateInterval.task_id == ANY_TASK),
        GateInterval.window_id.is_not(None),
        GateInterval.by_cycle.is_(False),
        GateInterval.to_at > now,
        GateInterval.from_at <= RUN_CREATED_AT,
        GateInterval.to_at > RUN_CREATED_AT,
        holds,
    )
    return query.join(DagRun, (DagRun.dag_id == TI.dag_id) & (DagRun.run_id == TI.run_id)).where(
        TI.pool == HOLD_POOL,
        TI.state == WAITING_STATE,
        TI.retry_reason == WAITING_MARKS[Downstream.HOLD],
        ~by_operation.exists(),
        ~by_window.exists(),
    )


def dags_with_missed(session: Session, now: datetime) -> list[str]:
    """Return the Dags in which something may have escaped a watched interval. One query."""
    return list(session.scalars(_escaped(select(GateInterval.dag_id), now).distinct().order_by(GateInterval.dag_id)))


def missed(session: Session, dag_id: str, now: datetime) -> list[tuple[Instance, int]]:
    """Return what may have escaped in a Dag, each with the id of the interval."""
    query = _escaped(select(*INSTANCE_COLUMNS, GateInterval.id), now).where(GateInterval.dag_id == dag_id)
    query = query.order_by(TI.id)
    return [(Instance(*row[:-1]), row[-1]) for row in session.execute(query)]


def _escaped(query: Select[*tuple[Any, ...]], now: datetime) -> Select[*tuple[Any, ...]]:
    """Ungated instances of runs that the interval's operation did not see, or of any run if it ended instances.

    What somebody cleared executes, and so do runs that a replenishment creates.
    """
    return (
        query.select_from(GateInterval)
        .join(DagRun, DagRun.dag_id == GateInterval.dag_id)
        .join(TI, (TI.dag_id == DagRun.dag_id) & (TI.run_id == DagRun.run_id))
        .where(
            or_(
                GateInterval.to_at.is_(None),
                # a window that is over lets go what it held: that has not escaped it
                and_(
                    GateInterval.window_id.is_not(None),
                    GateInterval.to_at > RUN_CREATED_AT,
                    GateInterval.to_at > now,
                ),
            ),
            GateInterval.seen_run_id.is_not(None),
            or_(GateInterval.task_id == TI.task_id, GateInterval.task_id == ANY_TASK),
            or_(GateInterval.terminates.is_(True), DagRun.id > GateInterval.seen_run_id),
            or_(GateInterval.resume_at.is_(None), GateInterval.resume_at > RUN_CREATED_AT),
            unfinished_run(),
            unfinished_instance(),
            TI.pool.not_in(GATED_POOLS),
            DagRun.clear_number == 0,
            or_(DagRun.triggered_by.is_(None), DagRun.triggered_by != DagRunTriggeredByType.TEST),
            is_nobodys_replenishment(),
        )
    )


def is_nobodys_replenishment() -> ColumnElement[bool]:
    """The condition that a run was not created by a replenishment."""
    of_replenishment = select(ReplenishmentRun.id).where(
        ReplenishmentRun.dag_id == DagRun.dag_id, ReplenishmentRun.backfill_id == DagRun.backfill_id
    )
    return ~of_replenishment.exists()
