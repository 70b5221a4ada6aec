"""Dates and times as text: the one reader of REST, forms, filters and command line."""

from __future__ import annotations

import re
from datetime import datetime

#: Python's reader takes more than dates: any character between date and time, so that numbers can pass as times
_DATE_THEN_TIME = re.compile(r"\d{4}-?\d\d-?\d\d([T ]\d.*)?", re.ASCII)


def read_iso_time(text: str) -> datetime:
    """Return a date, or a date and time, in ISO 8601; without a zone if the text names none.

    Eight digits are a date in ISO 8601's basic format; any other number is none.

    :raises ValueError: for every other text
    """
    text = text.strip().upper()
    if not _DATE_THEN_TIME.fullmatch(text):
        raise ValueError("is no date in ISO 8601")
    return datetime.fromisoformat(text)
