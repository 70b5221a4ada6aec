"""The cycles of a Dag in a range of dates: the runs that its timetable would make.

Airflow asks a timetable for one run after the other, and a cron timetable then parses its expression anew each time
(90 µs). Here croniter parses it once (25 µs), and in UTC, where all days are alike, it is not asked at all (1 µs). The
answers are the same, held by a test that compares them across time zones. Data intervals in zones with summer time are
left to Airflow, which aligns them in ways of its own when clocks change.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, time, timedelta
from itertools import pairwise
from typing import Any, NamedTuple

from airflow._shared.timezones.timezone import coerce_datetime, convert_to_utc, make_aware, make_naive
from airflow.serialization.definitions.dag import SerializedDAG
from airflow.timetables.base import TimeRestriction
from airflow.timetables.interval import CronDataIntervalTimetable
from airflow.timetables.trigger import CronTriggerTimetable
from airflow.utils.types import DagRunType
from croniter import croniter

_DAY = timedelta(days=1)
#: Airflow has it without types
_naive: Callable[[datetime, Any], datetime] = make_naive


class Cycle(NamedTuple):
    """One run that a timetable makes; moments in UTC."""

    logical_date: datetime
    start: datetime
    end: datetime
    run_after: datetime


def why_no_cycles(dag: SerializedDAG) -> str | None:
    """Return why no runs can be made for past dates of a Dag, None where they can."""
    if not dag.timetable.periodic:
        return f"its schedule ({dag.timetable.summary}) is not periodic"
    if dag.timetable.partitioned:
        return "its schedule makes partitions, not dates"
    if dag.allowed_run_types is not None and DagRunType.BACKFILL_JOB not in dag.allowed_run_types:
        return "it does not allow backfill runs"
    return None


def cycles_between(dag: SerializedDAG, first: datetime, last: datetime) -> Iterator[Cycle]:
    """Yield the cycles whose logical date is from ``first`` to ``last``, both included, oldest first.

    The Dag's own start and end are not looked at: clamp before.
    """
    timetable = dag.timetable
    if type(timetable) is CronTriggerTimetable and isinstance(timetable._interval, timedelta):
        yield from _of_trigger(timetable, timetable._interval, first, last)
    elif type(timetable) is CronDataIntervalTimetable and _is_utc(timetable._timezone):
        yield from _of_intervals(timetable, first, last)
    else:
        for info in dag.iter_dagrun_infos_between(first, last):
            if info.data_interval is not None and info.logical_date is not None:
                yield Cycle(
                    _plain(info.logical_date),
                    _plain(info.data_interval.start),
                    _plain(info.data_interval.end),
                    _plain(info.run_after),
                )


def earliest_due_since(dag: SerializedDAG, moment: datetime) -> datetime:
    """Return a date from which to look for the cycles that were due since a moment: not after any of theirs."""
    interval = dag.timetable.infer_manual_data_interval(run_after=coerce_datetime(moment))
    return min(_plain(interval.start), moment)


def _of_trigger(timetable: Any, interval: timedelta, first: datetime, last: datetime) -> Iterator[Cycle]:
    for tick in _ticks(timetable, first):
        if tick > last:
            return
        yield Cycle(tick - interval, tick - interval, tick, tick)


def _of_intervals(timetable: Any, first: datetime, last: datetime) -> Iterator[Cycle]:
    for start, end in pairwise(_ticks(timetable, first)):
        if start > last:
            return
        yield Cycle(start, start, end, end)


def _ticks(timetable: Any, first: datetime) -> Iterator[datetime]:
    """Yield the moments of a cron expression from ``first`` on, as ``CronMixin._get_next`` finds them."""
    restriction = TimeRestriction(coerce_datetime(first), None, catchup=True)
    info = timetable.next_dagrun_info(last_automated_data_interval=None, restriction=restriction)
    tick = _plain(info.data_interval.end if type(timetable) is CronTriggerTimetable else info.data_interval.start)
    zone = timetable._timezone
    is_utc = _is_utc(zone)
    naive = tick.replace(tzinfo=None) if is_utc else _naive(coerce_datetime(tick), zone)
    expression = croniter(timetable._expression, start_time=naive)
    covers_every_hour = expression.expanded[1] == ["*"]
    if is_utc and (clock := _every_day(expression.expanded)):
        yield from _of_days(clock, tick)
    yield tick
    while True:
        scheduled = expression.get_next(datetime)
        if is_utc:
            tick = scheduled.replace(tzinfo=UTC)
        else:
            if covers_every_hour:  # elapsed time counts, so that no hour is left out when clocks go back
                moment = convert_to_utc(coerce_datetime(tick).in_timezone(zone) + (scheduled - naive))
            else:
                moment = convert_to_utc(make_aware(scheduled, zone))
            tick = _plain(moment)
            naive = _naive(coerce_datetime(tick), zone)
            if naive != scheduled:  # a clock was changed: go on from what it shows now
                expression = croniter(timetable._expression, start_time=naive)
        yield tick


def _every_day(expanded: list[list[Any]]) -> list[time]:
    """Return at what times of the day an expression is due, where all days are alike; else nothing."""
    if expanded[2:] != [["*"]] * 3:
        return []
    minutes, hours = (range(end) if part == ["*"] else part for part, end in zip(expanded[:2], (60, 24), strict=True))
    return sorted(time(hour, minute, tzinfo=UTC) for hour in hours for minute in minutes)


def _of_days(clock: list[time], first: datetime) -> Iterator[datetime]:
    """Yield the moments at these times of each day from ``first`` on; without the expression."""
    for at in clock:
        if at >= first.timetz():
            yield datetime.combine(first, at)
    day = first.date()
    while True:
        day += _DAY
        for at in clock:
            yield datetime.combine(day, at)


def _is_utc(zone: Any) -> bool:
    return getattr(zone, "name", None) in ("UTC", "Etc/UTC")


def _plain(moment: datetime) -> datetime:
    """A pendulum moment as the standard library's, which is much cheaper to compare and to hash."""
    utc = moment.astimezone(UTC)
    return datetime(utc.year, utc.month, utc.day, utc.hour, utc.minute, utc.second, utc.microsecond, tzinfo=UTC)
