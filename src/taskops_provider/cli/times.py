"""Times as people give them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from taskops_provider.cli.text import default_timezone
from taskops_provider.domain.iso_times import read_iso_time
from taskops_provider.exceptions import BadInput

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_RELATIVE = re.compile(r"[+-](\d+[smhdw])+")
_PART = re.compile(r"(\d+)([smhdw])")

ALLOWED = "a date and time in ISO 8601, as 2026-12-24T06:00 or 2026-12-24T06:00+01:00"


def parse_time(option: str, text: str, now: datetime, *, sign: str = "") -> datetime:
    """Return the moment that was given to an option.

    :param sign: ``+`` where relative times lie ahead, ``-`` where they lie back; empty where there are none
    :raises BadInput: when it is none
    """
    text = text.strip()
    relative = f", or {sign}30m, {sign}2h or {sign}1d12h from now" if sign else ""
    try:
        if sign and _RELATIVE.fullmatch(text) and text.startswith(sign):
            delta = timedelta(**_amounts(text))
            return now + delta if sign == "+" else now - delta
        moment = read_iso_time(text)
        # without a zone it is Airflow's, as everywhere in Airflow
        return (moment if moment.tzinfo else moment.replace(tzinfo=default_timezone())).astimezone(UTC)
    except (ValueError, OverflowError):
        raise BadInput(f"{option} is {text[:60]!r}; allowed are {ALLOWED}{relative}") from None


def _amounts(text: str) -> dict[str, int]:
    amounts: dict[str, int] = {}
    for number, unit in _PART.findall(text):
        name = _UNITS[unit]
        amounts[name] = amounts.get(name, 0) + int(number)
    return amounts
