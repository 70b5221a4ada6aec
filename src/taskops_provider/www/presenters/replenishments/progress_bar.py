"""What the list of replenishments and the page of one share: bars, percentages, counts of cells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from taskops_provider.domain.progress import CellState
from taskops_provider.services.replenishments.progress import ReplenishmentProgress, WorkflowProgress
from taskops_provider.www.presenters import text
from taskops_provider.www.presenters.replenishments import cell_marks

#: in the order in which a bar fills
_IN_BAR = (
    CellState.SUCCESS,
    CellState.SKIPPED,
    CellState.FAILED,
    CellState.CANCELLED,
    CellState.ACTIVE,
)


@dataclass(frozen=True)
class ProgressBar:
    """How far something is.

    :param pieces: (state, where it begins, how long it is) in percent
    """

    complete: float
    success: float
    words: str
    pieces: Sequence[tuple[str, float, float]]


@dataclass(frozen=True)
class CellNumbers:
    """How many cells a replenishment has, how many of them failed (empty if none did), and all states in words."""

    all: str
    failed: str
    words: str


def bar(progress: ReplenishmentProgress | WorkflowProgress, by_state: Mapping[str, int]) -> ProgressBar:
    """Return the bar of a replenishment, or of a workflow in one."""
    total = sum(by_state.values())
    pieces, begin = [], 0.0
    for state in _IN_BAR:
        size = 100 * by_state.get(state, 0) / total if total else 0
        if size:
            pieces.append((state.value, round(begin, 2), round(size, 2)))
        begin += size
    complete, success = progress.percent_complete, progress.percent_success
    return ProgressBar(complete, success, f"{complete} % complete: {count_words(by_state)}", pieces)


def count_words(by_state: Mapping[str, int]) -> str:
    """Return counts of cells by state in words: ``12 success, 1 failed``."""
    found = [f"{by_state[key]:,} {mark.label}" for key, mark in cell_marks.STATES.items() if by_state.get(key)]
    return ", ".join(found) or "no cells that you may read"


def cell_numbers(progress: ReplenishmentProgress) -> CellNumbers:
    """Return how many cells a replenishment has, and how many of them failed."""
    states = progress.counts.by_state
    failed = states[CellState.FAILED]
    return CellNumbers(
        all=f"{sum(states.values()):,}",
        failed=text.count(failed, "failed cell") if failed else "",
        words=count_words(states),
    )
