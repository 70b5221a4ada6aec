"""The cycles of cron timetables, without asking Airflow for each.

Airflow parses the expression anew for each run (90 µs). While the clocks of the zone stay as they are, a cron schedule
only counts: then croniter parses it once (25 µs), and where all days are alike it is not asked at all (1 µs). Near a
change of the clocks every step is Airflow's own, which aligns intervals in ways that are nobody else's.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, time, timedelta
from heapq import merge
from itertools import pairwise
from typing import Any, NamedTuple

from airflow._shared.timezones.timezone import coerce_datetime
from airflow.timetables.base import DataInterval, TimeRestriction
from airflow.timetables.interval import CronDataIntervalTimetable
from airflow.timetables.trigger import CronTriggerTimetable, MultipleCronTriggerTimetable
from croniter import croniter

from taskops_provider.adapter.cycle import Cycle, plain
from taskops_provider.adapter.zones import calm_after, calm_before, calm_until, offset

_DAY = timedelta(days=1)
#: a schedule that does not fire daily is followed from so long before: through the last changes of the clocks
_FROM_AFAR = timedelta(days=400)


def is_cron(timetable: Any) -> bool:
    """Whether a timetable is one of Airflow's cron timetables: a subclass may do anything."""
    return type(timetable) in (CronTriggerTimetable, CronDataIntervalTimetable, MultipleCronTriggerTimetable)


def cron_cycles(timetable: Any, earliest: datetime | None, latest: datetime | None, first: datetime) -> Iterator[Cycle]:
    """Yield the cycles that the scheduler makes one after the other, from one before ``first`` on, oldest first.

    :param earliest: as the Dag restricts the timetable
    :param latest: as the Dag restricts the timetable
    """
    shape = _CronFields.of(timetable)
    begin = shape.begin(first)
    if earliest is None or earliest < begin:
        earliest = begin
    restriction = TimeRestriction(
        coerce_datetime(earliest), None if latest is None else coerce_datetime(latest), catchup=True
    )
    last: DataInterval | None = None
    while True:
        try:
            info = timetable.next_dagrun_info(last_automated_data_interval=last, restriction=restriction)
        except ValueError:
            if last is None:
                raise
            # Airflow gives up when clocks go back by less than an interval; a Dag that catches up on nothing goes on
            restriction = restriction._replace(earliest=coerce_datetime(calm_after(shape.zone, plain(last.end))))
            last = None
            continue
        if info is None:
            return
        last = info.data_interval
        cycle = Cycle(plain(last.start), plain(last.start), plain(last.end), plain(info.run_after))
        yield cycle
        newest = cycle
        for newest in shape.counted(cycle, latest):
            yield newest
        if newest is not cycle:
            last = DataInterval(coerce_datetime(newest.start), coerce_datetime(newest.end))


class _CronFields(NamedTuple):
    """What a cron timetable is made of.

    :param crons: timetables with one expression each; whichever is due makes a run
    :param interval: how long before its run a cycle begins; None: where the tick before it is
    """

    crons: list[Any]
    interval: Any

    @classmethod
    def of(cls, timetable: Any) -> _CronFields:
        """Take a timetable apart."""
        if type(timetable) is CronDataIntervalTimetable:
            return cls([timetable], None)
        crons = timetable._timetables if type(timetable) is MultipleCronTriggerTimetable else [timetable]
        return cls(crons, crons[0]._interval)

    @property
    def zone(self) -> Any:
        """Where its clocks are."""
        return self.crons[0]._timezone

    def begin(self, first: datetime) -> datetime:
        """Return from when to follow the schedule so that Airflow's steps come to the cycle at ``first``."""
        moment = calm_before(self.zone, first if self.interval is None else first + self.interval)
        at = coerce_datetime(moment)
        if any(at - cron._get_prev(at) > _DAY for cron in self.crons):
            moment = calm_before(self.zone, moment - _FROM_AFAR)
        return moment

    def counted(self, cycle: Cycle, latest: datetime | None) -> Iterator[Cycle]:
        """Yield the cycles after one, until clocks change; none if that is soon."""
        until = calm_until(self.zone, cycle.end)
        if until is None:
            return
        ticks = self._ticks(cycle.end, until)
        if self.interval is None:
            if calm_until(self.zone, cycle.start) is None or offset(self.zone, cycle.start) != offset(
                self.zone, cycle.end
            ):
                return
            for start, end in pairwise(_after(cycle.end, ticks)):
                if latest is not None and start > latest:
                    return
                yield Cycle(start, start, end, end)
            return
        for tick in ticks:
            if latest is not None and tick > latest:
                return
            start = tick - self.interval
            yield Cycle(start, start, tick, tick)

    def _ticks(self, tick: datetime, until: datetime) -> Iterator[datetime]:
        """Yield the moments of the expressions after a tick, each once; the clocks stay as they are."""
        ahead = offset(self.zone, tick)
        found = [_ticks_of(cron._expression, tick, ahead, until) for cron in self.crons]
        if len(found) == 1:
            yield from found[0]
            return
        for moment in merge(*found):
            if moment > tick:
                tick = moment
                yield moment


def _after(first: datetime, others: Iterator[datetime]) -> Iterator[datetime]:
    yield first
    yield from others


def _ticks_of(expression: str, tick: datetime, ahead: timedelta, until: datetime) -> Iterator[datetime]:
    shown = (tick + ahead).replace(tzinfo=None)
    counting = croniter(expression, start_time=shown)
    clock = _every_day(counting.expanded)
    moments = _of_days(clock, shown) if clock else _of_croniter(counting)
    zone = tick.tzinfo
    for moment in moments:
        following = moment.replace(tzinfo=zone) - ahead
        if following > until:
            return
        yield following


def _of_croniter(counting: croniter) -> Iterator[datetime]:
    while True:
        yield counting.get_next(datetime)


def _every_day(expanded: list[list[Any]]) -> list[time]:
    """Return at what times of the day an expression is due, where all days are alike; else nothing."""
    if expanded[2:] != [["*"]] * 3:
        return []
    minutes, hours = (range(end) if part == ["*"] else part for part, end in zip(expanded[:2], (60, 24), strict=True))
    return sorted(time(hour, minute) for hour in hours for minute in minutes)


def _of_days(clock: list[time], after: datetime) -> Iterator[datetime]:
    """Yield the moments at these times of each day after one, as the clocks show them."""
    day = after.date()
    for at in clock:
        if at > after.time():
            yield datetime.combine(day, at)
    while True:
        day += _DAY
        for at in clock:
            yield datetime.combine(day, at)
