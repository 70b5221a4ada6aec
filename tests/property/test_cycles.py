"""The cycles that we find are the runs that Airflow's scheduler makes, when clocks change too."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from airflow.sdk import CronDataIntervalTimetable, CronTriggerTimetable, MultipleCronTriggerTimetable
from dateutil.relativedelta import relativedelta
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from taskops_provider.adapter.cycles import cycles_between
from tests.support.timetables import ZONES, chain, schedules, serialized_dag

#: the nights of 2024 in which clocks change in America, Europe and on Lord Howe
NIGHTS = [(3, 10), (3, 31), (4, 7), (10, 6), (10, 27), (11, 3)]
HOUR = timedelta(hours=1)

near_a_change = st.builds(
    lambda night, hours: datetime(2024, *night, tzinfo=UTC) + hours * HOUR,
    st.sampled_from(NIGHTS),
    st.integers(-200, 200),
)
fields = st.tuples(
    st.sampled_from(["0", "30", "*/20", "*/7", "5,50", "*"]),
    st.sampled_from(["*", "2", "1-3", "*/2", "0,2,23", "0"]),
    st.sampled_from(["*", "*", "*", "1", "L", "10"]),
    st.sampled_from(["*", "*", "3,10"]),
    st.sampled_from(["*", "*", "*", "0", "1-5"]),
)


def same(dag, first: datetime, last: datetime) -> None:
    found = list(cycles_between(dag, first, last, lambda *_: []))
    everything = list(chain(dag, last + timedelta(days=33)))
    made = [cycle for cycle in everything if first <= cycle.logical_date <= last]
    if everything and everything[-1].logical_date < last:
        found = found[: len(made)]  # Airflow gave up
    assert found == made


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    fields,
    st.sampled_from([*ZONES, "UTC", "Africa/Casablanca", "America/Sao_Paulo"]),
    st.sampled_from(["interval", "trigger", "day", "month", "several"]),
    near_a_change,
    st.integers(0, 30 * 24),
    st.integers(0, 5 * 24),
)
def test_cron(parts, zone, kind, first, start_before, hours):
    expression = " ".join(parts)
    intervals = {"trigger": timedelta(), "day": timedelta(days=1), "month": relativedelta(months=1)}
    if kind == "interval":
        schedule = CronDataIntervalTimetable(expression, timezone=zone)
    elif kind == "several":
        schedule = MultipleCronTriggerTimetable(expression, "17 3 * * *", timezone=zone)
    else:
        schedule = CronTriggerTimetable(expression, timezone=zone, interval=intervals[kind])
    start = (first - start_before * HOUR).astimezone(ZoneInfo(zone))
    dag = serialized_dag(schedule, start)
    # a minutely schedule over months is more than a test needs
    if sum(1 for _ in chain(dag, first + timedelta(days=33), most=2000)) < 2000:
        same(dag, first, first + hours * HOUR)


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("name", schedules("UTC"))
def test_every_timetable_through_both_changes_of_a_year(name, zone):
    for begin, end in (((2, 20), (4, 12)), ((9, 20), (11, 10))):
        start = datetime(2024, *begin, 3, 25, 26, tzinfo=ZoneInfo(zone))
        dag = serialized_dag(schedules(zone)[name], start)
        last = datetime(2024, *end, 3, 7, tzinfo=UTC)
        everything = list(chain(dag, last, most=10_000))
        assert everything
        for days in (0, 9, 18, 27, 45):
            first = start.astimezone(UTC) + timedelta(days=days, hours=5)
            made = [cycle for cycle in everything if first <= cycle.logical_date]
            found = [cycle for cycle in cycles_between(dag, first, last, lambda *_: []) if cycle.run_after <= last]
            if "hourly" in name and zone == "Australia/Lord_Howe":
                found = found[: len(made)]  # Airflow gives up on the way
            assert found == made
