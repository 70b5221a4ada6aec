"""What Airflow knows of the tasks of a Dag in a range of dates: runs, instances, how long they took.

One query per Dag and table, whatever the number of cycles.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from airflow.models.dagrun import DagRun
from airflow.models.taskinstance import TaskInstance as TI
from airflow.utils.state import DagRunState, TaskInstanceState
from airflow.utils.types import DagRunType
from sqlalchemy import ColumnElement, case, func, or_, select
from sqlalchemy.orm import Session

from taskops_provider.adapter.runs import GATED_POOLS
from taskops_provider.domain.cells import Seen
from taskops_provider.domain.replenishment import Range

#: more tasks than this are not named one by one in a query
MANY_TASKS = 300


class RunRow(NamedTuple):
    """A run of a Dag."""

    run_id: str
    logical_date: datetime
    state: str
    run_type: str

    @property
    def is_finished(self) -> bool:
        """Whether nothing is going on in it."""
        return self.state in (DagRunState.SUCCESS, DagRunState.FAILED)

    @property
    def is_manual(self) -> bool:
        """Whether a person or program asked for it, at a date of their own."""
        return self.run_type in (DagRunType.MANUAL, DagRunType.OPERATOR_TRIGGERED)


def _inside(ranges: Sequence[Range]) -> ColumnElement[bool]:
    return or_(*(DagRun.logical_date.between(first, last) for first, last in ranges))


def runs_between(session: Session, dag_id: str, ranges: Sequence[Range]) -> list[RunRow]:
    """Return the runs of a Dag by logical date, oldest first. One query."""
    query = (
        select(DagRun.run_id, DagRun.logical_date, DagRun.state, DagRun.run_type)
        .where(DagRun.dag_id == dag_id, _inside(ranges))
        .order_by(DagRun.logical_date)
    )
    return [RunRow(*row) for row in session.execute(query)]


def dates_of_runs(session: Session, dag_id: str, run_ids: Collection[str]) -> dict[str, datetime | None]:
    """Return the logical dates of runs, None for those that have none; unknown runs are left out. One query."""
    query = select(DagRun.run_id, DagRun.logical_date).where(DagRun.dag_id == dag_id, DagRun.run_id.in_(run_ids))
    return {row.run_id: row.logical_date for row in session.execute(query)}


def seen_between(
    session: Session, dag_id: str, task_ids: Collection[str], ranges: Sequence[Range]
) -> dict[str, dict[str, list[Seen]]]:
    """Return the instances of tasks: run id -> task id -> what was seen of it. One query.

    Beside those of the named tasks, all that are gated or were skipped: they tell why others were.
    """
    gated = case((TI.pool.in_(GATED_POOLS), True), else_=False)
    query = (
        select(TI.run_id, TI.task_id, TI.state, gated)
        .join(DagRun, (DagRun.dag_id == TI.dag_id) & (DagRun.run_id == TI.run_id))
        .where(TI.dag_id == dag_id, _inside(ranges))
        .distinct()
    )
    if len(task_ids) <= MANY_TASKS:
        query = query.where(
            or_(TI.task_id.in_(task_ids), TI.pool.in_(GATED_POOLS), TI.state == TaskInstanceState.SKIPPED)
        )
    found: dict[str, dict[str, list[Seen]]] = {}
    for run_id, task_id, state, is_gated in session.execute(query):
        found.setdefault(run_id, {}).setdefault(task_id, []).append(Seen(state, bool(is_gated)))
    return found


def average_durations(session: Session, dag_id: str, task_ids: Collection[str], since: datetime) -> dict[str, float]:
    """Return the mean duration in seconds of successful instances that started since a moment. One query."""
    query: Any = (
        select(TI.task_id, func.avg(TI.duration))
        .where(TI.dag_id == dag_id, TI.state == TaskInstanceState.SUCCESS, TI.start_date >= since, TI.try_number > 0)
        .group_by(TI.task_id)
    )
    if len(task_ids) <= MANY_TASKS:
        query = query.where(TI.task_id.in_(task_ids))
    return {task_id: float(mean) for task_id, mean in session.execute(query) if mean is not None}
