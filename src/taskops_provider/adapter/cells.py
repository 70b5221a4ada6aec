"""What Airflow knows of the tasks of a Dag in a range of dates: runs, instances, how long they took.

One query per Dag and table, whatever the number of cycles.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from airflow.models.dagrun import DagRun
from airflow.models.taskinstance import TaskInstance as TI
from airflow.utils.state import DagRunState, TaskInstanceState
from airflow.utils.types import DagRunType
from sqlalchemy import ColumnElement, and_, case, func, or_, select
from sqlalchemy.orm import Session

from taskops_provider.adapter.runs import GATED_POOLS, RUN_CREATED_AT
from taskops_provider.domain.cells import CellFacts
from taskops_provider.domain.gate import GATE_POOLS
from taskops_provider.domain.replenishment import Range
from taskops_provider.domain.states import Downstream

#: more tasks than this are not named one by one in a query
MANY_TASKS = 300


class RunRow(NamedTuple):
    """A run of a Dag.

    :param logical_date: of a run that has none, as those of assets: when it was due
    """

    run_id: str
    logical_date: datetime
    state: str
    run_type: str
    created_at: datetime

    @property
    def is_finished(self) -> bool:
        """Whether nothing is going on in it."""
        return self.state in (DagRunState.SUCCESS, DagRunState.FAILED)

    @property
    def is_manual(self) -> bool:
        """Whether a person or program asked for it, at a date of their own."""
        return self.run_type in (DagRunType.MANUAL, DagRunType.OPERATOR_TRIGGERED)


_DATE = func.coalesce(DagRun.logical_date, DagRun.run_after)


def first_made_since(session: Session, dag_id: str, since: datetime, *, is_periodic: bool) -> datetime | None:
    """Return the earliest logical date among the runs that were made since a moment.

    :param is_periodic: runs that people made at dates of their own, and backfills, do not count
    """
    query = select(func.min(_DATE)).where(DagRun.dag_id == dag_id, DagRun.created_at >= since)
    if is_periodic:
        query = query.where(DagRun.run_type.in_((DagRunType.SCHEDULED, DagRunType.ASSET_TRIGGERED)))
    return session.scalar(query)


class EarlyCell(NamedTuple):
    """A gated instance in a run that was made shortly before a moment, by the clock of who made it.

    :param logical_date: of a run that has none: when it was due
    """

    run_id: str
    task_id: str
    created_at: datetime
    logical_date: datetime


def gated_in_runs_made(
    session: Session, dag_id: str, task_ids: Collection[str], first: datetime, last: datetime
) -> list[EarlyCell]:
    """Return the gated instances of tasks in runs that were made from ``first`` to ``last``. One query."""
    query = (
        select(TI.run_id, TI.task_id, DagRun.created_at, _DATE)
        .join(DagRun, (DagRun.dag_id == TI.dag_id) & (DagRun.run_id == TI.run_id))
        .where(TI.dag_id == dag_id, DagRun.created_at.between(first, last), TI.pool.in_(GATED_POOLS))
        .distinct()
    )
    if len(task_ids) <= MANY_TASKS:
        query = query.where(TI.task_id.in_(task_ids))
    return [EarlyCell(*row) for row in session.execute(query)]


def _inside(ranges: Sequence[Range]) -> ColumnElement[bool]:
    dated = (DagRun.logical_date.between(first, last) for first, last in ranges)
    undated = (and_(DagRun.logical_date.is_(None), DagRun.run_after.between(first, last)) for first, last in ranges)
    return or_(*dated, *undated)


def runs_between(session: Session, dag_id: str, ranges: Sequence[Range]) -> list[RunRow]:
    """Return the runs of a Dag by logical date, oldest first. One query."""
    query = (
        select(DagRun.run_id, _DATE, DagRun.state, DagRun.run_type, RUN_CREATED_AT)
        .where(DagRun.dag_id == dag_id, _inside(ranges))
        .order_by(_DATE, DagRun.id)
    )
    return [RunRow(*row) for row in session.execute(query)]


def dates_of_runs(session: Session, dag_id: str, run_ids: Collection[str]) -> dict[str, datetime | None]:
    """Return the logical dates of runs, None for those that have none; unknown runs are left out. One query."""
    query = select(DagRun.run_id, DagRun.logical_date).where(DagRun.dag_id == dag_id, DagRun.run_id.in_(run_ids))
    return {row.run_id: row.logical_date for row in session.execute(query)}


def cell_facts_between(
    session: Session,
    dag_id: str,
    task_ids: Collection[str],
    ranges: Sequence[Range],
    *,
    releases_held: bool = False,
) -> dict[str, dict[str, list[CellFacts]]]:
    """Return the instances of tasks: run id -> task id -> what was seen of it. One query.

    Beside those of the named tasks, all that are gated or were skipped: they tell why others were.

    :param releases_held: do not count held instances as gated: they are about to be let go
    """
    pools = set(GATED_POOLS) - ({GATE_POOLS[Downstream.HOLD]} if releases_held else set())
    gated = case((TI.pool.in_(pools), True), else_=False)
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
    found: dict[str, dict[str, list[CellFacts]]] = {}
    for run_id, task_id, state, is_gated in session.execute(query):
        found.setdefault(run_id, {}).setdefault(task_id, []).append(CellFacts(state, bool(is_gated)))
    return found


#: so soon after a run has ended is written what ended with it
_WITH_ITS_RUN = timedelta(seconds=30)


def cut_off_between(session: Session, dag_id: str, ranges: Sequence[Range]) -> dict[str, set[str]]:
    """Return what did not end before its run timed out: run id -> ids of tasks. One query."""
    return _cut_off(session, dag_id, _inside(ranges))


def cut_off_in_run(session: Session, dag_id: str, run_id: str) -> set[str]:
    """Return the ids of the tasks that did not end before a run timed out. One query."""
    return _cut_off(session, dag_id, DagRun.run_id == run_id).get(run_id, set())


def _cut_off(session: Session, dag_id: str, which: ColumnElement[bool]) -> dict[str, set[str]]:
    """Airflow skips what has not ended with the run, in one transaction; it ends nothing by that.

    Who skips otherwise (a branch, the task itself, a trigger rule) writes when, and the run ends later. What waited to
    be tried again has the end of its last try.
    """
    query = (
        select(TI.run_id, TI.task_id, TI.end_date, TI.updated_at, DagRun.end_date)
        .join(DagRun, (DagRun.dag_id == TI.dag_id) & (DagRun.run_id == TI.run_id))
        .where(
            TI.dag_id == dag_id,
            which,
            DagRun.state == DagRunState.FAILED,
            TI.state == TaskInstanceState.SKIPPED,
            TI.pool.not_in(GATED_POOLS),
            or_(TI.end_date.is_(None), and_(TI.try_number > 0, TI.updated_at >= DagRun.end_date)),
        )
    )
    found: dict[str, set[str]] = {}
    for run_id, task_id, ended_at, updated_at, over_at in session.execute(query):
        if ended_at is None or (updated_at and over_at and updated_at - over_at < _WITH_ITS_RUN):
            found.setdefault(run_id, set()).add(task_id)
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
