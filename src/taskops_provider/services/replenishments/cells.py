"""The cells of a replenishment, task by cycle: one by one, and a window of the grid (requirements 6, D5).

Only cells of Dags whose task instances the actor may read. A window is some cycles by some tasks: what is read and
what is made of it depends on the window's size, and on that of the replenishment only where cells are counted.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, case, func, select
from sqlalchemy.orm import Session

from taskops_provider.domain.progress import CellState
from taskops_provider.models import ReplenishmentCell, ReplenishmentRun
from taskops_provider.services.catalog.filters import check_choices
from taskops_provider.services.replenishments.create import get_replenishment
from taskops_provider.services.shared.actor import Actor
from taskops_provider.services.shared.paging import Page, check_page

STATES = tuple(state.value for state in CellState)
_Run, _Cell = ReplenishmentRun, ReplenishmentCell


@dataclass(frozen=True, slots=True)
class CellRow:
    """One cell.

    :param was: its class when the replenishment was planned
    :param run_id: None while the run has not been created
    """

    dag_id: str
    task_id: str
    logical_date: datetime
    run_id: str | None
    was: str
    state: str


@dataclass(frozen=True, slots=True)
class Stretch:
    """Some of the cycles, or of the tasks.

    :param first: counted from 0
    """

    first: int
    size: int


@dataclass(frozen=True, slots=True)
class FollowedCell:
    """One cell of a window, see :class:`CellRow`."""

    state: str
    was: str
    run_id: str | None


@dataclass(frozen=True, slots=True)
class CellWindow:
    """A part of the grid.

    :param dates: logical dates of the columns
    :param tasks: (dag id, task id) of the rows, workflow by workflow in their order
    :param cells: (dag id, task id, logical date) -> what is there
    """

    dates: Sequence[datetime]
    date_count: int
    tasks: Sequence[tuple[str, str]]
    task_count: int
    cells: Mapping[tuple[str, str, datetime], FollowedCell]


def list_cells(
    session: Session,
    actor: Actor,
    replenishment_id: int,
    *,
    states: Sequence[str] = (),
    dag_ids: Collection[str] = (),
    limit: int,
    offset: int = 0,
) -> Page[CellRow]:
    """Return cells by logical date, Dag and task.

    :raises ResourceNotFound: when there is no such replenishment, or the actor may read none of its Dags
    :raises BadInput: for an unknown state, a limit outside 1..1000, a negative offset
    """
    check_page(limit, offset)
    check_choices("state", states, STATES)
    get_replenishment(session, actor, replenishment_id)
    conditions = _conditions(actor, replenishment_id, states)
    if dag_ids:
        conditions.append(_Run.dag_id.in_(sorted(dag_ids)))
    total = session.scalar(_joined(select(func.count()), conditions)) or 0
    columns = (_Run.dag_id, _Cell.task_id, _Run.logical_date, _Run.run_id, _Cell.was, _Cell.state)
    query = _joined(select(*columns), conditions).order_by(_Run.logical_date, _Run.dag_id, _Cell.task_id, _Cell.id)
    rows = session.execute(query.limit(limit).offset(offset))
    return Page([CellRow(*row) for row in rows], total, limit, offset)


def read_window(
    session: Session, actor: Actor, replenishment_id: int, cycles: Stretch, tasks: Stretch, *, failed_only: bool
) -> CellWindow:
    """Return a part of the grid. Four queries, whatever its size.

    A stretch behind the end is moved to the last one.

    :param failed_only: just the cycles and the tasks in which a cell failed
    """
    conditions = _conditions(actor, replenishment_id, [CellState.FAILED.value] if failed_only else ())
    dates = _joined(select(_Run.logical_date).distinct(), conditions)
    if not failed_only:
        # every run has cells
        dates = select(_Run.logical_date).distinct().where(*_of_runs(actor, replenishment_id))
    date_count = session.scalar(select(func.count()).select_from(dates.subquery())) or 0
    ordered_dates = dates.order_by(_Run.logical_date).limit(cycles.size).offset(_first(cycles, date_count))
    columns = session.scalars(ordered_dates).all()
    all_cells = _conditions(actor, replenishment_id, ())
    lines = _joined(select(_Run.dag_id, _Cell.task_id), all_cells).group_by(_Run.dag_id, _Cell.task_id)
    if failed_only:
        failed = case((_Cell.state == CellState.FAILED.value, 1), else_=0)
        lines = lines.having(func.max(failed) == 1)
    # cells were written in the order of the plan; counting the tasks apart would read all cells once more
    ordered = lines.order_by(func.min(_Run.stage), _Run.dag_id, func.min(_Cell.id))
    every = [(dag_id, task_id) for dag_id, task_id in session.execute(ordered)]
    first = _first(tasks, len(every))
    rows = every[first : first + tasks.size]
    cells = _window_cells(session, actor, replenishment_id, columns, rows)
    return CellWindow(columns, date_count, rows, len(every), cells)


def cycles_before_active(session: Session, actor: Actor, replenishment_id: int) -> int:
    """Return how many cycles lie before the first one with an active run, 0 if no run is active. Two queries."""
    runs = _of_runs(actor, replenishment_id)
    first = session.scalar(select(func.min(_Run.logical_date)).where(*runs, _Run.state == "active"))
    if first is None:
        return 0
    return session.scalar(select(func.count(_Run.logical_date.distinct())).where(*runs, _Run.logical_date < first)) or 0


def _window_cells(
    session: Session,
    actor: Actor,
    replenishment_id: int,
    dates: Sequence[datetime],
    tasks: Sequence[tuple[str, str]],
) -> dict[tuple[str, str, datetime], FollowedCell]:
    if not dates or not tasks:
        return {}
    runs = (
        select(_Run.id, _Run.dag_id, _Run.logical_date, _Run.run_id)
        .where(*_of_runs(actor, replenishment_id), _Run.logical_date.in_(dates))
        .where(_Run.dag_id.in_(sorted({dag_id for dag_id, _ in tasks})))
        .subquery()
    )
    query = (
        select(runs.c.dag_id, _Cell.task_id, runs.c.logical_date, _Cell.state, _Cell.was, runs.c.run_id)
        .join(runs, runs.c.id == _Cell.of_run_id)
        .where(_Cell.task_id.in_(sorted({task_id for _, task_id in tasks})))
    )
    return {
        (dag_id, task_id, date): FollowedCell(state, was, run_id)
        for dag_id, task_id, date, state, was, run_id in session.execute(query)
    }


def _first(stretch: Stretch, total: int) -> int:
    return min(stretch.first, max(total - 1, 0) // stretch.size * stretch.size)


def _of_runs(actor: Actor, replenishment_id: int) -> list[ColumnElement[bool]]:
    """Runs of Dags whose instances, which the cells are of, the actor may read."""
    conditions = [_Run.replenishment_id == replenishment_id]
    readable = actor.permissions.instances_readable()
    if readable is not None:
        conditions.append(_Run.dag_id.in_(sorted(readable)))
    return conditions


def _conditions(actor: Actor, replenishment_id: int, states: Collection[str]) -> list[ColumnElement[bool]]:
    conditions = [*_of_runs(actor, replenishment_id), _Cell.replenishment_id == replenishment_id]
    if states:
        conditions.append(_Cell.state.in_(sorted(states)))
    return conditions


def _joined(query: Select[*tuple[Any, ...]], conditions: Sequence[ColumnElement[bool]]) -> Select[*tuple[Any, ...]]:
    return query.select_from(_Cell).join(_Run, _Run.id == _Cell.of_run_id).where(*conditions)
