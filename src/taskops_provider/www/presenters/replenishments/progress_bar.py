"""What the list of replenishments and the page of one share: bars, percentages, counts of cells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from taskops_provider.domain.progress import CellState
from taskops_provider.www.presenters import replenish_cells, text

#: in the order in which a bar fills
_IN_BAR = (
    CellState.SUCCESS,
    CellState.SKIPPED,
    CellState.FAILED,
    CellState.CANCELLED,
    CellState.ACTIVE,
)


@dataclass(frozen=True)
class Bar:
    """How far something is.

    :param pieces: (state, where it begins, how long it is) in percent
    """

    complete: float
    success: float
    words: str
    pieces: Sequence[tuple[str, float, float]]


def bar(percent: Mapping[str, Any], by_state: Mapping[str, int]) -> Bar:
    """Return the bar of a replenishment, or of a workflow in one.

    :param percent: ``percent_complete``, ``percent_success``
    """
    total = sum(by_state.values())
    pieces, begin = [], 0.0
    for state in _IN_BAR:
        size = 100 * by_state.get(state, 0) / total if total else 0
        if size:
            pieces.append((state.value, round(begin, 2), round(size, 2)))
        begin += size
    complete, success = percent["percent_complete"], percent["percent_success"]
    return Bar(complete, success, f"{complete} % complete: {words(by_state)}", pieces)


def words(by_state: Mapping[str, int]) -> str:
    """Return counts of cells by state in words: ``12 success, 1 failed``."""
    found = [f"{by_state[key]:,} {mark.label}" for key, mark in replenish_cells.STATES.items() if by_state.get(key)]
    return ", ".join(found) or "no cells"


def cells(shown: Mapping[str, Any]) -> dict[str, str]:
    """Return how many cells a replenishment has, and how many of them failed."""
    states = shown["counts"]["by_state"]
    failed = states[CellState.FAILED]
    return {
        "all": f"{sum(states.values()):,}",
        "failed": text.count(failed, "failed cell") if failed else "",
        "words": words(states),
    }
