"""How far a replenishment is: the states of its cells, its own state, percentages."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from enum import StrEnum
from typing import Any

from taskops_provider.domain.cells import Seen


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
_FINISHED = _FAILED | {"success", "skipped", "removed"}


def outcome_of(seen: Collection[Seen]) -> CellState | None:
    """Return what came of a cell's instances, None while some of them have not ended."""
    states = {one.state for one in seen}
    if not states <= _FINISHED:
        return None
    if states & _FAILED:
        return CellState.FAILED
    return CellState.SUCCESS if "success" in states else CellState.SKIPPED


def state_when_over(counts: Mapping[str, int]) -> ReplenishmentState:
    """Return the state of a replenishment of which every cell has ended.

    :param counts: cells by state
    """
    failed = counts.get(CellState.FAILED, 0)
    if not failed:
        return ReplenishmentState.SUCCESS
    good = counts.get(CellState.SUCCESS, 0) + counts.get(CellState.SKIPPED, 0)
    return ReplenishmentState.PART_SUCCESS if good else ReplenishmentState.FAILED


def percentages(counts: Mapping[str, int]) -> dict[str, Any]:
    """Return ``percent_complete`` and ``percent_success`` of all cells, with one digit; 100 only when it is so.

    :param counts: cells by state
    """
    total = sum(counts.values())
    good = counts.get(CellState.SUCCESS, 0) + counts.get(CellState.SKIPPED, 0)
    ended = good + counts.get(CellState.FAILED, 0) + counts.get(CellState.CANCELLED, 0)
    return {"percent_complete": _percent(ended, total), "percent_success": _percent(good, total)}


def _percent(part: int, whole: int) -> float:
    if part == whole:
        return 100.0
    return min(round(100 * part / whole, 1), 99.9)
