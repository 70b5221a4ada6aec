"""What a replenishment is asked for (requirements 6), checked as far as no database is needed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from enum import StrEnum
from typing import Any, NamedTuple

from taskops_provider.domain.cells import CellSelection
from taskops_provider.domain.clock import is_between, parse_clock
from taskops_provider.domain.operations.targets import Target

MAX_NAME_LENGTH = 250
MAX_ACTIVE_RUNS = 1000
MAX_RANGES = 100
MAX_DEPTH = 100


class Range(NamedTuple):
    """Logical dates from ``first`` to ``last``, both included.

    With time zones; in a request an end without one is what the clocks of a Dag's zone show, see :meth:`in_zone`.
    """

    first: datetime
    last: datetime

    def in_zone(self, zone: tzinfo) -> Range:
        """Return the range with the ends that have no time zone read in one.

        Where clocks go back the earlier of two moments is a beginning, and the later one an end.
        """
        return Range(_in_zone(self.first, zone, fold=0), _in_zone(self.last, zone, fold=1))

    @property
    def is_local(self) -> bool:
        """Whether an end has no time zone."""
        return self.first.tzinfo is None or self.last.tzinfo is None


def _in_zone(moment: datetime, zone: tzinfo, *, fold: int) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=zone, fold=fold).astimezone(UTC)


class DailyWindow(NamedTuple):
    """The part of each day in which runs are started, UTC; one that ends before it begins goes over midnight."""

    opens: time
    closes: time

    def is_open(self, now: datetime) -> bool:
        """Whether ``now`` (UTC) lies inside."""
        return is_between(now.time(), self.opens, self.closes)

    def last_opened(self, now: datetime) -> datetime:
        """When it opened last (UTC): today, or yesterday if it has not yet."""
        today = now.replace(hour=self.opens.hour, minute=self.opens.minute, second=0, microsecond=0)
        return today if today <= now else today - timedelta(days=1)

    @classmethod
    def parse(cls, text: str) -> DailyWindow:
        """Read ``HH:MM-HH:MM``.

        :raises ValueError: for anything else; its text goes on after the name of the field
        """
        opens, _, closes = text.partition("-")
        try:
            window = cls(parse_clock(opens), parse_clock(closes))
        except ValueError:
            raise ValueError(f"is {text[:40]!r}; allowed is HH:MM-HH:MM (UTC), as 22:00-06:00") from None
        if window.opens == window.closes:
            raise ValueError("opens and closes at the same time; leave it out to run at any time")
        return window

    def __str__(self) -> str:
        return f"{self.opens:%H:%M}-{self.closes:%H:%M}"


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


class WaitFor(StrEnum):
    """Which cells upstream of it, across workflows, a cell waits for."""

    #: none: workflows do not wait for each other. Inside one run Airflow keeps the order.
    NONE = "none"
    #: those that the replenishment executes itself
    INSIDE = "inside"
    #: those too that it does not execute: they have to have succeeded
    ALL = "all"


class IfBusy(StrEnum):
    """What becomes of a replenishment if another backfill of one of its workflows goes on."""

    QUEUE = "queue"
    REFUSE = "refuse"


@dataclass(frozen=True)
class ReplenishmentRequest:
    """The inputs of a replenishment.

    :param workflows: ids of Dags of which every task is wanted
    :param tasks: single tasks, to which ``upstream_depth`` and ``downstream_depth`` steps are added, across workflows
    :param timezone: name of the zone of ranges without one; None: each Dag's own
    :param exclude: tasks that do not execute and count as success
    :param conf: of the runs that are created
    :param override_conf: existing runs in which cells execute get it too
    :param run_on_latest_version: what is cleared executes by the newest version of its Dag, or by that of its run;
        None: as Airflow's own clearing decides
    :param is_selection: the targets were selected among others: those that cannot be replenished are left out with
        a warning, where a target that was named is refused
    """

    workflows: tuple[str, ...] = ()
    tasks: tuple[Target, ...] = ()
    upstream_depth: int = 0
    downstream_depth: int = 0
    ranges: tuple[Range, ...] = ()
    timezone: str | None = None
    exclude: tuple[Target, ...] = ()
    cells: frozenset[CellSelection] = frozenset({CellSelection.MISSING, CellSelection.FAILED})
    name: str = ""
    max_active_runs: int = 1
    newest_first: bool = False
    window: DailyWindow | None = None
    conf: Mapping[str, Any] = field(default_factory=dict)
    override_conf: bool = False
    wait_for: WaitFor = WaitFor.INSIDE
    run_on_latest_version: bool | None = None
    if_busy: IfBusy = IfBusy.QUEUE
    reason: str | None = None
    is_selection: bool = False


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
