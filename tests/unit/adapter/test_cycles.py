"""The cycles that we find are those that Airflow finds, when clocks change too."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import airflow.sdk
import pendulum
import pytest
from airflow.sdk import DAG
from airflow.serialization.serialized_objects import DagSerialization

from taskops_provider.adapter.cycles import cycles_between, why_no_cycles
from tests.support.warehouse import START, bash

SPRING = (datetime(2024, 3, 8, 5, tzinfo=UTC), datetime(2024, 4, 9, tzinfo=UTC))
#: the nights in which clocks change in America, Europe and on Lord Howe, with the days around them
NIGHTS = ((3, 10), (3, 31), (4, 7), (10, 6), (10, 27), (11, 3))
CHANGES = tuple(
    (datetime(2024, month, day, 3, 7, tzinfo=UTC) - timedelta(days=1), datetime(2024, month, day, 20, tzinfo=UTC))
    for month, day in NIGHTS
)


def serialized(schedule):
    with DAG("d", schedule=schedule, start_date=START, catchup=False) as dag:
        bash("a")
    return DagSerialization.from_dict(DagSerialization.to_dict(dag))


def airflows(dag, first, last):
    return [
        (info.logical_date, info.data_interval.start, info.data_interval.end, info.run_after)
        for info in dag.iter_dagrun_infos_between(first, last)
    ]


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata"])
@pytest.mark.parametrize("expression", ["0 * * * *", "*/20 * * * *", "30 2 * * *", "0 */2 * * *", "*/7 1-3 * * *"])
@pytest.mark.parametrize("kind", ["CronTriggerTimetable", "CronDataIntervalTimetable"])
def test_cron(kind, expression, zone):
    dag = serialized(getattr(airflow.sdk, kind)(expression, timezone=zone))
    for first, last in CHANGES:
        assert [tuple(cycle) for cycle in cycles_between(dag, first, last)] == airflows(dag, first, last)


@pytest.mark.parametrize(
    "schedule",
    [
        timedelta(hours=5),
        "@weekly",
        airflow.sdk.CronTriggerTimetable("0 0 * * *", timezone="UTC", interval=timedelta(days=1)),
        airflow.sdk.MultipleCronTriggerTimetable("0 3 * * *", "0 15 * * 1", timezone=pendulum.timezone("Europe/Paris")),
    ],
    ids=str,
)
def test_others(schedule):
    dag = serialized(schedule)
    assert [tuple(cycle) for cycle in cycles_between(dag, *SPRING)] == airflows(dag, *SPRING)
    assert airflows(dag, *SPRING)


@pytest.mark.parametrize(("schedule", "words"), [(None, "is not periodic"), ("@once", "is not periodic")])
def test_schedules_without_cycles(schedule, words):
    assert words in str(why_no_cycles(serialized(schedule)))
