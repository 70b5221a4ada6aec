"""Dags of every kind of timetable, and the cycles that Airflow's scheduler makes of them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pendulum
import time_machine
from airflow.models.dag import DagModel
from airflow.models.dagrun import DagRun
from airflow.sdk import (
    DAG,
    Asset,
    AssetOrTimeSchedule,
    CronDataIntervalTimetable,
    CronTriggerTimetable,
    DeltaDataIntervalTimetable,
    DeltaTriggerTimetable,
    MultipleCronTriggerTimetable,
)
from airflow.serialization.serialized_objects import DagSerialization
from airflow.timetables.base import DagRunInfo, DataInterval, Timetable
from airflow.timetables.events import EventsTimetable
from dateutil.relativedelta import relativedelta
from sqlalchemy import select

from taskops_provider.adapter.cycle import Cycle, plain
from tests.support.airflow_db import write_dags
from tests.support.scheduling import Scheduler
from tests.support.warehouse import bash

ZONES = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe")


class LateTimetable(Timetable):
    """A custom one: each day as its clocks count them, run six hours after the day has ended."""

    def next_dagrun_info(self, *, last_automated_data_interval: Any, restriction: Any) -> DagRunInfo | None:
        if last_automated_data_interval is not None:
            start = last_automated_data_interval.end
        elif restriction.earliest is None:
            return None
        else:
            start = restriction.earliest.start_of("day")
            if start < restriction.earliest:
                start = start.add(days=1)
        if restriction.latest is not None and start > restriction.latest:
            return None
        end = start.add(days=1)
        return DagRunInfo(run_after=end.add(hours=6), data_interval=DataInterval(start, end))


class CountingTimetable(Timetable):
    """A custom one that counts seven hours from the run before, and whose first run is at the Dag's start."""

    def infer_manual_data_interval(self, *, run_after: Any) -> DataInterval:
        return DataInterval.exact(run_after)

    def next_dagrun_info(self, *, last_automated_data_interval: Any, restriction: Any) -> DagRunInfo | None:
        last = last_automated_data_interval
        if last is None and restriction.earliest is None:
            return None
        at = restriction.earliest if last is None else last.end.add(hours=7)
        if restriction.latest is not None and at > restriction.latest:
            return None
        return DagRunInfo.exact(at)


CUSTOM = (LateTimetable, CountingTimetable)


def register_custom(monkeypatch: Any) -> None:
    """Register the custom timetables, as a plugin does."""
    from airflow import plugins_manager
    from airflow._shared.module_loading import qualname

    monkeypatch.setattr(plugins_manager, "get_timetables_plugins", lambda: {qualname(one): one for one in CUSTOM})


def schedules(zone: str) -> dict[str, Any]:
    """Schedules of every class of timetable that has past dates, in a zone."""
    at = pendulum.timezone(zone)
    day = timedelta(days=1)
    return {
        "cron interval hourly": CronDataIntervalTimetable("0 * * * *", timezone=at),
        "cron interval at two": CronDataIntervalTimetable("30 2 * * *", timezone=at),
        "cron interval odd": CronDataIntervalTimetable("*/47 1-3 * * *", timezone=at),
        "cron interval weekly": CronDataIntervalTimetable("30 2 * * 0", timezone=at),
        "cron interval monthly": CronDataIntervalTimetable("0 0 1 * *", timezone=at),
        "cron trigger hourly": CronTriggerTimetable("15 * * * *", timezone=at),
        "cron trigger daily": CronTriggerTimetable("30 2 * * *", timezone=at, interval=day),
        "cron trigger months": CronTriggerTimetable("0 6 2 * *", timezone=at, interval=relativedelta(months=1)),
        "multiple": MultipleCronTriggerTimetable("0 3 * * *", "30 */2 * * *", "0 3 * * 1", timezone=at, interval=day),
        "delta": timedelta(hours=5),
        "delta of a day": DeltaDataIntervalTimetable(day),
        "delta of a month": relativedelta(months=1),
        "relative day": relativedelta(days=1),
        "delta trigger": DeltaTriggerTimetable(timedelta(hours=7)),
        "delta trigger with interval": DeltaTriggerTimetable(day, interval=timedelta(hours=30)),
        "events": EventsTimetable([pendulum.datetime(2024, month, 28, 5, 17, tz=at) for month in range(1, 13)]),
        "asset or time": AssetOrTimeSchedule(
            timetable=CronTriggerTimetable("30 2 * * *", timezone=at), assets=[Asset("s3://b/timetables")]
        ),
    }


def dag_of(schedule: Any, start: datetime, *, catchup: bool = True, at_once: int = 10_000) -> DAG:
    """A Dag with such a schedule."""
    with DAG("d", schedule=schedule, start_date=start, catchup=catchup, max_active_runs=at_once) as dag:
        bash("a")
    return dag


def serialized_dag(schedule: Any, start: datetime, **more: Any) -> Any:
    """A Dag as the scheduler has it."""
    return DagSerialization.from_dict(DagSerialization.to_dict(dag_of(schedule, start, **more)))


def chain(dag: Any, until: datetime, most: int = 5000) -> Iterator[Cycle]:
    """The runs that the scheduler makes one after the other, up to a moment, as it asks the timetable for each."""
    info = None
    for _ in range(most):
        # as Dag.next_dagrun_info does, which writes each into the log
        try:
            info = dag.timetable.next_dagrun_info_v2(last_dagrun_info=info, restriction=dag._time_restriction)
        except ValueError:
            return  # where clocks go by half an hour an hourly schedule may come to no end: the scheduler stops
        if info is None or info.run_after > until:
            return
        yield Cycle(*(plain(one) for one in (info.logical_date, *info.data_interval, info.run_after)))


def let_scheduler_make(session: Any, dag: DAG, now: datetime) -> list[datetime]:
    """Have Airflow's scheduler create runs until none is due; return their logical dates."""
    with time_machine.travel(now, tick=False):
        write_dags([dag], session)
        go_on(session, dag.dag_id, now)
    return dates(session, dag.dag_id)


def go_on(session: Any, dag_id: str, now: datetime) -> None:
    """Have the scheduler create what is due, at a time that stands still."""
    scheduler = Scheduler(session)
    while True:
        session.expire_all()
        model = session.scalars(select(DagModel).where(DagModel.dag_id == dag_id)).one()
        if model.next_dagrun_create_after is None or model.next_dagrun_create_after > now:
            return
        scheduler._create_scheduled(dag_id)
        session.commit()


def dates(session: Any, dag_id: str) -> list[datetime]:
    """The logical dates of all runs of a Dag."""
    query = select(DagRun.logical_date).where(DagRun.dag_id == dag_id).order_by(DagRun.logical_date)
    return [moment.astimezone(UTC) for moment in session.scalars(query)]
