"""Small pieces of text that several surfaces have in common."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from typing import Any


def iso(moment: datetime) -> str:
    """A moment as JSON has it: ISO 8601, UTC."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def json_text(value: Any, *, indent: int | None = None) -> str:
    """JSON with datetimes as ISO 8601 in UTC."""
    return json.dumps(value, default=_json_form, indent=indent)


def _json_form(value: Any) -> Any:
    if isinstance(value, datetime):
        return iso(value)
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no JSON form")


def plural(count: int, one: str, many: str = "") -> str:
    """``1 task``, ``2 tasks``, ``1,000 tasks``."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def sentence(line: object) -> str:
    """Return a line with a capital at its begin."""
    text = str(line)
    return text[:1].upper() + text[1:]


def whole_number(text: str, *, digits: int = 9) -> int | None:
    """Read a whole number without a sign; None for what is none, or is longer than ``digits``."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= digits else None
