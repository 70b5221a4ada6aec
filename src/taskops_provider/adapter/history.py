"""Instances of a task, for reading."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from airflow.models.dagrun import DagRun
from airflow.models.taskinstance import TaskInstance as TI
from airflow.models.taskinstance import TaskInstanceNote
from airflow.utils.state import TaskInstanceState
from sqlalchemy import ColumnElement, Select, and_, case, func, or_, select
from sqlalchemy.orm import Session

from taskops_provider.adapter.compatibility import REGION_ID
from taskops_provider.adapter.instance_orders import held_by_order
from taskops_provider.adapter.runs import GATED_POOLS
from taskops_provider.domain.gate import RETRY, held_mark

#: what a filter may ask for; ``none`` is an instance that has no state yet
STATES = ("none", *(state.value for state in TaskInstanceState))

_EXECUTED = (TaskInstanceState.SUCCESS, TaskInstanceState.FAILED)


@dataclass(frozen=True)
class InstanceFilter:
    """Which instances of a task. Both ends of a range are in it.

    :param states: any of ``STATES``; empty: all
    :param gated: those alone that do not execute because their task was stopped, or those alone that do
    """

    states: tuple[str, ...] = ()
    gated: bool | None = None
    logical_from: datetime | None = None
    logical_to: datetime | None = None
    started_from: datetime | None = None
    started_to: datetime | None = None


def _of_task(query: Select[*tuple[Any, ...]], dag_id: str, task_id: str) -> Select[*tuple[Any, ...]]:
    return query.join(DagRun, (DagRun.dag_id == TI.dag_id) & (DagRun.run_id == TI.run_id)).where(
        TI.dag_id == dag_id, TI.task_id == task_id
    )


def _in_ranges(where: InstanceFilter) -> list[ColumnElement[bool]]:
    bounds = (
        (DagRun.logical_date, where.logical_from, where.logical_to),
        (TI.start_date, where.started_from, where.started_to),
    )
    conditions = []
    for column, first, last in bounds:
        if first is not None:
            conditions.append(column >= first)
        if last is not None:
            conditions.append(column <= last)
    return conditions


def _in_states(states: Sequence[str]) -> list[ColumnElement[bool]]:
    if not states:
        return []
    named = [state for state in states if state != "none"]
    wanted = [TI.state.in_(named)] if named else []
    if "none" in states:
        wanted.append(TI.state.is_(None))
    return [or_(*wanted)]


def _gated(gated: bool | None) -> list[ColumnElement[bool]]:
    if gated is None:
        return []
    return [is_gated() if gated else ~is_gated()]


def is_gated() -> ColumnElement[bool]:
    """The condition that the gate has an instance, not only people who hold it."""
    only_held = TI.retry_reason.in_((held_mark(), held_mark(RETRY)))
    return and_(TI.pool.in_(GATED_POOLS), or_(TI.retry_reason.is_(None), ~only_held))


#: by what instances can be sorted
SORTABLE: Mapping[str, Any] = {
    "run": DagRun.run_after,
    "logical_date": DagRun.logical_date,
    "state": TI.state,
    "try_number": TI.try_number,
    "start_date": TI.start_date,
    "end_date": TI.end_date,
    "duration": TI.duration,
}


def recent_instances(
    session: Session,
    dag_id: str,
    task_id: str,
    *,
    where: InstanceFilter,
    limit: int,
    offset: int,
    order_by: str = "-run",
) -> list[Any]:
    """Return rows of a task's instances, those of the newest run first: one query.

    :param order_by: one of ``SORTABLE``, descending with a ``-`` in front
    """
    column = SORTABLE[order_by.removeprefix("-")]
    query = select(
        TI.run_id,
        TI.map_index,
        REGION_ID,
        DagRun.run_type,
        DagRun.logical_date,
        DagRun.data_interval_start,
        DagRun.data_interval_end,
        TI.state,
        TI.try_number,
        TI.start_date,
        TI.end_date,
        TI.duration,
        TI.pool,
        TI.retry_reason.label("mark"),
        held_by_order().label("held"),
        TaskInstanceNote.content.label("note"),
    )
    query = (
        _of_task(query, dag_id, task_id)
        .outerjoin(TaskInstanceNote, TaskInstanceNote.ti_id == TI.id)
        .where(*_in_ranges(where), *_in_states(where.states), *_gated(where.gated))
        # what has no value comes last, on every database
        .order_by(column.is_(None), column.desc() if order_by.startswith("-") else column.asc())
        .order_by(DagRun.run_after.desc(), DagRun.id.desc(), TI.map_index)
        .limit(limit)
        .offset(offset)
    )
    return list(session.execute(query))


def count_by_state(
    session: Session, dag_id: str, task_id: str, *, where: InstanceFilter
) -> dict[tuple[str | None, bool], int]:
    """Count a task's instances by (state, gated), whatever states the filter asks for: one query.

    No state yet is None.
    """
    gated = case((is_gated(), 1), else_=0)
    query = _of_task(select(TI.state, gated.label("gated"), func.count().label("instances")), dag_id, task_id)
    counts: dict[tuple[str | None, bool], int] = defaultdict(int)
    for row in session.execute(query.where(*_in_ranges(where)).group_by(TI.state, gated)):
        counts[row.state, bool(row.gated)] += row.instances
    return dict(counts)


def last_executed(session: Session, dag_id: str, task_id: str, limit: int) -> list[Any]:
    """Return rows of the instances that executed to their end last, those of the newest run first: one query.

    Instances that the gate settled have a start and an end too, but did not execute.
    """
    query = select(
        TI.run_id,
        TI.map_index,
        DagRun.logical_date,
        TI.state,
        TI.start_date,
        TI.end_date,
        TI.duration,
    )
    query = (
        _of_task(query, dag_id, task_id)
        .where(
            TI.state.in_(_EXECUTED),
            TI.start_date.is_not(None),
            TI.end_date.is_not(None),
            TI.pool.not_in(GATED_POOLS),
        )
        .order_by(DagRun.run_after.desc(), DagRun.id.desc(), TI.map_index.desc())
        .limit(limit)
    )
    return list(session.execute(query))
