"""What a replenishment is asked for (SPEC 6), checked as far as no database is needed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any, NamedTuple

from taskops_provider.domain.cells import Wanted
from taskops_provider.domain.operations import Target
from taskops_provider.exceptions import BadInput

MAX_NAME_LENGTH = 250
MAX_ACTIVE_RUNS = 1000
MAX_RANGES = 100
MAX_DEPTH = 100


class Range(NamedTuple):
    """Logical dates from ``first`` to ``last``, both included; with time zones."""

    first: datetime
    last: datetime


class Window(NamedTuple):
    """The part of each day in which runs are started, UTC; one that ends before it begins goes over midnight."""

    opens: time
    closes: time

    def is_open(self, now: datetime) -> bool:
        """Whether ``now`` (UTC) lies inside."""
        at = now.time()
        if self.opens <= self.closes:
            return self.opens <= at < self.closes
        return at >= self.opens or at < self.closes

    @classmethod
    def parse(cls, text: str) -> Window:
        """Read ``HH:MM-HH:MM``.

        :raises BadInput: for anything else
        """
        opens, _, closes = text.partition("-")
        try:
            return cls(_clock(opens), _clock(closes))
        except ValueError:
            raise BadInput(f"window is {text[:40]!r}; allowed is HH:MM-HH:MM (UTC), as 22:00-06:00") from None

    def __str__(self) -> str:
        return f"{self.opens:%H:%M}-{self.closes:%H:%M}"


def _clock(text: str) -> time:
    hours, _, minutes = text.strip().partition(":")
    if not (hours.isdigit() and minutes.isdigit() and len(minutes) == 2):
        raise ValueError(text)
    return time(int(hours), int(minutes))


def parse_conf(text: str, name: str = "conf") -> dict[str, Any]:
    """Read the conf of runs, a JSON object; nothing is an empty one.

    :param name: what the person who gave it calls it
    :raises BadInput: for anything else
    """
    if not text:
        return {}
    try:
        found = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        raise BadInput(f"{name} is no JSON: {error}") from None
    if not isinstance(found, dict):
        raise BadInput(f'{name} is {text[:40]!r}; allowed is a JSON object, as {{"table": "orders"}}')
    return found


def end_of_range(text: str, read: Callable[[str], datetime]) -> datetime:
    """Return the end of a range as people mean it: a date without a time means all of that day.

    The day ends where the next one begins in the zone in which dates are read: not always after 24 hours.

    :param text: as it was given
    :param read: makes a moment of a text; its errors are raised
    """
    moment = read(text)
    try:
        following = date.fromisoformat(text.strip()) + timedelta(days=1)
    except (ValueError, OverflowError):  # it has a time; or there is no day after it
        return moment
    return read(following.isoformat()) - timedelta(microseconds=1)


@dataclass(frozen=True)
class Asked:
    """The inputs of a replenishment.

    :param workflows: ids of Dags of which every task is wanted
    :param tasks: single tasks, to which ``upstream`` and ``downstream`` steps are added, across workflows
    :param conf: of the runs that are made
    :param queues: wait for other backfills of the same Dags; else they are a reason to refuse
    :param is_selection: the targets were selected among others: what of them cannot be replenished is left out and
        told, where it would be refused if it had been named
    """

    workflows: tuple[str, ...] = ()
    tasks: tuple[Target, ...] = ()
    upstream: int = 0
    downstream: int = 0
    ranges: tuple[Range, ...] = ()
    wanted: frozenset[Wanted] = frozenset({Wanted.MISSING, Wanted.FAILED})
    name: str = ""
    max_active_runs: int = 1
    newest_first: bool = False
    window: Window | None = None
    conf: Mapping[str, Any] = field(default_factory=dict)
    queues: bool = True
    reason: str | None = None
    is_selection: bool = False


def check_asked(asked: Asked) -> None:
    """Refuse inputs that cannot be.

    :raises BadInput: one line that says what is wrong and what is allowed
    """
    if not asked.workflows and not asked.tasks:
        raise BadInput("name at least one workflow or task to replenish")
    if not asked.ranges:
        raise BadInput("give at least one range of dates")
    if len(asked.ranges) > MAX_RANGES:
        raise BadInput(f"{len(asked.ranges)} ranges were given; at most {MAX_RANGES} are taken")
    for one in asked.ranges:
        if one.first > one.last:
            raise BadInput(f"the range from {one.first.isoformat()} to {one.last.isoformat()} ends before it begins")
    for what, depth in (("upstream", asked.upstream), ("downstream", asked.downstream)):
        if not 0 <= depth <= MAX_DEPTH:
            raise BadInput(f"{what} is {depth}; allowed are 0 to {MAX_DEPTH}")
    if not 1 <= asked.max_active_runs <= MAX_ACTIVE_RUNS:
        raise BadInput(f"max_active_runs is {asked.max_active_runs}; allowed are 1 to {MAX_ACTIVE_RUNS}")
    if len(asked.name) > MAX_NAME_LENGTH:
        raise BadInput(f"the name has {len(asked.name)} characters; at most {MAX_NAME_LENGTH} are kept")
    if asked.window and asked.window.opens == asked.window.closes:
        raise BadInput("the window opens and closes at the same time; leave it out to run at any time")
    if "taskops" in asked.conf:
        raise BadInput("conf has the key 'taskops', which TaskOps keeps for itself")


def merge(ranges: Iterable[Range]) -> list[Range]:
    """Return the ranges in order, with those that overlap or touch made one: each date is in at most one."""
    merged: list[Range] = []
    for one in sorted(ranges):
        if merged and one.first <= merged[-1].last:
            merged[-1] = Range(merged[-1].first, max(merged[-1].last, one.last))
        else:
            merged.append(one)
    return merged


def clamp(ranges: Iterable[Range], earliest: datetime | None, latest: datetime | None) -> list[Range]:
    """Return the parts of ranges that lie between two moments, both included; None sets no bound."""
    clamped = []
    for first, last in ranges:
        begin = max(first, earliest) if earliest else first
        end = min(last, latest) if latest else last
        if begin <= end:
            clamped.append(Range(begin, end))
    return clamped
