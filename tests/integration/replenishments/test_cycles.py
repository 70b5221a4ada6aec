"""The cycles of a plan are the runs that Airflow's scheduler makes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
import time_machine
from airflow.models.dag import DagModel
from airflow.models.dagrun import DagRun
from airflow.utils.state import DagRunState
from airflow.utils.types import DagRunTriggeredByType, DagRunType
from sqlalchemy import delete, select, update

from taskops_provider.domain.replenishment import Range
from taskops_provider.exceptions import BadInput
from taskops_provider.services.index import refresh as index_refresh
from taskops_provider.services.replenishments.plan import plan_replenishment
from tests.support.airflow_db import serialized, write_dags
from tests.support.replenishing import asked
from tests.support.timetables import (
    ZONES,
    CountingTimetable,
    LateTimetable,
    dag_of,
    dates,
    go_on,
    let_scheduler_make,
    register_custom,
    schedules,
)
from tests.support.warehouse import ALICE

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
#: clocks change in America, in Europe and on Lord Howe between these
START, NOW = datetime(2024, 3, 9, 3, 25, 26), datetime(2024, 4, 8, 1, 2, tzinfo=UTC)


@pytest.fixture(autouse=True)
def custom(monkeypatch):
    register_custom(monkeypatch)


def planned(session, first: datetime, last: datetime, now: datetime = NOW) -> dict[datetime, bool]:
    """The logical dates of a plan; whether a run is there."""
    with time_machine.travel(now, tick=False):
        index_refresh.refresh(session, now)
        request = asked("d", ranges=[Range(first, last)], cells="all")
        (grid,) = plan_replenishment(session, ALICE, request, now).grids
    return {cycle.logical_date: run is not None for cycle, run in zip(grid.cycles, grid.runs, strict=True)}


ALL = {**schedules("UTC"), "custom late": LateTimetable(), "custom counting": CountingTimetable()}


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("name", ALL)
def test_all_of_them_are_the_schedulers_with_catchup(session, name, zone):
    schedule = {**schedules(zone), **{key: ALL[key] for key in ALL if "custom" in key}}[name]
    start = START.replace(tzinfo=ZoneInfo(zone))
    if "monthly" in name:
        start -= 60 * DAY
    if "hourly" in name:
        start += 19 * DAY
    made = let_scheduler_make(session, dag_of(schedule, start), NOW)
    assert made
    assert planned(session, made[0] - 30 * DAY, NOW) == dict.fromkeys(made, True)
    # and those that are lost are where they were
    lost = made[1::3]
    session.execute(delete(DagRun).where(DagRun.logical_date.in_(lost)))
    session.commit()
    assert planned(session, made[0], NOW) == {date: date not in lost for date in made}


COUNTING = {name: ALL[name] for name in ALL if "delta" in name or "relative" in name or "counting" in name}


@pytest.mark.parametrize("name", COUNTING)
def test_without_catchup_they_count_from_the_first_run(session, name):
    """The scheduler looks each hour, and makes the first run where it happens to begin."""
    dag = dag_of(COUNTING[name], datetime(2023, 6, 30, 3, 25, 26, tzinfo=UTC), catchup=False)
    at = datetime(2024, 1, 31, 17, 43, 11, tzinfo=UTC)
    end = at + (200 * DAY if "month" in name else 8 * DAY)
    step = DAY if "month" in name else HOUR
    with time_machine.travel(at, tick=False):
        write_dags([dag], session)
    while at < end:
        with time_machine.travel(at, tick=False):
            go_on(session, "d", at)
        session.expire_all()
        model = session.scalars(select(DagModel).where(DagModel.dag_id == "d")).one()
        # the scheduler comes when a run is due, as it does
        due = model.next_dagrun_create_after
        at = due if due is not None and at < due < at + step else at + step
    made = dates(session, "d")
    assert len(made) > 3
    assert planned(session, made[0], end, end) == dict.fromkeys(made, True)
    lost = made[1:-1]
    session.execute(delete(DagRun).where(DagRun.logical_date.in_(lost)))
    session.commit()
    assert planned(session, made[0], end, end) == {date: date not in lost for date in made}
    if "month" in name:
        return  # of the end of a month the day is not known any more
    session.execute(delete(DagRun).where(DagRun.logical_date.in_([made[0]])))
    session.commit()
    assert set(planned(session, made[0], end, end)) == set(made), "counted back from the run that is left"


def test_a_run_that_was_made_late_is_not_missing_at_its_time(session):
    """Without catchup a delta trigger that was late goes on from then (case 5)."""
    dag = dag_of(schedules("UTC")["delta trigger"], datetime(2024, 3, 1, tzinfo=UTC), catchup=False)
    let_scheduler_make(session, dag, NOW)
    late = NOW + timedelta(hours=9, minutes=20)
    with time_machine.travel(late, tick=False):
        write_dags([dag], session)
        go_on(session, "d", late)
    made = dates(session, "d")
    assert made == [NOW, late]
    assert list(planned(session, NOW, late + HOUR, late + HOUR)) == made


@pytest.mark.parametrize(("name", "schedule"), [("once", "@once"), ("continuous", "@continuous"), ("none", None)])
def test_what_has_no_dates_of_its_own_has_the_runs_that_are_there(session, name, schedule):
    dag = dag_of(schedule, datetime(2024, 3, 1, tzinfo=UTC), at_once=1)
    with time_machine.travel(NOW, tick=False):
        write_dags([dag], session)
        model = session.scalars(select(DagModel)).one()
        if model.next_dagrun_create_after is not None:
            from tests.support.scheduling import Scheduler

            Scheduler(session)._create_scheduled("d")
            session.commit()
    made = dates(session, "d")
    if schedule is None:
        with pytest.raises(BadInput, match="not periodic"):
            planned(session, NOW - 90 * DAY, NOW)
        return
    assert len(made) == 1
    assert planned(session, NOW - 90 * DAY, NOW, NOW + HOUR) == {made[0]: True}


def test_a_delta_has_its_own_grid_and_not_that_of_the_range(session):
    """Case 5."""
    dag = dag_of(DAY, datetime(2026, 1, 1, 3, 25, 26, tzinfo=UTC))
    now = datetime(2026, 1, 9, 12, tzinfo=UTC)
    let_scheduler_make(session, dag, now)
    session.execute(update(DagRun).values(_state=DagRunState.SUCCESS))
    session.commit()
    day = datetime(2026, 1, 5, tzinfo=UTC)
    found = planned(session, day, day + 3 * DAY - timedelta(microseconds=1), now)
    assert list(found) == [datetime(2026, 1, n, 3, 25, 26, tzinfo=UTC) for n in (5, 6, 7)]
    assert all(found.values())


def test_a_backfill_at_dates_of_its_own_moves_nothing(session):
    dag = dag_of(DAY, datetime(2026, 1, 1, 3, 25, 26, tzinfo=UTC))
    now = datetime(2026, 1, 9, 12, tzinfo=UTC)
    let_scheduler_make(session, dag, now)
    at = datetime(2026, 1, 4, tzinfo=UTC)
    serialized("d", session).create_dagrun(
        run_id="backfill__x",
        logical_date=at,
        data_interval=(at, at + DAY),
        run_after=at + DAY,
        run_type=DagRunType.BACKFILL_JOB,
        triggered_by=DagRunTriggeredByType.BACKFILL,
        state=DagRunState.SUCCESS,
        session=session,
    )
    session.commit()
    found = planned(session, datetime(2026, 1, 3, tzinfo=UTC), datetime(2026, 1, 6, tzinfo=UTC), now)
    assert list(found) == [
        datetime(2026, 1, 3, 3, 25, 26, tzinfo=UTC),
        at,
        *(datetime(2026, 1, n, 3, 25, 26, tzinfo=UTC) for n in (4, 5)),
    ]


def test_a_timetable_that_fails_leaves_the_dag_out_and_says_why(session, monkeypatch):
    let_scheduler_make(session, dag_of(CountingTimetable(), datetime(2024, 4, 1, tzinfo=UTC)), NOW)
    monkeypatch.setattr(CountingTimetable, "next_dagrun_info", lambda self, **_: 1 / 0)
    with pytest.raises(BadInput, match="the schedule of d cannot be counted: division by zero"):
        planned(session, NOW - 9 * DAY, NOW)
