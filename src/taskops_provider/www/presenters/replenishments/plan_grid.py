"""The grid of a plan, task by cycle: the part of it that a page has room for (requirements D5)."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo

from taskops_provider.services.replenishments.plan import CLASSES as CODES
from taskops_provider.services.replenishments.plan import Grid, PlannedRow, ReplenishmentPlan
from taskops_provider.www.presenters import text
from taskops_provider.www.presenters.replenishments import cell_marks

#: columns and rows of one page: as much as one looks at at once, and some 400 kB of it
CYCLES_SHOWN = 60
TASKS_SHOWN = 50
_MARKS = tuple(cell_marks.CLASSES[code.value] for code in CODES)


@dataclass(frozen=True)
class PlanCell:
    """One cell; where the workflow has no such cycle there is none."""

    css: str
    letter: str
    words: str


@dataclass(frozen=True)
class PlanLine:
    """One task."""

    task_id: str
    #: why it is here although nobody asked for it
    pulled_in: str
    cells: Sequence[PlanCell | None]


@dataclass(frozen=True)
class PlanGroup:
    """The tasks of one workflow."""

    dag_id: str
    facts: str
    lines: Sequence[PlanLine]


@dataclass(frozen=True)
class PlanPage:
    """Where in the cycles, or in the tasks, the page is (counted from 1)."""

    page: int
    pages: int
    first: int
    last: int
    total: int

    @classmethod
    def of(cls, page: int, total: int, size: int) -> PlanPage:
        """The page asked for, or the last one where there are not so many."""
        pages = max(-(-total // size), 1)
        page = min(max(page, 1), pages)
        return cls(page, pages, (page - 1) * size + 1 if total else 0, min(page * size, total), total)

    @property
    def part(self) -> slice:
        """What of all is shown."""
        return slice(max(self.first - 1, 0), self.last)


@dataclass(frozen=True)
class PlanGrid:
    """The part of the grid.

    :param columns: the cycles as their columns are headed, and in full
    :param is_busy_only: just the cycles in which something executes
    :param idle: how many others there are
    """

    columns: Sequence[tuple[str, str]]
    groups: Sequence[PlanGroup]
    cycles: PlanPage
    tasks: PlanPage
    is_busy_only: bool
    idle: int


def page_of_grid(
    plan: ReplenishmentPlan,
    zone: tzinfo,
    *,
    cycle_page: int | None,
    task_page: int,
    busy_only: bool | None,
) -> PlanGrid:
    """Return a page of a plan's grid, whose size does not depend on that of the plan.

    :param cycle_page: None: that which is executed first
    :param busy_only: None: where all the cycles are too many to look at
    """
    every = {cycle.logical_date for grid in plan.grids for cycle in grid.cycles}
    busy = {
        cycle.logical_date for grid in plan.grids for cycle, does in zip(grid.cycles, grid.busy(), strict=True) if does
    }
    if busy_only is None:
        busy_only = len(every) > CYCLES_SHOWN and 0 < len(busy) < len(every)
    dates = sorted(busy if busy_only else every)
    first = len(dates) if plan.request.newest_first else 1
    cycles = PlanPage.of(first if cycle_page is None else cycle_page, len(dates), CYCLES_SHOWN)
    lines = [(grid, row) for grid in plan.grids for row in grid.rows]
    tasks = PlanPage.of(task_page, len(lines), TASKS_SHOWN)
    shown = dates[cycles.part]
    return PlanGrid(
        columns=_columns(shown, zone),
        groups=_groups(lines[tasks.part], shown, zone),
        cycles=cycles,
        tasks=tasks,
        is_busy_only=busy_only,
        idle=len(every) - len(busy),
    )


def cycle_words(moment: datetime, zone: tzinfo) -> str:
    """Return a cycle as people read it, in their time zone."""
    return f"{moment.astimezone(zone):%Y-%m-%d %H:%M:%S}"


def _columns(dates: Sequence[datetime], zone: tzinfo) -> list[tuple[str, str]]:
    """The heads of the columns, as short as tells them apart."""
    full = [cycle_words(date, zone) for date in dates]
    ends = [" 00:00:00", ":00"]
    common = next((end for end in ends if all(one.endswith(end) for one in full)), "")
    return [(one.removesuffix(common), one) for one in full]


def _groups(lines: Sequence[tuple[Grid, PlannedRow]], dates: Sequence[datetime], zone: tzinfo) -> list[PlanGroup]:
    words = [cycle_words(date, zone) for date in dates]
    groups: list[PlanGroup] = []
    for grid in dict.fromkeys(id(grid) for grid, _ in lines):
        of_grid = [(one, row) for one, row in lines if id(one) == grid]
        groups.append(_group(of_grid[0][0], [row for _, row in of_grid], dates, words))
    return groups


def _group(grid: Grid, rows: Sequence[PlannedRow], dates: Sequence[datetime], words: Sequence[str]) -> PlanGroup:
    own = [cycle.logical_date for cycle in grid.cycles]
    at = [bisect_left(own, date) for date in dates]
    columns = [
        (i, word) if i < len(own) and own[i] == date else None for i, date, word in zip(at, dates, words, strict=True)
    ]
    return PlanGroup(
        dag_id=grid.dag_id,
        facts=_facts(grid),
        lines=[
            PlanLine(
                row.task_id,
                row.pulled_in or "",
                [column and _cell(row, *column) for column in columns],
            )
            for row in rows
        ],
    )


def _facts(grid: Grid) -> str:
    parts = [text.count(len(grid.cycles), "cycle")]
    for number, what in ((len(grid.new_runs()), "new run"), (len(grid.old_runs()), "existing run")):
        if number:
            parts.append(text.count(number, what))
    return " · ".join(parts)


def _cell(row: PlannedRow, index: int, cycle: str) -> PlanCell:
    mark, executes = _MARKS[row.classes[index]], bool(row.executes[index])
    css = f"{mark.css} {cell_marks.EXECUTES}" if executes else mark.css
    return PlanCell(css, mark.letter, cell_marks.planned_words(row.task_id, cycle, mark, executes=executes))
