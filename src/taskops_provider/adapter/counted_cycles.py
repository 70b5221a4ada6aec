"""The cycles of timetables that count from the runs that there are: those of a delta, and custom ones.

With ``catchup=False`` Airflow begins to count where its first run happens to be, and again after a pause: only its runs
tell. So each run that it made by itself counts for what follows it, up to the next such run. Where there is none, the
Dag's start does.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from airflow._shared.timezones.timezone import coerce_datetime
from airflow.timetables.base import DagRunInfo, DataInterval, TimeRestriction
from airflow.timetables.interval import DeltaDataIntervalTimetable
from airflow.timetables.trigger import DeltaTriggerTimetable

from taskops_provider.adapter.cycle import Cycle, plain

#: steps from the last run, or the start of a Dag, to the dates that were asked for
_MOST_STEPS = 200_000
#: a month is not always as long
_SLACK = timedelta(days=5)


class EndlessTimetable(ValueError):
    """A timetable that comes to no date that was asked for."""


def is_delta(timetable: Any) -> bool:
    """Whether a timetable is one of Airflow's delta timetables: a subclass may do anything."""
    return type(timetable) in (DeltaDataIntervalTimetable, DeltaTriggerTimetable)


def delta_cycles(
    timetable: Any, restriction: TimeRestriction, automatic: Sequence[Cycle], first: datetime, last: datetime
) -> Iterator[Cycle]:
    """Yield the cycles of a delta timetable with a logical date from ``first`` to ``last``, oldest first.

    :param automatic: runs that Airflow made by itself, oldest first: the last one before ``first``, those inside, and
        the next one after ``last``
    """
    ladder = _Ladder.of(timetable, restriction)
    low, high = ladder.position_of_date(first) - _SLACK, ladder.position_of_date(last) + _SLACK
    for position in _positions(ladder, automatic, low, high):
        if restriction.latest is not None and position > restriction.latest:
            return
        cycle = ladder.cycle(position)
        if first <= cycle.logical_date <= last:
            yield cycle


def _positions(ladder: _Ladder, automatic: Sequence[Cycle], low: datetime, high: datetime) -> Iterator[datetime]:
    begins = [ladder.position(run) for run in automatic]
    if not begins or begins[0] > low:
        yield from ladder.before(begins[0] if begins else None, low, high)
    for run, begin, until in zip(automatic, begins, [*begins[1:], None], strict=False):
        yield begin
        position = ladder.following(run)
        if until is None:
            position = ladder.jump(position, low)
        # one that would reach beyond the next run was made late, as that run
        while position <= high and (until is None or ladder.step(position) <= until):
            yield position
            position = ladder.step(position)


class _Ladder(NamedTuple):
    """Positions at which cycles are: where their interval begins, or at which moment they are triggered.

    :param interval: how long before its position the interval of a triggered run begins; None: it begins there
    """

    timetable: Any
    earliest: Any
    delta: Any
    interval: Any

    @classmethod
    def of(cls, timetable: Any, restriction: TimeRestriction) -> _Ladder:
        """Read a timetable."""
        interval = timetable._interval if type(timetable) is DeltaTriggerTimetable else None
        return cls(timetable, restriction.earliest, timetable._delta, interval)

    def position(self, run: Cycle) -> datetime:
        """Return where a run is."""
        return run.start if self.interval is None else run.end

    def position_of_date(self, date: datetime) -> datetime:
        """Return where the cycle of a logical date would be."""
        return date if self.interval is None else plain(date + self.interval)

    def step(self, position: datetime) -> datetime:
        """Return the position after one."""
        following: datetime = position + self.delta
        return following

    def following(self, run: Cycle) -> datetime:
        """Return the position after a run's."""
        if self.interval is not None:
            return self.step(run.end)
        return run.end if self.earliest is None else max(run.end, plain(self.earliest))

    def jump(self, position: datetime, low: datetime) -> datetime:
        """Leave out what lies before ``low``, where that can be counted."""
        if isinstance(self.delta, timedelta) and position < low:
            return position + ((low - position) // self.delta) * self.delta
        return position

    def cycle(self, position: datetime) -> Cycle:
        """Return the cycle at a position."""
        if self.interval is None:
            end = self.step(position)
            return Cycle(position, position, end, end)
        start = plain(position - self.interval)
        return Cycle(start, start, position, position)

    def before(self, until: datetime | None, low: datetime, high: datetime) -> Iterator[datetime]:
        """Yield the positions before the first run, from the Dag's start on; it has to be one of them itself."""
        if self.earliest is None:
            if until is not None:
                yield from reversed([*self._back(until, low)])
            return
        start = plain(self.earliest)
        position = start
        if isinstance(self.delta, timedelta):
            if until is not None:
                position = max(start, start + (until - start) % self.delta)
            position = self.jump(position, low)
        elif until is not None and not self._reaches(until):
            yield from reversed([one for one in self._back(until, low) if one >= start])
            return
        while position <= high and (until is None or position < until):
            yield position
            # Airflow takes the first step by the clocks of the start's zone
            position = plain(self.timetable._get_next(self.earliest)) if position == start else self.step(position)

    def _reaches(self, until: datetime) -> bool:
        position = plain(self.earliest)
        if position == until:
            return True
        position = plain(self.timetable._get_next(self.earliest))
        for _ in range(_MOST_STEPS):
            if position >= until:
                break
            position = self.step(position)
        return position == until

    def _back(self, until: datetime, low: datetime) -> Iterator[datetime]:
        position = until - self.delta
        while position >= low:
            yield position
            position -= self.delta


def chained_cycles(
    timetable: Any, restriction: TimeRestriction, automatic: Sequence[Cycle], first: datetime, last: datetime
) -> Iterator[Cycle]:
    """Yield the cycles of any timetable with a logical date from ``first`` to ``last``: Airflow is asked for each.

    :param automatic: as of :func:`delta_cycles`
    :raises EndlessTimetable: where the timetable comes to no end, or goes back
    """
    runs = deque(automatic)
    info: DagRunInfo | None = None
    if runs and runs[0].logical_date < first:
        info = _info(runs.popleft())
    for _ in range(_MOST_STEPS):
        following = timetable.next_dagrun_info_v2(last_dagrun_info=info, restriction=restriction)
        cycle = _cycle(following)
        before = _cycle(info)
        if cycle is not None and before is not None and cycle.logical_date <= before.logical_date:
            raise EndlessTimetable("its timetable makes the same run again and again")
        if runs and (cycle is None or cycle.logical_date >= runs[0].logical_date):
            # what was made counts for what follows, whatever the timetable would make today
            info = _info(run := runs.popleft())
            if run.logical_date <= last and cycle is not None and cycle.logical_date == run.logical_date:
                yield cycle
            continue
        if cycle is None or cycle.logical_date > last:
            return
        if cycle.logical_date >= first:
            yield cycle
        info = following
    raise EndlessTimetable(f"its timetable makes more than {_MOST_STEPS:,} runs up to these dates")


def _info(run: Cycle) -> DagRunInfo:
    interval = DataInterval(coerce_datetime(run.start), coerce_datetime(run.end))
    return DagRunInfo(run_after=coerce_datetime(run.run_after), data_interval=interval)


def _cycle(info: DagRunInfo | None) -> Cycle | None:
    if info is None or info.data_interval is None:
        return None
    interval = info.data_interval
    return Cycle(plain(interval.start), plain(interval.start), plain(interval.end), plain(info.run_after))
