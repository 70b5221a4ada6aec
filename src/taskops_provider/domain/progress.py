"""How far a replenishment is: the states of its cells, its own state, percentages."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from enum import StrEnum
from typing import NamedTuple

from taskops_provider.domain.cells import FINISHED, CellFacts


class CellState(StrEnum):
    """What a cell that is to execute is doing."""

    WAITING = "waiting"
    ACTIVE = "active"
    SUCCESS = "success"
    FAILED = "failed"
    #: Airflow skipped it: a branch did not choose it, say
    SKIPPED = "skipped"
    CANCELLED = "cancelled"


class ReplenishmentState(StrEnum):
    """What a replenishment is doing."""

    QUEUED = "queued"
    RUNNING = "running"
    PAUSED = "paused"
    SUCCESS = "success"
    PART_SUCCESS = "part_success"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_over(self) -> bool:
        """Whether nothing goes on any more."""
        return self not in (ReplenishmentState.QUEUED, ReplenishmentState.RUNNING, ReplenishmentState.PAUSED)


_FAILED = frozenset({"failed", "upstream_failed"})


def cell_outcome(instances: Collection[CellFacts]) -> CellState | None:
    """Return the state of a cell whose instances have all ended, None while some of them have not."""
    states = {one.state for one in instances}
    if not states <= FINISHED:
        return None
    # a gate that closed meanwhile stopped it: it did not execute
    if any(one.gated for one in instances):
        return CellState.CANCELLED
    if states & _FAILED:
        return CellState.FAILED
    return CellState.SUCCESS if "success" in states else CellState.SKIPPED


def state_when_over(counts: Mapping[str, int]) -> ReplenishmentState:
    """Return the state of a replenishment of which every cell has ended.

    :param counts: cells by state
    """
    success, skipped = counts.get(CellState.SUCCESS, 0), counts.get(CellState.SKIPPED, 0)
    bad = counts.get(CellState.FAILED, 0) + counts.get(CellState.CANCELLED, 0)
    if success and not bad:
        return ReplenishmentState.SUCCESS
    return ReplenishmentState.PART_SUCCESS if success or skipped else ReplenishmentState.FAILED


class Percentages(NamedTuple):
    """Shares of all cells in percent, with one digit; 100 only if it is all of them."""

    complete: float
    success: float


def percentages(counts: Mapping[str, int]) -> Percentages:
    """Return how many of all cells have ended, and how many have ended well.

    :param counts: cells by state
    """
    total = sum(counts.values())
    good = counts.get(CellState.SUCCESS, 0) + counts.get(CellState.SKIPPED, 0)
    ended = good + counts.get(CellState.FAILED, 0) + counts.get(CellState.CANCELLED, 0)
    return Percentages(_percent(ended, total), _percent(good, total))


def _percent(part: int, whole: int) -> float:
    if part == whole:
        return 100.0
    return min(round(100 * part / whole, 1), 99.9)
