"""How things are called and coloured on the pages."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from taskops_provider.domain.periods import Period
from taskops_provider.domain.states import TaskStatus, WorkflowStatus

#: owners that a row names before it counts the others
OWNERS_SHOWN = 2


@dataclass(frozen=True)
class Badge:
    """A status: its words, and the tone that colours it."""

    text: str
    tone: str


WORKFLOW_BADGES: Mapping[str, Badge] = {
    WorkflowStatus.ALL_SCHEDULING: Badge("All scheduling", "green"),
    WorkflowStatus.PARTIALLY_SCHEDULING: Badge("Partially scheduling", "blue"),
    WorkflowStatus.ALL_PAUSED: Badge("All paused", "amber"),
    WorkflowStatus.ALL_OFFLINE: Badge("All offline", "grey"),
    WorkflowStatus.ALL_UNSCHEDULED: Badge("All unscheduled", "rust"),
    WorkflowStatus.ALL_EXPIRED: Badge("All expired", "purple"),
    WorkflowStatus.DELETED: Badge("Deleted", "red"),
}
TASK_BADGES: Mapping[str, Badge] = {
    TaskStatus.SCHEDULING: Badge("Scheduling", "green"),
    TaskStatus.PAUSED: Badge("Paused", "amber"),
    TaskStatus.OFFLINE: Badge("Offline", "grey"),
    TaskStatus.INVALID: Badge("Invalid", "purple"),
    TaskStatus.DELETED: Badge("Deleted", "red"),
}
PERIODS: Mapping[str, str] = {period.value: period.value.capitalize() for period in Period}


@dataclass(frozen=True)
class Time:
    """A moment: machine-readable, and in words of UTC for browsers without script."""

    iso: str
    text: str


def time(moment: datetime | None) -> Time | None:
    """Return a moment as ``yyyy-MM-dd HH:mm:ss``; the page's script turns it into the person's time zone."""
    if moment is None:
        return None
    utc = moment.astimezone(UTC).replace(microsecond=0, tzinfo=None)
    return Time(f"{utc.isoformat()}Z", str(utc))


@dataclass(frozen=True)
class Owners:
    """Some owners, and the rest of them."""

    first: list[str]
    rest: list[str]


def owners(names: Sequence[str]) -> Owners:
    """Split owners into those a row has room for and the others."""
    return Owners(list(names[:OWNERS_SHOWN]), list(names[OWNERS_SHOWN:]))


@dataclass(frozen=True)
class Name:
    """A name, whole and in the pieces between which a line may end."""

    text: str
    pieces: list[str]


def name(text: str) -> Name:
    """Return a name that may end a line after ``_``, ``.``, ``-`` and ``/``."""
    return Name(text, [piece for piece in re.split(r"(?<=[_./-])", text) if piece])


@dataclass(frozen=True)
class Piece:
    """A part of a sentence, maybe one that is to stand out: a name, a command."""

    text: str
    is_name: bool = False


def with_code(line: str) -> list[Piece]:
    """Return a line in which commands stand between backticks in its pieces."""
    parts = re.split(r"``?", line)
    return [Piece(part, is_name=number % 2 == 1) for number, part in enumerate(parts) if part]


def draining(is_draining: bool, runs: int | None) -> str:
    """``Draining: 3 runs left``; empty where it does not drain.

    :param runs: None for who may not read them
    """
    if not is_draining:
        return ""
    return "Draining" if runs is None else f"Draining: {count(runs, 'run')} left"


def count(number: int, noun: str) -> str:
    """Return ``1 task``, ``2 tasks``, ``10,000 tasks``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def duration(seconds: float) -> str:
    """Return ``0.4 s``, ``12 s``, ``3 min 5 s``, ``2 h 10 min``, ``4 d 3 h``."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    left = round(seconds)
    parts: list[str] = []
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60), ("s", 1)):
        number, left = divmod(left, length)
        if number or parts:
            parts.append(f"{number} {unit}" if number else "")
    return " ".join(part for part in parts[:2] if part)
