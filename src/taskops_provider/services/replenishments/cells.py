"""The cells of a replenishment, task by cycle: one by one, and a window of the grid (SPEC 6, D5).

Only cells of Dags that the actor may read. A window is some cycles by some tasks: what is read and what is made of it
depends on the window's size, and on that of the replenishment only where cells are counted.
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
from taskops_provider.services.actor import Actor
from taskops_provider.services.filters import check_choices
from taskops_provider.services.paging import Page, check_page
from taskops_provider.services.replenishments import get_replenishment

STATES = tuple(state.value for state in CellState)
_Run, _Cell = ReplenishmentRun, ReplenishmentCell


@dataclass(frozen=True)
class Stretch:
    """Some of the cycles, or of the tasks.

    :param first: counted from 0
    """

    first: int
    size: int


@dataclass(frozen=True)
class Seen:
    """One cell.

    :param run_id: None while the run has not been made
    """

    state: str
    was: str
    run_id: str | None


@dataclass(frozen=True)
class Window:
    """A part of the grid.

    :param dates: logical dates of the columns
    :param tasks: (dag id, task id) of the rows, workflow by workflow in their order
    :param cells: (dag id, task id, logical date) -> what is there
    """

    dates: Sequence[datetime]
    date_count: int
    tasks: Sequence[tuple[str, str]]
    task_count: int
    cells: Mapping[tuple[str, str, datetime], Seen]


def list_cells(
    session: Session,
    actor: Actor,
    replenishment_id: int,
    *,
    states: Sequence[str] = (),
    dag_ids: Collection[str] = (),
    limit: int,
    offset: int = 0,
) -> Page[dict[str, Any]]:
    """Return cells by logical date, Dag and task: ``dag_id, task_id, logical_date, run_id, was, state``.

    :raises NotFound: when there is no such replenishment, or the actor may read none of its Dags
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
    found = session.execute(query.limit(limit).offset(offset))
    return Page([dict(row._mapping) for row in found], total, limit, offset)


def window(
    session: Session, actor: Actor, replenishment_id: int, cycles: Stretch, tasks: Stretch, *, failed_only: bool
) -> Window:
    """Return a part of the grid. Four queries, whatever its size.

    A stretch behind the end is moved to the last one that there is.

    :param failed_only: just the cycles and the tasks in which a cell failed
    """
    conditions = _conditions(actor, replenishment_id, [CellState.FAILED.value] if failed_only else ())
    dates = _joined(select(_Run.logical_date).distinct(), conditions)
    if not failed_only:
        # every run has cells
        dates = select(_Run.logical_date).distinct().where(*_of_runs(actor, replenishment_id))
    date_count = session.scalar(select(func.count()).select_from(dates.subquery())) or 0
    ordered_dates = dates.order_by(_Run.logical_date).limit(cycles.size).offset(_first(cycles, date_count))
    shown = session.scalars(ordered_dates).all()
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
    return Window(shown, date_count, rows, len(every), _seen(session, actor, replenishment_id, shown, rows))


def at_work(session: Session, actor: Actor, replenishment_id: int) -> int:
    """Return how many cycles lie before the first one at which it is at work, 0 where it is at none. Two queries."""
    runs = _of_runs(actor, replenishment_id)
    first = session.scalar(select(func.min(_Run.logical_date)).where(*runs, _Run.state == "active"))
    if first is None:
        return 0
    return session.scalar(select(func.count(_Run.logical_date.distinct())).where(*runs, _Run.logical_date < first)) or 0


def _seen(
    session: Session,
    actor: Actor,
    replenishment_id: int,
    dates: Sequence[datetime],
    tasks: Sequence[tuple[str, str]],
) -> dict[tuple[str, str, datetime], Seen]:
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
        (dag_id, task_id, date): Seen(state, was, run_id)
        for dag_id, task_id, date, state, was, run_id in session.execute(query)
    }


def _first(stretch: Stretch, total: int) -> int:
    return min(stretch.first, max(total - 1, 0) // stretch.size * stretch.size)


def _of_runs(actor: Actor, replenishment_id: int) -> list[ColumnElement[bool]]:
    conditions = [_Run.replenishment_id == replenishment_id]
    readable = actor.permissions.readable()
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
