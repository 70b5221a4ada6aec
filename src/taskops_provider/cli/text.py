"""Text for people: cells, times, lines on stderr."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from datetime import datetime
from typing import Any


def clean(text: object) -> str:
    """Return text on one line without control characters: a reason must not drive the terminal."""
    line = str(text)
    if line.isprintable():
        return line
    return "".join(c if c.isprintable() else " " if c.isspace() else "\N{REPLACEMENT CHARACTER}" for c in line)


def say(line: str) -> None:
    """Print a line on stderr, where progress, questions and errors belong."""
    sys.stderr.write(clean(line) + "\n")
    sys.stderr.flush()


def out(line: str = "") -> None:
    """Print a line of the answer."""
    sys.stdout.write(line + "\n")


def shown_time(moment: datetime) -> str:
    """A moment in Airflow's default timezone, which is also that of times that are given without a zone."""
    return moment.astimezone(default_timezone()).strftime("%Y-%m-%d %H:%M:%S %Z")


def default_timezone() -> Any:
    """Airflow's ``[core] default_timezone``."""
    from airflow import settings

    return settings.TIMEZONE


def cell(value: Any) -> str:
    """A value as a table shows it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return shown_time(value)
    if isinstance(value, Mapping):
        return ", ".join(f"{clean(key)}: {cell(item)}" for key, item in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(cell(item) for item in value)
    return clean(value)
