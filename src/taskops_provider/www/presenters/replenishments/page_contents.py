"""What the templates of one replenishment's page show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from taskops_provider.www.presenters.lists.rows import Action
from taskops_provider.www.presenters.replenishments import progress_bar
from taskops_provider.www.presenters.replenishments.cell_marks import Mark
from taskops_provider.www.presenters.replenishments.listing import NextLook
from taskops_provider.www.presenters.replenishments.progress_grid import ProgressGrid, digest
from taskops_provider.www.presenters.text import Badge, Name, Time

PAGE = "replenishment"


@dataclass(frozen=True)
class RecordLink:
    """Its operation record."""

    number: str
    url: str


@dataclass(frozen=True)
class ProgressFigures:
    """How far it is.

    :param problem: what it waits for, or what it could not execute
    :param states: each state of cells with how many there are
    :param classes: what had become of the cells, each with how many there are
    """

    badge: Badge
    bar: progress_bar.ProgressBar
    cells: str
    eta: Time | None
    started: Time | None
    ended: Time | None
    problem: str | None
    states: Sequence[tuple[Mark, str]]
    classes: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class WorkflowLine:
    """The part of one workflow.

    :param words: its cells by state
    """

    dag_id: Name
    url: str
    key: str
    bar: progress_bar.ProgressBar
    words: str
    cells: str


@dataclass(frozen=True)
class FailedCell:
    """One failed cell, with the way to its log; no way if no run was created."""

    key: str
    dag_id: str
    task_id: str
    task_url: str
    date: Time | None
    was: str
    log_url: str


@dataclass(frozen=True)
class FailedCells:
    """The first failed cells; ``more`` says how many others there are."""

    total: int = 0
    rows: Sequence[FailedCell] = ()
    more: str = ""


@dataclass(frozen=True)
class InputLines:
    """What was asked for; ``more_...`` say how many are not named.

    :param targets: names of workflows and tasks, with the addresses of their pages
    """

    targets: Sequence[tuple[str, str]]
    more_targets: int
    steps: str
    ranges: Sequence[tuple[Time | str | None, Time | str | None]]
    more_ranges: int
    cells: str
    order: str
    runs: str
    window: str
    zone: str
    excluded: str
    wait_for: str
    version: str
    overrides_conf: bool
    conf: str
    reason: str


@dataclass(frozen=True)
class LiveParts:
    """The parts of the page that change while it goes on."""

    number: str
    progress: ProgressFigures
    workflows: Sequence[WorkflowLine]
    actions: Sequence[Action]
    announced: str
    failed: FailedCells
    grid: ProgressGrid
    all_url: str
    failed_url: str

    def digests(self) -> list[tuple[str, str]]:
        """What the page consists of, in an order that both it and its next look know, each with its digest."""
        found = [
            ("progress", digest(self.progress)),
            ("workflows", digest(self.workflows)),
            ("actions", digest(self.actions)),
            ("announced", digest(self.announced)),
            ("failed", digest(self.failed)),
        ]
        return [*found, ("grid", self.grid.digest), *((line.key, line.digest) for line in self.grid.lines)]


@dataclass(frozen=True)
class ReplenishmentPage(LiveParts):
    """What the template ``replenishments/page.html`` shows.

    :param poll: None if nothing will change any more
    """

    poll: NextLook | None
    title: str
    name: str
    actor: str
    created: Time | None
    record: RecordLink
    inputs: InputLines
    refresh_url: str
    page: str = PAGE
    section: str = "replenishments"


@dataclass(frozen=True)
class ReplenishmentLook(LiveParts):
    """What the template ``replenishments/progress.html`` shows; ``changed`` names what is not as the page has it."""

    poll: NextLook | None
    changed: set[str]
