"""The window of the grid of a replenishment, task by cycle, that its page shows (D5)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from itertools import groupby
from typing import Any

from taskops_provider.services.replenishment_cells import Seen, Stretch, Window, at_work, window
from taskops_provider.www.asked import Asked
from taskops_provider.www.presenters import replenish_cells as marks
from taskops_provider.www.presenters import text
from taskops_provider.www.presenters.text import Time

#: columns and rows of one page: as much as one looks at at once
CYCLES_SHOWN = 60
TASKS_SHOWN = 50
FAILED = "failed"


@dataclass(frozen=True)
class Cell:
    """One cell; ``css`` is empty where nothing is to execute.

    :param url: Airflow's page of the instance; empty while the run has not been made
    """

    css: str
    letter: str
    words: str
    url: str


@dataclass(frozen=True)
class Line:
    """One task.

    :param key: of its row, on every page and after every look
    :param digest: another one when a cell is not as it was
    """

    key: str
    task_id: str
    url: str
    cells: Sequence[Cell]
    digest: str


@dataclass(frozen=True)
class Group:
    """The tasks of one workflow."""

    dag_id: str
    url: str
    lines: Sequence[Line]


@dataclass(frozen=True)
class Turn:
    """Where in the cycles, or in the tasks, the page is (counted from 1); ``urls`` lead to the others."""

    noun: str
    first: int
    last: int
    total: int
    urls: Mapping[str, str]


@dataclass(frozen=True)
class Shown:
    """The part of the grid."""

    columns: Sequence[Time]
    groups: Sequence[Group]
    turns: Sequence[Turn]
    is_failed_only: bool
    digest: str

    @property
    def lines(self) -> list[Line]:
        """The rows of all workflows."""
        return [line for group in self.groups for line in group.lines]


@dataclass(frozen=True)
class Part:
    """Which part of the grid is asked for; the address of the page says it.

    Without a page of cycles it is that at which the replenishment is at work.
    """

    number: int
    cycle_page: int
    task_page: int
    is_failed_only: bool

    @classmethod
    def of(cls, asked: Asked, number: int) -> Part:
        """Read it; a page that cannot be is the first one."""
        is_failed_only = asked.one("show") == FAILED
        page = _page(asked, "cycles")
        if not is_failed_only and not asked.one("cycles"):
            page = at_work(asked.session, asked.actor, number) // CYCLES_SHOWN + 1
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


def _page(asked: Asked, name: str) -> int:
    given = asked.one(name)
    return int(given) if given.isascii() and given.isdigit() and int(given[:9]) > 0 and len(given) < 9 else 1


def show(asked: Asked, part: Part) -> Shown:
    """Return a part of the grid, whose size does not depend on that of the replenishment."""
    cycles = Stretch((part.cycle_page - 1) * CYCLES_SHOWN, CYCLES_SHOWN)
    tasks = Stretch((part.task_page - 1) * TASKS_SHOWN, TASKS_SHOWN)
    found = window(asked.session, asked.actor, part.number, cycles, tasks, failed_only=part.is_failed_only)
    groups = [
        Group(
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
    return Shown(columns, groups, turns, part.is_failed_only, shape)


def digest(shown: Any) -> str:
    """Return some letters that tell whether something is as it was."""
    return sha256(repr(shown).encode()).hexdigest()[:8]


def _line(asked: Asked, found: Window, dag_id: str, task_id: str) -> Line:
    cells = [_cell(asked, dag_id, task_id, date, found.cells.get((dag_id, task_id, date))) for date in found.dates]
    return Line(
        key=f"l{digest([dag_id, task_id])}",
        task_id=task_id,
        url=asked.urls.page("task", {"dag_id": dag_id, "task_id": task_id, "view": "history"}),
        cells=cells,
        digest=digest(cells),
    )


def _cell(asked: Asked, dag_id: str, task_id: str, date: datetime, seen: Seen | None) -> Cell:
    cycle = f"{text.time(date).text} UTC"  # type: ignore[union-attr]
    if seen is None:
        return Cell("", "", f"{task_id}, {cycle}: left alone", "")
    mark, was = marks.STATES[seen.state], marks.CLASSES[seen.was]
    url = asked.urls.instance(dag_id, seen.run_id, task_id) if seen.run_id else ""
    return Cell(mark.css, mark.letter, f"{marks.state_words(task_id, cycle, mark)}; was {was.label}", url)


def _turn(asked: Asked, part: Part, noun: str, number: int, total: int, size: int) -> Turn:
    pages = max(-(-total // size), 1)
    page = min(part.cycle_page if noun == "cycles" else part.task_page, pages)
    wanted = {"First": 1, "Previous": page - 1, "Next": page + 1, "Last": pages}
    urls = {
        label: asked.urls.page("replenishment", part.query(**{noun: to})) if 1 <= to <= pages and to != page else ""
        for label, to in wanted.items()
    }
    first = (page - 1) * size
    return Turn(noun, first + 1 if number else 0, first + number, total, urls if pages > 1 else {})
