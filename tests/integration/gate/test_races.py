"""Operations and runs that are being created, clocks that disagree, and what the sweep repairs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from airflow.models.dagrun import DagRun
from airflow.models.serialized_dag import SerializedDagModel
from airflow.models.taskinstance import TaskInstance as TI
from airflow.utils.types import DagRunTriggeredByType
from sqlalchemy import select, update

from taskops_provider.models import GateInterval, Task
from taskops_provider.monitor.loop import Monitor
from taskops_provider.monitor.per_item import PerItemStep
from taskops_provider.monitor.steps import STEPS
from taskops_provider.services.gate import sweep
from taskops_provider.services.operations.undo import undo
from tests.support.airflow_db import new_session, serialized, write_dags
from tests.support.gates import gate, resume_due_tasks, settle
from tests.support.scheduling import Scheduler
from tests.support.warehouse import ALICE, chain, install, later, operate, stored

STEP = {step.name: step for step in STEPS}


def repair(session, *, at: datetime | None = None) -> int:
    """The monitor's sweep."""
    now = at or datetime.now(UTC)
    dags = sweep.dags_to_sweep(session, now)
    session.commit()
    done = sum(sweep.sweep_dag(session, dag_id, now) for dag_id in dags)
    session.commit()
    return done


def one_task(session) -> Scheduler:
    install(session, [chain("d", "g", "after", schedule=None)])
    return Scheduler(session, settle=settle)


@pytest.mark.parametrize("skew", [-30, 30])
def test_an_open_interval_counts_whatever_the_clock_says_that_opened_it(session, skew):
    scheduler = one_task(session)
    gate(session, "d", "g", "skip", since=later(seconds=skew))
    scheduler.create_run("d")
    scheduler.run_to_end("d")
    assert scheduler.executed_tasks() == []


@pytest.mark.parametrize("skew", [-30, 30])
def test_a_closed_interval_does_not_count_whatever_the_clock_says_that_closed_it(session, skew):
    scheduler = one_task(session)
    gate(session, "d", "g", "hold", since=later(seconds=-60), until=later(seconds=skew))
    scheduler.create_run("d")
    scheduler.run_to_end("d")
    assert scheduler.executed_tasks() == ["g", "after"]


def test_a_planned_end_is_the_end_for_runs_created_later_whoever_closes_the_interval_when(session):
    scheduler = one_task(session)
    operate(session, "pause", "d.g", resume_at=later(hours=1))
    scheduler.create_run("d", "before")
    session.execute(update(GateInterval).values(resume_at=later(seconds=-1)))
    session.commit()
    scheduler.create_run("d", "run_after")
    assert repair(session) == 0
    assert scheduler.raw_states("d", "before")["g", -1][1] == "taskops_skip"
    assert scheduler.raw_states("d", "run_after")["g", -1][1] == "default_pool"


@pytest.mark.parametrize(("held", "ends"), [("run", "success"), ("skip", "skipped")])
def test_a_held_instance_that_appears_after_the_start_goes_the_way_that_was_chosen(session, held, ends):
    scheduler = one_task(session)
    operate(session, "pause", "d.g", downstream="hold")
    scheduler.create_run("d")
    # the start did not see the run: it was not committed
    session.execute(update(GateInterval).values(to_at=datetime.now(UTC), held=held, seen_run_id=None))
    session.execute(update(Task).values(state="scheduling"))
    session.commit()
    assert repair(session) == 1
    assert repair(session) == 0
    scheduler.run_to_end("d")
    assert scheduler.states("d")["g"] == ends


def test_a_held_instance_whose_task_went_offline_meanwhile_follows_it(session):
    scheduler = one_task(session)
    operate(session, "pause", "d.g", downstream="hold")
    scheduler.create_run("d")
    session.execute(update(GateInterval).values(to_at=datetime.now(UTC), held="run", seen_run_id=None))
    session.commit()
    gate(session, "d", "g", "fail", state="offline")
    assert repair(session) == 1
    scheduler.run_to_end("d")
    assert scheduler.states("d")["g"] == "failed"


def test_what_is_held_by_an_open_interval_stays_held(session):
    scheduler = one_task(session)
    operate(session, "pause", "d.g", downstream="hold")
    scheduler.create_run("d")
    assert repair(session, at=later(hours=1)) == 0
    assert scheduler.raw_states("d")["g", -1] == ("up_for_retry", "taskops_hold")


def escape(session, task_id: str = "g") -> None:
    """Have an instance be as if its hook had not seen the interval."""
    values = {"pool": "default_pool", "state": None, "retry_delay_override": None, "retry_reason": None}
    session.execute(update(TI).where(TI.task_id == task_id).values(values))
    session.commit()


def test_what_escaped_an_interval_is_gated(session):
    scheduler = one_task(session)
    operate(session, "pause", "d.g", downstream="run")
    scheduler.create_run("d")
    escape(session)
    assert repair(session) == 1
    assert scheduler.raw_states("d")["g", -1] == ("up_for_retry", "taskops_run")
    scheduler.run_to_end("d")
    assert scheduler.executed_tasks() == ["after"]


def test_what_somebody_cleared_is_not_gated_again(session):
    scheduler = one_task(session)
    operate(session, "pause", "d.g")
    scheduler.create_run("d")
    serialized("d", session).clear(task_ids=["g"], run_id="run_1", session=session)
    session.commit()
    assert repair(session) == 0
    assert scheduler.raw_states("d")["g", -1] == (None, "default_pool")


def test_a_run_that_the_operation_saw_goes_on(session):
    scheduler = one_task(session)
    scheduler.create_run("d")
    operate(session, "pause", "d.g")
    assert repair(session) == 0
    scheduler.run_to_end("d")
    assert scheduler.executed_tasks() == ["g", "after"]


def test_watching_ends(session):
    one_task(session)
    operate(session, "pause", "d.g")
    for seconds in (0, 61, 62):
        repair(session, at=later(seconds=seconds))
    assert session.scalars(select(GateInterval.seen_run_id)).all() == [None]


def in_the_making(session) -> None:
    """Create a run in a transaction of its own that the caller commits later."""
    now = datetime.now(UTC)
    serialized("d", session).create_dagrun(
        run_id="run_1",
        logical_date=now,
        data_interval=(now, now),
        run_after=now,
        run_type="manual",
        triggered_by=DagRunTriggeredByType.CLI,
        state="running",
        start_date=now,
        session=session,
    )


@pytest.mark.postgres
@pytest.mark.parametrize("held", ["run", "skip"])
def test_a_start_while_a_run_is_being_created_holds_nothing_for_ever(session, held):
    scheduler = one_task(session)
    operate(session, "pause", "d.g", downstream="hold")
    with new_session() as other:
        in_the_making(other)
        operate(session, "start", "d.g", held=held)
        other.commit()
    assert scheduler.raw_states("d")["g", -1][1] == "taskops_hold"
    assert repair(session) == 1
    scheduler.run_to_end("d")
    assert scheduler.states("d")["g"] == ("success" if held == "run" else "skipped")


@pytest.mark.postgres
def test_terminating_ends_instances_of_a_run_that_was_being_created(session):
    scheduler = one_task(session)
    with new_session() as other:
        in_the_making(other)
        operate(session, "pause", "d.g", downstream="run", terminate_instances=True)
        other.commit()
    assert repair(session) == 1
    scheduler.run_to_end("d")
    assert scheduler.executed_tasks() == ["after"]


@pytest.mark.postgres
def test_terminating_while_a_higher_run_id_is_visible_ends_the_hidden_one_too(session):
    scheduler = one_task(session)
    with new_session() as other:
        in_the_making(other)
        scheduler.create_run("d", "seen")
        operate(session, "pause", "d.g", terminate_instances=True)
        other.commit()
    assert repair(session) == 1
    assert scheduler.raw_states("d")["g", -1][1] == "taskops_skip"


def test_undoing_an_automatic_start_pauses_until_somebody_starts_it(session):
    one_task(session)
    operate(session, "pause", "d.g", resume_at=later(seconds=1))
    assert resume_due_tasks(session, later(hours=1))
    session.execute(update(GateInterval).values(resume_at=later(seconds=-5)))
    number = session.scalars(select(Task.state_operation_id).where(Task.task_id == "g")).one()
    session.commit()
    plan = undo(session, ALICE, number, now=later(hours=2))
    session.commit()
    assert "planned end" in (plan.items[0].reason or "")
    assert not resume_due_tasks(session, later(hours=3))
    assert stored(session, "d")["g"] == "paused"


def test_a_dag_that_cannot_be_read_is_set_aside_and_stops_nobody(session, caplog):
    write_dags([chain(name, "g", schedule=None) for name in ("bad", "good")], session)
    scheduler = Scheduler(session)
    for name in ("bad", "good"):
        gate(session, name, "g", "skip")
        scheduler.create_run(name)
    session.execute(update(SerializedDagModel).where(SerializedDagModel.dag_id == "bad").values(_data={"dag": 1}))
    session.commit()
    step = STEP["settle"]
    assert isinstance(step, PerItemStep)
    monitor = Monitor(interval=0, steps=[step])
    for _ in range(3):
        assert monitor.run_once()
    assert scheduler.states("good") == {"g": "skipped"}
    assert "failing: settle: bad/run_1" in monitor.status
    assert len([each for each in caplog.records if "bad/run_1" in each.getMessage()]) == 1
    monitor.close()
    assert session.scalar(select(DagRun.state).where(DagRun.dag_id == "bad")) == "running"


def test_planned_end_is_kept_in_the_interval(session):
    one_task(session)
    ends = later(hours=1) + timedelta(microseconds=0)
    operate(session, "pause", "d.g", resume_at=ends)
    assert session.scalars(select(GateInterval.resume_at)).one() == ends
