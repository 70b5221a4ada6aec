"""Clock times, and the part of each day between two of them."""

from __future__ import annotations

from datetime import time


def parse_clock(text: object) -> time:
    """Read ``HH:MM``.

    :raises ValueError: for anything else: what follows the name of the field
    """
    hours, colon, minutes = str(text).strip().partition(":")
    digits = hours.isascii() and hours.isdigit() and minutes.isascii() and minutes.isdigit()
    if not (colon and digits and len(hours) <= 2 and len(minutes) == 2 and int(hours) < 24 and int(minutes) < 60):
        told = f"is {str(text)[:40]!r}" if text else "is empty"
        raise ValueError(f"{told}; allowed is HH:MM, as 08:00")
    return time(int(hours), int(minutes))


def is_over_midnight(opens: time, closes: time) -> bool:
    """Whether a part of the day ends on the day after; one that ends when it begins is a whole day."""
    return closes <= opens


def is_between(at: time, opens: time, closes: time) -> bool:
    """Whether a clock time lies in the part of the day from ``opens`` to just before ``closes``."""
    return (at >= opens or at < closes) if is_over_midnight(opens, closes) else opens <= at < closes
