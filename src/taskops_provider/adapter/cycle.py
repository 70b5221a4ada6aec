"""One cycle of a Dag."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NamedTuple


class Cycle(NamedTuple):
    """One run that a timetable makes; moments in UTC."""

    logical_date: datetime
    start: datetime
    end: datetime
    run_after: datetime


def plain(moment: datetime) -> datetime:
    """A pendulum moment as the standard library's, which is much cheaper to compare and to hash."""
    utc = moment.astimezone(UTC)
    return datetime(utc.year, utc.month, utc.day, utc.hour, utc.minute, utc.second, utc.microsecond, tzinfo=UTC)
