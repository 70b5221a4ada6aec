"""The window of the grid of a replenishment, task by cycle, that its page shows (requirements D5)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from itertools import groupby
from typing import Any

from taskops_provider.domain.text import whole_number
from taskops_provider.services.replenishments.cells import (
    CellWindow,
    FollowedCell,
    Stretch,
    cycles_before_active,
    read_window,
)
from taskops_provider.www.page_request import PageRequest
from taskops_provider.www.presenters import text
from taskops_provider.www.presenters.replenishments import cell_marks
from taskops_provider.www.presenters.text import Time

#: columns and rows of one page: as much as one looks at at once
CYCLES_SHOWN = 60
TASKS_SHOWN = 50
FAILED = "failed"


@dataclass(frozen=True)
class ProgressCell:
    """One cell; ``css`` is empty where nothing is to execute.

    :param url: Airflow's page of the instance; empty while the run has not been made
    """

    css: str
    letter: str
    words: str
    url: str


@dataclass(frozen=True)
class ProgressLine:
    """One task.

    :param key: of its row, on every page and after every look
    :param digest: another one when a cell is not as it was
    """

    key: str
    task_id: str
    url: str
    cells: Sequence[ProgressCell]
    digest: str


@dataclass(frozen=True)
class ProgressGroup:
    """The tasks of one workflow."""

    dag_id: str
    url: str
    lines: Sequence[ProgressLine]


@dataclass(frozen=True)
class WindowPage:
    """Where in the cycles, or in the tasks, the page is (counted from 1); ``urls`` lead to the others."""

    noun: str
    first: int
    last: int
    total: int
    urls: Mapping[str, str]


@dataclass(frozen=True)
class ProgressGrid:
    """The part of the grid."""

    columns: Sequence[Time]
    groups: Sequence[ProgressGroup]
    turns: Sequence[WindowPage]
    is_failed_only: bool
    digest: str

    @property
    def lines(self) -> list[ProgressLine]:
        """The rows of all workflows."""
        return [line for group in self.groups for line in group.lines]


@dataclass(frozen=True)
class GridPart:
    """Which part of the grid is asked for; the address of the page says it.

    Without a page of cycles it is that at which the replenishment is at work.
    """

    number: int
    cycle_page: int
    task_page: int
    is_failed_only: bool

    @classmethod
    def of(cls, asked: PageRequest, number: int) -> GridPart:
        """Read it; a page that cannot be is the first one."""
        is_failed_only = asked.one("show") == FAILED
        page = _page(asked, "cycles")
        if not is_failed_only and not asked.one("cycles"):
            page = cycles_before_active(asked.session, asked.actor, number) // CYCLES_SHOWN + 1
        return cls(number, page, _page(asked, "tasks"), is_failed_only)

    def query(self, **changes: int | bool) -> dict[str, str]:
        """The query of the address of this part, or of one that differs."""
        part = {
            "cycles": self.cycle_page,
            "tasks": self.task_page,
            "failed": self.is_failed_only,
        } | changes
        query = {"id": str(self.number), "cycles": str(part["cycles"])}
        if part["failed"]:
            query["show"] = FAILED
        return query | ({"tasks": str(part["tasks"])} if part["tasks"] > 1 else {})


def _page(asked: PageRequest, name: str) -> int:
    return whole_number(asked.one(name), digits=8) or 1


def progress_grid(asked: PageRequest, part: GridPart) -> ProgressGrid:
    """Return a part of the grid, whose size does not depend on that of the replenishment."""
    cycles = Stretch((part.cycle_page - 1) * CYCLES_SHOWN, CYCLES_SHOWN)
    tasks = Stretch((part.task_page - 1) * TASKS_SHOWN, TASKS_SHOWN)
    found = read_window(asked.session, asked.actor, part.number, cycles, tasks, failed_only=part.is_failed_only)
    groups = [
        ProgressGroup(
            dag_id,
            asked.urls.page("workflow", {"dag_id": dag_id}),
            [_line(asked, found, dag_id, task_id) for _, task_id in of],
        )
        for dag_id, of in groupby(found.tasks, key=lambda task: task[0])
    ]
    columns = [time for date in found.dates if (time := text.time(date))]
    turns = [
        _turn(asked, part, "cycles", len(found.dates), found.date_count, CYCLES_SHOWN),
        _turn(asked, part, "tasks", len(found.tasks), found.task_count, TASKS_SHOWN),
    ]
    shape = digest([columns, found.tasks, found.date_count, found.task_count])
    return ProgressGrid(columns, groups, turns, part.is_failed_only, shape)


def digest(shown: Any) -> str:
    """Return some letters that tell whether something is as it was."""
    return sha256(repr(shown).encode()).hexdigest()[:8]


def _line(asked: PageRequest, found: CellWindow, dag_id: str, task_id: str) -> ProgressLine:
    cells = [_cell(asked, dag_id, task_id, date, found.cells.get((dag_id, task_id, date))) for date in found.dates]
    return ProgressLine(
        key=f"l{digest([dag_id, task_id])}",
        task_id=task_id,
        url=asked.urls.page("task", {"dag_id": dag_id, "task_id": task_id, "view": "history"}),
        cells=cells,
        digest=digest(cells),
    )


def _cell(asked: PageRequest, dag_id: str, task_id: str, date: datetime, cell: FollowedCell | None) -> ProgressCell:
    cycle = f"{text.time(date).text} UTC"  # type: ignore[union-attr]
    if cell is None:
        return ProgressCell("", "", f"{task_id}, {cycle}: left alone", "")
    mark, was = cell_marks.STATES[cell.state], cell_marks.CLASSES[cell.was]
    url = asked.urls.instance(dag_id, cell.run_id, task_id) if cell.run_id else ""
    return ProgressCell(mark.css, mark.letter, f"{cell_marks.state_words(task_id, cycle, mark)}; was {was.label}", url)


def _turn(asked: PageRequest, part: GridPart, noun: str, number: int, total: int, size: int) -> WindowPage:
    pages = max(-(-total // size), 1)
    page = min(part.cycle_page if noun == "cycles" else part.task_page, pages)
    wanted = {"First": 1, "Previous": page - 1, "Next": page + 1, "Last": pages}
    urls = {
        label: asked.urls.page("replenishment", part.query(**{noun: to})) if 1 <= to <= pages and to != page else ""
        for label, to in wanted.items()
    }
    first = (page - 1) * size
    return WindowPage(noun, first + 1 if number else 0, first + number, total, urls if pages > 1 else {})
