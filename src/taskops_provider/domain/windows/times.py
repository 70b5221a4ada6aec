"""When a window is open: its occurrences, to the second, also where clocks change.

A recurrence is a rule of iCalendar (RFC 5545) or a cron expression, read on the clock of a zone. What the clock shows
twice begins the first time (but a cron expression for every hour counts each), what it never shows begins as much later
as clocks jump. An occurrence ends after a duration, which is time that passes, or when the clock shows a time.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice, pairwise
from math import prod
from typing import NamedTuple
from zoneinfo import ZoneInfo

from croniter import croniter
from croniter.croniter import CroniterBadDateError
from dateutil.rrule import rrulestr

#: the end of what ends when somebody says so: the last moment that the times of every database reach (MariaDB's do not
#: go beyond January 2038)
UNTIL_RELEASED = datetime(2037, 12, 31, 23, 59, 59, tzinfo=UTC)
#: the begin of what also covers runs that were there before
ALWAYS = datetime(2000, 1, 1, tzinfo=UTC)
#: occurrences that anything looks at
MOST_OCCURRENCES = 1000
#: two occurrences begin at least so far from each other
SHORTEST_STEP = timedelta(minutes=15)
#: an occurrence is at most so long
LONGEST = timedelta(days=366)
#: the first and the last moment at which a window may begin or end
EARLIEST, LATEST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
#: a recurrence that does not occur for so long never does
_SEARCHED = timedelta(days=366 * 5)
#: a rule that does not occur (again) is looked through to the end of the calendar, the year 9999, so it is counted
#: near to it: the days repeat, with their weeks, after 400 years
_FAR = timedelta(days=146_097) * 19
#: begins a day that a rule may have
MOST_A_DAY = 24
#: what says on which days a rule occurs; without any it is the day of its start
_DAYS_OF_RULE = frozenset({"BYDAY", "BYMONTHDAY", "BYYEARDAY", "BYWEEKNO"})
_FREQUENCIES = ("DAILY", "WEEKLY", "MONTHLY", "YEARLY")
_CRON = re.compile(r"[0-9A-Za-z*,/#L-]+( [0-9A-Za-z*,/#L-]+){4}", re.ASCII)
#: croniter has letters of its own, for moments that it makes up
_NAMES = {
    *[
        "jan",
        "feb",
        "mar",
        "apr",
        "may",
        "jun",
        "jul",
        "aug",
        "sep",
        "oct",
        "nov",
        "dec",
        "sun",
        "mon",
        "tue",
        "wed",
        "thu",
        "fri",
        "sat",
        "l",
    ]
}
_DURATION = re.compile(r"(?:(\d{1,3})d)?(?:(\d{1,4})h)?(?:(\d{1,6})m)?", re.ASCII)


class Occurrence(NamedTuple):
    """One time at which a window is open, in UTC: from ``begin`` to just before ``end``."""

    begin: datetime
    end: datetime

    def covers(self, moment: datetime) -> bool:
        """Whether it is open at a moment."""
        return self.begin <= moment < self.end


@dataclass(frozen=True, slots=True)
class Once:
    """A window that opens once."""

    begin: datetime
    end: datetime

    def occurrences(self, since: datetime) -> Iterator[Occurrence]:
        """Yield the occurrences that end after a moment, in their order."""
        if self.end > since:
            yield Occurrence(self.begin, self.end)


@dataclass(frozen=True, slots=True)
class Recurrence:
    """A window that opens again and again.

    :param rule: of iCalendar, without UNTIL; None: there is a cron expression
    :param starts: what the clock shows at the first begin; a rule counts from there
    :param last: nothing begins after this moment
    :param duration: how long each lasts; None: until the clock shows ``until``
    :param except_days: what would begin on these days of the zone is left out
    :param except_times: what would begin at these moments is left out
    """

    zone: ZoneInfo
    starts: datetime
    rule: str | None = None
    cron: str | None = None
    duration: timedelta | None = None
    until: time | None = None
    last: datetime | None = None
    except_days: frozenset[date] = frozenset()
    except_times: frozenset[datetime] = frozenset()

    def occurrences(self, since: datetime) -> Iterator[Occurrence]:
        """Yield the occurrences that end after a moment, in their order of begin."""
        longest = self.duration or timedelta(days=1)
        # a day more than it takes: clocks of the zone may jump
        earliest = max(since - longest, EARLIEST).astimezone(self.zone).replace(tzinfo=None) - timedelta(days=1)
        before: datetime | None = None
        for shown, begin in self._begins(max(earliest, self.starts)):
            if self.last is not None and begin > self.last:
                return
            if begin == before or shown.date() in self.except_days or begin in self.except_times:
                continue
            before = begin
            end = self._end(shown, begin)
            if end > since and end > begin:
                yield Occurrence(begin, end)

    def _begins(self, earliest: datetime) -> Iterator[tuple[datetime, datetime]]:
        """Yield what the clock shows at each begin, and when that is."""
        latest = min(earliest + _SEARCHED, LATEST.replace(tzinfo=None))
        for shown in self._ticks(earliest, latest):
            yield shown, to_utc(shown, self.zone)
            if self._counts_each_hour and is_shown_twice(shown, self.zone):
                yield shown, to_utc(shown, self.zone, fold=1)

    @property
    def _counts_each_hour(self) -> bool:
        return self.cron is not None and self.cron.split()[1].startswith("*")

    def _ticks(self, earliest: datetime, latest: datetime) -> Iterator[datetime]:
        if self.cron is not None:
            return _cron_ticks(self.cron, earliest, latest)
        begin = counted_from(self.rule or "", self.starts, earliest)
        rule = rrulestr(self.rule or "", dtstart=begin + _FAR).replace(until=latest + _FAR)
        return (tick - _FAR for tick in rule if tick >= earliest + _FAR)

    def _end(self, shown: datetime, begin: datetime) -> datetime:
        if self.until is None:
            return begin + (self.duration or timedelta())
        end = datetime.combine(shown.date(), self.until)
        return to_utc(end if end > shown else end + timedelta(days=1), self.zone)


Times = Once | Recurrence


def to_utc(shown: datetime, zone: ZoneInfo, *, fold: int = 0) -> datetime:
    """Return the moment at which a clock shows a time: the first one unless ``fold`` is 1.

    Of a time that is left out it is the moment at which the clock would show it, had it not been changed yet.
    """
    return shown.replace(tzinfo=zone, fold=fold).astimezone(UTC)


def is_shown_twice(shown: datetime, zone: ZoneInfo) -> bool:
    """Whether a clock shows a time again after it was put back."""
    # a time that is left out has two answers as well, but the second is the earlier one
    return to_utc(shown, zone) < to_utc(shown, zone, fold=1)


def counted_from(rule: str, starts: datetime, earliest: datetime) -> datetime:
    """Return from where a rule may count as well as from its start, to come to a moment soon.

    Rules are asked again and again, also while others wait: years that have passed are not to be counted each time. It
    is a whole number of its intervals later, and an interval before the moment: the first may be cut short.
    """
    parts = dict(part.partition("=")[::2] for part in rule.split(";"))
    every = int(parts.get("INTERVAL", "1"))
    if "COUNT" in parts:
        return starts
    if parts["FREQ"] in ("DAILY", "WEEKLY"):
        interval = timedelta(days=every * (7 if parts["FREQ"] == "WEEKLY" else 1))
        return starts + max((earliest - starts) // interval - 1, 0) * interval
    if _DAYS_OF_RULE.isdisjoint(parts):
        return starts  # its days are those of the start, and few
    if parts["FREQ"] == "YEARLY":
        years = ((earliest.year - starts.year) // every - 1) * every
        return starts.replace(year=starts.year + years, month=1, day=1) if years > 0 else starts
    months = (((earliest.year - starts.year) * 12 + earliest.month - starts.month) // every - 1) * every
    year, month = divmod(starts.year * 12 + starts.month - 1 + months, 12)
    return starts.replace(year=year, month=month + 1, day=1) if months > 0 else starts


def _cron_ticks(expression: str, earliest: datetime, latest: datetime) -> Iterator[datetime]:
    # it yields what comes after its start
    ticks = croniter(expression, earliest - timedelta(seconds=1), max_years_between_matches=6)
    while True:
        try:
            tick: datetime = ticks.get_next(datetime)
        except CroniterBadDateError:
            return
        if tick > latest:
            return
        yield tick


def merged(occurrences: Iterable[Occurrence]) -> Iterator[Occurrence]:
    """Yield occurrences, in their order of begin, those that meet as one."""
    current: Occurrence | None = None
    for one in occurrences:
        if current is None:
            current = one
        elif one.begin <= current.end:
            current = Occurrence(current.begin, max(current.end, one.end))
        else:
            yield current
            current = one
    if current is not None:
        yield current


def at(times: Times, moment: datetime) -> Occurrence | None:
    """Return the occurrence that is open at a moment; of several the one that ends last."""
    found: Occurrence | None = None
    for one in islice(times.occurrences(moment), MOST_OCCURRENCES):
        if one.begin > moment:
            break
        if found is None or one.end > found.end:
            found = one
    return found


def check_rule(text: str) -> tuple[str, str | None]:
    """Read a rule of iCalendar; return it without UNTIL, and UNTIL as it was written.

    :raises ValueError: for what is none, or recurs more often than daily: what follows the name of the field
    """
    rule = text.strip().upper().removeprefix("RRULE:")
    parts = dict(part.partition("=")[::2] for part in rule.split(";"))
    if len(parts) != len(rule.split(";")) or not all(re.fullmatch(r"[A-Z]+=[A-Z0-9,+-]+", p) for p in rule.split(";")):
        raise ValueError(f"is {text[:60]!r}; allowed is a rule of iCalendar, as FREQ=WEEKLY;BYDAY=SA,SU")
    if "BYEASTER" in parts:  # of the library alone, and Easter does not repeat with the calendar
        raise ValueError(f"is {text[:60]!r}; BYEASTER is not of iCalendar")
    if parts.get("FREQ") not in _FREQUENCIES:
        raise ValueError(f"is {text[:60]!r}; FREQ has to be one of {', '.join(_FREQUENCIES)}; cron has the others")
    # an interval of 0 has no end, and each day at each second is no window
    interval = parts.get("INTERVAL", "1")
    if not (interval.isdigit() and 1 <= int(interval[:5]) <= 1000 and len(interval) <= 4):
        raise ValueError(f"has the INTERVAL {interval[:20]}; allowed are 1 to 1000")
    if prod(len(parts.get(name, "").split(",")) for name in ("BYHOUR", "BYMINUTE", "BYSECOND")) > MOST_A_DAY:
        raise ValueError(f"begins more than {MOST_A_DAY} times a day; cron has the others")
    # it is counted from the start each time somebody asks
    count = parts.get("COUNT", "1")
    if not (count.isdigit() and len(count) <= 4 and 1 <= int(count) <= MOST_OCCURRENCES):
        raise ValueError(f"has the COUNT {count[:20]}; allowed are 1 to {MOST_OCCURRENCES}, or UNTIL in its place")
    until = parts.pop("UNTIL", None)
    rest = ";".join(f"{name}={value}" for name, value in parts.items())
    try:
        # what a rule may hold is read when it is made
        rrulestr(rest, dtstart=datetime(2026, 1, 1))
    except (ValueError, TypeError, KeyError, AttributeError, IndexError, OverflowError) as error:
        raise ValueError(f"is {text[:60]!r}, which is no rule of iCalendar: {error}") from None
    return rest, until


def check_cron(text: str) -> str:
    """Read a cron expression of five fields.

    :raises ValueError: for anything else: what follows the name of the field
    """
    expression = " ".join(text.split())
    words = set(re.findall("[a-z]+", expression.lower()))
    if not _CRON.fullmatch(expression) or len(expression) > 200 or words - _NAMES or not croniter.is_valid(expression):
        raise ValueError(f"is {text[:60]!r}; allowed is a cron expression of five fields, as 0 22 * * 5")
    return expression


def parse_duration(text: str) -> timedelta:
    """Read ``90m``, ``8h``, ``1d12h``.

    :raises ValueError: for anything else, nothing and more than a year: what follows the name of the field
    """
    found = _DURATION.fullmatch(text.strip().lower())
    days, hours, minutes = (int(part or 0) for part in found.groups()) if found else (0, 0, 0)
    length = timedelta(days=days, hours=hours, minutes=minutes)
    if not timedelta() < length <= LONGEST:
        raise ValueError(f"is {text[:40]!r}; allowed are 1m to 366d, as 90m, 8h or 1d12h")
    return length


def problem_of(times: Times, now: datetime) -> str | None:
    """Return why a window cannot be as it is, None if all is well."""
    if isinstance(times, Once):
        return None
    first = list(islice(times.occurrences(min(times_since(times), now)), 200))
    if not first:
        return "it never occurs: no day and time that lies within five years of its first begin fits"
    for one, other in pairwise(first):
        if other.begin - one.begin < SHORTEST_STEP:
            return f"it begins again after {other.begin - one.begin}; allowed are 15 minutes and more"
        if other.begin < one.end:
            return f"its occurrences overlap: that of {one.begin:%Y-%m-%d %H:%M} UTC lasts until the next has begun"
    return None


def times_since(times: Recurrence) -> datetime:
    """Return when a recurrence begins to count."""
    return to_utc(times.starts, times.zone)
