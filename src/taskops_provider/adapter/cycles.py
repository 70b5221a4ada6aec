"""The cycles of a Dag in a range of dates: the runs that the scheduler makes of its timetable.

Airflow's own ``iter_dagrun_infos_between`` answers for a timetable that starts at the dates that are asked for: a delta
counts from there, and a trigger takes the moment of a run for its date. Here it is the Dag's timetable, counted from
its start and its runs. Held by tests that let the scheduler make the runs, through the nights in which clocks change.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import dropwhile, takewhile
from typing import Any

from airflow._shared.timezones.timezone import coerce_datetime
from airflow.serialization.definitions.dag import SerializedDAG
from airflow.timetables.assets import AssetOrTimeSchedule
from airflow.timetables.base import TimeRestriction
from airflow.timetables.events import EventsTimetable
from airflow.utils.types import DagRunType

from taskops_provider.adapter.counted_cycles import chained_cycles, delta_cycles, is_delta
from taskops_provider.adapter.cron_cycles import cron_cycles, is_cron
from taskops_provider.adapter.cycle import Cycle, plain
from taskops_provider.exceptions import UnreadableDag

__all__ = ["Cycle", "cycles_between", "earliest_due_since", "first_and_last", "why_no_cycles", "zone_of"]

#: the runs that Airflow made by itself around two dates: the last before, those inside, the next after
AutomaticRuns = Callable[[datetime, datetime], Sequence[Cycle]]


def why_no_cycles(dag: SerializedDAG) -> str | None:
    """Return why no runs can be made for past dates of a Dag, None where they can."""
    if not dag.timetable.periodic:
        return f"its schedule ({dag.timetable.summary}) is not periodic"
    if dag.timetable.partitioned:
        return "its schedule makes partitions, not dates"
    if dag.allowed_run_types is not None and DagRunType.BACKFILL_JOB not in dag.allowed_run_types:
        return "it does not allow backfill runs"
    return None


def zone_of(dag: SerializedDAG) -> Any:
    """Return the time zone in which a Dag's schedule counts its days."""
    timetable: Any = _by_time(dag)
    crons = getattr(timetable, "_timetables", None) or [timetable]
    return getattr(crons[0], "_timezone", None) or dag.timezone


def first_and_last(dag: SerializedDAG) -> tuple[datetime | None, datetime | None]:
    """Return between which logical dates a Dag has cycles; None sets no bound.

    The first run of a Dag may have a date before its start, if its interval lies before it.
    """
    restriction = _restriction(dag)
    earliest = None if restriction.earliest is None else plain(restriction.earliest)
    latest = None if restriction.latest is None else plain(restriction.latest)
    if earliest is None or why_no_cycles(dag) is not None:
        return earliest, latest
    first = next(cycles_between(dag, earliest - timedelta(days=400), earliest, lambda *_: []), None)
    return (first.logical_date if first else earliest), latest


def cycles_between(
    dag: SerializedDAG, first: datetime, last: datetime, automatic_runs: AutomaticRuns
) -> Iterator[Cycle]:
    """Yield the cycles whose logical date is from ``first`` to ``last``, both included, oldest first.

    :param automatic_runs: asked only if the timetable counts from the runs that there are
    :raises UnreadableDag: where the timetable fails
    """
    try:
        yield from _cycles(dag, first, last, automatic_runs)
    except Exception as error:  # whatever a custom timetable stumbles over
        told = " ".join(str(error).split())[:300] or type(error).__name__
        raise UnreadableDag(f"the schedule of {dag.dag_id} cannot be counted: {told}") from error


def _cycles(dag: SerializedDAG, first: datetime, last: datetime, automatic_runs: AutomaticRuns) -> Iterator[Cycle]:
    timetable: Any = _by_time(dag)
    restriction = _restriction(dag)
    if type(timetable) is EventsTimetable:
        yield from _events(timetable, restriction, first, last)
    elif is_cron(timetable):
        found = cron_cycles(timetable, restriction.earliest, restriction.latest, first)
        inside = dropwhile(lambda cycle: cycle.logical_date < first, found)
        yield from takewhile(lambda cycle: cycle.logical_date <= last, inside)
    else:
        count = delta_cycles if is_delta(timetable) else chained_cycles
        yield from count(timetable, restriction, automatic_runs(first, last), first, last)


def _by_time(dag: SerializedDAG) -> Any:
    """The timetable, without the assets that make runs beside it."""
    timetable: Any = dag.timetable
    return timetable.timetable if type(timetable) is AssetOrTimeSchedule else timetable


def _restriction(dag: SerializedDAG) -> TimeRestriction:
    """As the scheduler restricts the timetable, with all that it would make: also what a Dag skips that catches up on
    nothing is one of its cycles.
    """
    return TimeRestriction(dag._time_restriction.earliest, dag._time_restriction.latest, catchup=True)


def _events(timetable: Any, restriction: TimeRestriction, first: datetime, last: datetime) -> Iterator[Cycle]:
    earliest, latest = restriction.earliest, restriction.latest
    begin = first if earliest is None else max(first, plain(earliest))
    end = last if latest is None else min(last, plain(latest))
    for moment in sorted({plain(event) for event in timetable.event_dates}):
        if begin <= moment <= end:
            yield Cycle(moment, moment, moment, moment)


def earliest_due_since(dag: SerializedDAG, moment: datetime) -> datetime:
    """Return a date from which to look for the cycles that were due since a moment: not after any of theirs.

    Who asks leaves out those that were due before it.
    """
    try:
        interval = dag.timetable.infer_manual_data_interval(run_after=coerce_datetime(moment))
        start, end = plain(interval.start), plain(interval.end)
    except Exception:  # a custom timetable need not have it
        return moment - timedelta(days=400)
    if is_cron(timetable := _by_time(dag)) or is_delta(timetable) or type(timetable) is EventsTimetable:
        return min(start, moment)
    # a custom one may make a run long after its interval
    return min(start, moment) - max(end - start, timedelta(days=1)) * 2
