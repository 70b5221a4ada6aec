"""Instances that escaped an open gate interval: their run was being created while the interval was opened."""

from __future__ import annotations

from typing import Any

from airflow.models.dagrun import DagRun
from airflow.models.taskinstance import TaskInstance as TI
from airflow.utils.types import DagRunTriggeredByType
from sqlalchemy import ColumnElement, Select, or_, select
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
from taskops_provider.models import GateInterval, ReplenishmentRun


def held_tasks(session: Session) -> set[tuple[str, str]]:
    """Return the tasks with a held instance, as (dag_id, task_id). One query."""
    query = (
        select(TI.dag_id, TI.task_id)
        .where(TI.pool == HOLD_POOL, TI.state == WAITING_STATE, TI.retry_reason == WAITING_MARKS[Downstream.HOLD])
        .distinct()
    )
    return {(row.dag_id, row.task_id) for row in session.execute(query)}


def dags_with_missed(session: Session) -> list[str]:
    """Return the Dags in which something may have escaped a watched interval. One query."""
    return list(session.scalars(_escaped(select(GateInterval.dag_id)).distinct().order_by(GateInterval.dag_id)))


def missed(session: Session, dag_id: str) -> list[tuple[Instance, int]]:
    """Return what may have escaped in a Dag, each with the id of the interval."""
    query = _escaped(select(*INSTANCE_COLUMNS, GateInterval.id)).where(GateInterval.dag_id == dag_id).order_by(TI.id)
    return [(Instance(*row[:-1]), row[-1]) for row in session.execute(query)]


def _escaped(query: Select[*tuple[Any, ...]]) -> Select[*tuple[Any, ...]]:
    """Ungated instances of runs that the interval's operation did not see, or of any run if it ended instances.

    What somebody cleared executes, and so do runs that a replenishment creates.
    """
    return (
        query.select_from(GateInterval)
        .join(DagRun, DagRun.dag_id == GateInterval.dag_id)
        .join(TI, (TI.dag_id == DagRun.dag_id) & (TI.run_id == DagRun.run_id))
        .where(
            GateInterval.to_at.is_(None),
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
