"""The instances of a task: what ran when, what was gated and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from taskops_provider.adapter import cells, history
from taskops_provider.adapter.history import InstanceFilter
from taskops_provider.adapter.loops import LoopRegion, loop_regions
from taskops_provider.domain.gate import effect_of
from taskops_provider.domain.instances import STATUS_OF_STATE, InstanceStatus, status_of
from taskops_provider.exceptions import BadInput, Forbidden
from taskops_provider.services.catalog.filters import check_choices
from taskops_provider.services.catalog.tasks import TaskRow, get_task
from taskops_provider.services.shared.actor import Actor
from taskops_provider.services.shared.paging import Page, check_page

__all__ = [
    "InstanceFilter",
    "InstancePage",
    "InstanceRow",
    "InstanceSearch",
    "dates_of_runs",
    "list_instances",
    "page_of_instances",
    "readable_task",
]

NO_INSTANCES = "you may not see the task instances of this Dag"


@dataclass(frozen=True)
class InstanceRow:
    """One instance of a task.

    :param map_index: -1 where the task is not mapped; in a loop, the number of the iteration if it is not
    :param state: None for an instance that waits for what is upstream
    :param duration: seconds
    :param gated: it does not execute, because its task was stopped when its run was created (or ended it)
    :param held: people hold it, or its run
    :param downstream: the effect with which it is gated
    :param status: what it is doing, in the words of the source
    :param iteration: which, of a task in a loop; ``0.2`` in a loop within a loop, ``2[0]`` if it is mapped in it
    :param region_id: of a task in a loop: with the map index it tells an instance from all others of its run
    """

    run_id: str
    map_index: int
    run_type: str
    logical_date: datetime | None
    data_interval_start: datetime | None
    data_interval_end: datetime | None
    state: str | None
    try_number: int
    start_date: datetime | None
    end_date: datetime | None
    duration: float | None
    pool: str
    held: bool
    gated: bool
    downstream: str | None
    note: str | None
    status: InstanceStatus
    iteration: str | None
    region_id: str | None


@dataclass(frozen=True)
class InstancePage(Page[InstanceRow]):
    """Some instances of a task.

    :param counts: how many there are by status in the filter's ranges, whatever states it asks for
    :param gated: how many of these do not execute because their task was stopped
    """

    counts: dict[str, int]
    gated: int


@dataclass(frozen=True)
class InstanceSearch:
    """Which instances of which task.

    :param statuses: what they are doing (``domain.instances``), besides the states that the filter asks for
    """

    dag_id: str
    task_id: str
    where: InstanceFilter = field(default_factory=InstanceFilter)
    statuses: tuple[str, ...] = ()


def readable_task(session: Session, actor: Actor, dag_id: str, task_id: str, now: datetime) -> TaskRow:
    """Return a task whose instances the actor may see.

    :raises ResourceNotFound: when there is no such task, or the Dag may not be read
    :raises Forbidden: when its instances may not
    """
    task = get_task(session, actor, dag_id, task_id, now)
    if not actor.permissions.may_read_instances(dag_id):
        raise Forbidden(NO_INSTANCES)
    return task


def dates_of_runs(
    session: Session, actor: Actor, dag_id: str, task_id: str, run_ids: Collection[str], now: datetime
) -> dict[str, datetime | None]:
    """Return the logical dates of runs in which a task has instances; None for a run that has none.

    :raises ResourceNotFound: when there is no such task, or the Dag may not be read
    :raises Forbidden: when its instances may not
    """
    readable_task(session, actor, dag_id, task_id, now)
    return cells.dates_of_runs(session, dag_id, run_ids)


def list_instances(
    session: Session, actor: Actor, search: InstanceSearch, now: datetime, *, limit: int, offset: int = 0
) -> list[InstanceRow]:
    """Return a task's instances, those of the newest run first, in a constant number of queries.

    :raises BadInput: for a page, a state or a status that cannot be
    :raises ResourceNotFound: when there is no such task, or the Dag may not be read
    :raises Forbidden: when its instances may not
    """
    where = _checked(search, limit, offset)
    readable_task(session, actor, search.dag_id, search.task_id, now)
    found = history.recent_instances(session, search.dag_id, search.task_id, where=where, limit=limit, offset=offset)
    return _rows(session, search.task_id, found)


def page_of_instances(
    session: Session,
    actor: Actor,
    search: InstanceSearch,
    now: datetime,
    *,
    limit: int,
    offset: int = 0,
    order_by: str = "-run",
) -> InstancePage:
    """Return one page of a task's instances with their counts, in a constant number of queries.

    :param order_by: one of run, logical_date, state, try_number, start_date, end_date, duration; descending with a
        ``-`` in front
    :raises BadInput: for a page, a column, a state, a status or a range that cannot be
    :raises ResourceNotFound: when there is no such task, or the Dag may not be read
    :raises Forbidden: when its instances may not
    """
    where = _checked(search, limit, offset, order_by)
    dag_id, task_id = search.dag_id, search.task_id
    readable_task(session, actor, dag_id, task_id, now)
    found = history.recent_instances(
        session, dag_id, task_id, where=where, limit=limit, offset=offset, order_by=order_by
    )
    by_state = history.count_by_state(session, dag_id, task_id, where=where)
    counts: Counter[str] = Counter()
    for (state, _), number in by_state.items():
        counts[status_of(state).value] += number
    total = sum(
        number
        for (state, gated), number in by_state.items()
        if (not where.states or (state or "none") in where.states) and where.gated in (None, gated)
    )
    return InstancePage(
        rows=_rows(session, task_id, found),
        total_entries=total,
        limit=limit,
        offset=offset,
        counts={status.value: counts[status.value] for status in InstanceStatus},
        gated=sum(number for (_, gated), number in by_state.items() if gated),
    )


def _states_of(statuses: Sequence[str]) -> list[str]:
    return [state or "none" for state, status in STATUS_OF_STATE.items() if status.value in statuses]


def _checked(search: InstanceSearch, limit: int, offset: int, order_by: str = "run") -> InstanceFilter:
    """Return the filter with the states that the statuses stand for, once all of it makes sense."""
    check_choices("status", search.statuses, [status.value for status in InstanceStatus])
    check_choices("order_by", [order_by.removeprefix("-")], list(history.SORTABLE))
    check_page(limit, offset)
    where = search.where
    check_choices("state", where.states, history.STATES)
    for name, first, last in (
        ("logical date", where.logical_from, where.logical_to),
        ("start date", where.started_from, where.started_to),
    ):
        if first and last and first > last:
            raise BadInput(f"the {name} cannot be from {first.isoformat()} to {last.isoformat()}: that ends first")
    return replace(where, states=(*where.states, *_states_of(search.statuses)))


def _rows(session: Session, task_id: str, found: Sequence[Any]) -> list[InstanceRow]:
    regions = loop_regions(session, ((task_id, row.region_id) for row in found))
    return [_row(row, regions.get(row.region_id)) for row in found]


def _row(row: Any, region: LoopRegion | None) -> InstanceRow:
    effect = effect_of(row.pool, row.mark)
    values = {name: value for name, value in row._mapping.items() if name != "mark"}
    return InstanceRow(
        **{
            **values,
            "held": bool(row.held),
            "region_id": str(region.id) if region else None,
            "iteration": region.iteration(row.map_index) if region else None,
        },
        gated=effect is not None,
        downstream=effect.value if effect else None,
        status=status_of(row.state),
    )
