"""Times that people choose in a filter: wall clock times, in the time zone that they chose in Airflow."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo

from taskops_provider.domain.iso_times import read_iso_time
from taskops_provider.domain.zones import parse_zone
from taskops_provider.www.page_request import PageRequest
from taskops_provider.www.presenters.lists.filters import Problems


def period(asked: PageRequest, problems: Problems) -> tuple[datetime | None, datetime | None]:
    """Return the moments ``since`` and ``until`` that were asked for, in the time zone ``zone``."""
    zone = zone_of(asked.one("zone"), problems)
    since = moment_of("Since", asked.one("since"), zone, problems)
    return since, end_of(moment_of("Until", asked.one("until"), zone, problems))


def end_of(until: datetime | None) -> datetime | None:
    """Return the end of a range whose last minute was given: to the minute is to the end of the minute."""
    return until and until + timedelta(seconds=59, microseconds=999_999)


def zone_of(name: str, problems: Problems) -> tzinfo:
    """Return a time zone; UTC, with a problem noted, for one that does not exist."""
    try:
        return parse_zone(name or "UTC")
    except ValueError:
        problems.lines.append(f"Time zone “{name}” does not exist; UTC is taken.")
        return UTC


def moment_of(name: str, given: str, zone: tzinfo, problems: Problems) -> datetime | None:
    """Return the moment of a wall clock time in a zone; None, with a problem noted, for what is none.

    :param name: what the field is called
    """
    if not given:
        return None
    try:
        local = read_iso_time(given)
        moment = (local if local.tzinfo else local.replace(tzinfo=zone)).astimezone(UTC)
        return min(moment, datetime.max.replace(tzinfo=UTC) - timedelta(minutes=1))
    except (ValueError, OverflowError):
        problems.lines.append(f"{name} is “{given}”; allowed are a date and time, as 2026-12-24T06:00.")
        return None
