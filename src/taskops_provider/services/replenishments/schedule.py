"""When a replenishment may start anything."""

from __future__ import annotations

from datetime import datetime

from taskops_provider.domain.progress import ReplenishmentState
from taskops_provider.domain.replenishment import DailyWindow
from taskops_provider.models import Replenishment


def is_held(replenishment: Replenishment, now: datetime) -> bool:
    """Whether nothing of a replenishment starts now: people paused it, or its window is closed. Never raises."""
    if replenishment.state == ReplenishmentState.PAUSED or problem_of_window(replenishment) is not None:
        return True
    return replenishment.window is not None and not DailyWindow.parse(replenishment.window).is_open(now)


def problem_of_window(replenishment: Replenishment) -> str | None:
    """Return why it cannot be known when a replenishment may start anything, None if that is known."""
    if replenishment.window is None:
        return None
    try:
        DailyWindow.parse(replenishment.window)
    except ValueError as error:
        return f"its window {error}"
    return None


def opened_at(replenishment: Replenishment, now: datetime) -> datetime | None:
    """Return when the window of a replenishment that is not held opened last, None if it has none."""
    return DailyWindow.parse(replenishment.window).last_opened(now) if replenishment.window is not None else None
