"""When a replenishment may start anything."""

from __future__ import annotations

from datetime import datetime, time

from taskops_provider.domain.progress import ReplenishmentState
from taskops_provider.domain.replenishment import DailyWindow
from taskops_provider.models import Replenishment


def is_held(replenishment: Replenishment, now: datetime) -> bool:
    """Whether nothing of a replenishment starts now: people paused it, or its window is closed."""
    return replenishment.state == ReplenishmentState.PAUSED or not _is_open(replenishment, now)


def _is_open(replenishment: Replenishment, now: datetime) -> bool:
    if replenishment.window is None:
        return True
    opens, closes = (time.fromisoformat(part) for part in replenishment.window.split("-"))
    return DailyWindow(opens, closes).is_open(now)
