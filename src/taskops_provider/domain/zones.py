"""Names of time zones."""

from __future__ import annotations

from zoneinfo import ZoneInfo


def parse_zone(name: object) -> ZoneInfo:
    """Read the name of a time zone.

    :raises ValueError: if there is none of this name: what follows the name of the field
    """
    try:
        return ZoneInfo(str(name))
    except (KeyError, ValueError, OSError):
        raise ValueError(f"is {str(name)[:60]!r}; allowed are names of time zones, as Europe/Berlin, UTC") from None
