"""Drain: pausing a workflow stops new runs, lets old ones end, and pauses the Dag then (requirements 2, D7)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from airflow.models.backfill import Backfill, ReprocessBehavior, _create_backfill
from airflow.models.dag import DagModel
from airflow.models.log import Log
from airflow.sdk import DAG, Asset
from airflow.utils.state import DagRunState
from airflow.utils.types import DagRunType
from sqlalchemy import select, update

from taskops_provider.adapter.compatibility import pause_values
from taskops_provider.models import Workflow
from taskops_provider.services.catalog import workflows
from taskops_provider.services.gate import advance_drains
from tests.support.gates import settle
from tests.support.scheduling import Scheduler
from tests.support.warehouse import ALICE, START, bash, install, later, operate, retail


@pytest.fixture
def session(session):
    install(session, retail())
    return session


def dag(session, dag_id="orders") -> DagModel:
    session.expire_all()
    return session.get(DagModel, dag_id)


def tick(session, now=None) -> bool:
    changed = advance_drains.advance_drains(session, now or datetime.now(UTC))
    session.commit()
    return changed


def creates_runs(session) -> bool:
    """Whether the scheduler will create automatic runs of a Dag: Airflow 3.4 drains it, or its next run is away."""
    row = dag(session)
    return row.next_dagrun_create_after is not None and not getattr(row, "is_draining", False)


def shown(session, dag_id="orders"):
    return workflows.get_workflow(session, ALICE, dag_id, datetime.now(UTC))


def test_two_runs_in_flight_end_and_then_the_dag_is_paused(session):
    scheduler = Scheduler(session)
    scheduler.create_run("orders", "one")
    scheduler.create_run("orders", "two", logical_date=later(days=-1))
    scheduler.round("orders", "one")

    operate(session, "pause", "orders")
    assert (shown(session).status, shown(session).draining_runs) == ("all_paused", 2)
    assert not creates_runs(session)
    tick(session)
    assert not dag(session).is_paused

    assert scheduler.run_to_end("orders", "one") == "success"
    tick(session)
    assert shown(session).draining_runs == 1
    assert not dag(session).is_paused
    assert scheduler.run_to_end("orders", "two") == "success"
    assert sorted(scheduler.executed_tasks("one")) == ["clean", "extract", "load"]
    assert sorted(scheduler.executed_tasks("two")) == ["clean", "extract", "load"]

    assert tick(session)
    assert dag(session).is_paused
    assert dag(session).next_dagrun_create_after is not None
    assert shown(session).draining_runs is None
    assert session.scalars(select(Log.dag_id).where(Log.event == "taskops.drained")).all() == ["orders"]
    assert not tick(session)


def test_the_dag_processor_does_not_bring_new_runs_back(session):
    Scheduler(session).create_run("orders", "one")
    operate(session, "pause", "orders")
    worked_out = later(minutes=5)
    session.execute(update(DagModel).where(DagModel.dag_id == "orders").values(next_dagrun_create_after=worked_out))
    session.commit()
    tick(session)
    assert not creates_runs(session)
    operate(session, "start", "orders")
    assert dag(session).next_dagrun_create_after == worked_out
    assert session.get(Workflow, "orders").draining_since is None


def test_start_unpauses_a_drained_workflow(session):
    operate(session, "pause", "orders")
    tick(session)
    assert dag(session).is_paused
    operate(session, "start", "orders.clean")
    assert not dag(session).is_paused
    assert shown(session).status == "partially_scheduling"


def test_offline_task_by_task_drains_too(session):
    operate(session, "offline", "orders.extract", "orders.clean")
    tick(session)
    assert not dag(session).is_paused
    operate(session, "pause", "orders.load")
    assert shown(session).draining_runs == 0
    tick(session)
    assert dag(session).is_paused


def test_unpausing_a_stopped_workflow_in_airflow_drains_again(session):
    operate(session, "pause", "orders")
    tick(session)
    session.execute(update(DagModel).where(DagModel.dag_id == "orders").values(is_paused=False))
    session.commit()
    tick(session)
    assert dag(session).is_paused


def test_a_dag_paused_in_airflow_ends_the_draining(session):
    Scheduler(session).create_run("orders", "one")
    operate(session, "pause", "orders")
    session.execute(update(DagModel).where(DagModel.dag_id == "orders").values(pause_values(paused=True)))
    session.commit()
    tick(session)
    assert session.get(Workflow, "orders").draining_since is None


def test_workflows_that_were_never_touched_are_let_be(session):
    assert not tick(session)
    assert not any(session.scalars(select(DagModel.is_paused)))


def look_later(scheduler: Scheduler, run_id: str, dag_id: str = "orders", **delta: float) -> None:
    """The scheduler looks at a run when some time has passed, and finds nothing to do."""
    with time_machine.travel(later(**delta), tick=True):
        scheduler.schedule(dag_id, run_id)


def test_held_instances_do_not_keep_a_workflow_draining(session):
    operate(session, "pause", "orders.clean", downstream="hold")
    scheduler = Scheduler(session)
    scheduler.create_run("orders", "one")
    assert scheduler.run_to_end("orders", "one") == "running"
    operate(session, "pause", "orders")
    tick(session)
    # something moved a moment ago: it could be between two tasks
    assert not dag(session).is_paused
    look_later(scheduler, "one", minutes=4)
    tick(session, later(minutes=5))
    assert dag(session).is_paused


def test_a_run_between_two_tasks_is_not_cut_off(session):
    scheduler = Scheduler(session)
    scheduler.create_run("orders", "one")
    scheduler.round("orders", "one")  # extract ended, clean is not scheduled yet
    operate(session, "pause", "orders")
    tick(session, datetime.now(UTC) + timedelta(minutes=10))
    assert not dag(session).is_paused


def beside() -> DAG:
    """A chain of which the second is held, next to one that goes on."""
    with DAG("beside", schedule=None, start_date=START, max_active_runs=1) as dag:
        bash("a") >> bash("held") >> bash("after")
        bash("u") >> bash("v") >> bash("w")
    return dag


def test_a_scheduler_that_is_away_freezes_no_run_half_way(session):
    install(session, [beside()])
    operate(session, "pause", "beside.held", downstream="hold")
    scheduler = Scheduler(session)
    scheduler.create_run("beside", "one")
    scheduler.round("beside", "one")
    operate(session, "pause", "beside")
    # a and u have ended, v is what the scheduler does next; it is away for a while
    tick(session, later(minutes=10))
    assert not dag(session, "beside").is_paused
    scheduler.run_to_end("beside", "one")
    assert set(scheduler.executed_tasks("one")) == {"a", "u", "v", "w"}
    look_later(scheduler, "one", "beside", minutes=11)
    tick(session, later(minutes=11))
    assert dag(session, "beside").is_paused


def test_what_waits_behind_a_held_instance_does_not_keep_a_workflow_draining(session):
    install(session, [beside()])
    operate(session, "pause", "beside.held", downstream="hold")
    operate(session, "pause", "beside.after", downstream="run")
    scheduler = Scheduler(session, settle=settle)
    scheduler.create_run("beside", "one")
    scheduler.run_to_end("beside", "one")
    operate(session, "pause", "beside")
    look_later(scheduler, "one", "beside", minutes=5)
    tick(session, later(minutes=5))
    assert dag(session, "beside").is_paused


def test_a_queued_run_behind_a_held_one_does_not_keep_a_workflow_draining(session):
    install(session, [beside()])
    operate(session, "pause", "beside.held", downstream="hold")
    scheduler = Scheduler(session)
    scheduler.create_run("beside", "one")
    scheduler.run_to_end("beside", "one")
    queued = scheduler.create_run("beside", "two", logical_date=later(days=-1))
    queued.state = DagRunState.QUEUED
    session.commit()
    operate(session, "pause", "beside")
    look_later(scheduler, "one", "beside", minutes=5)
    tick(session, later(minutes=5))
    assert dag(session, "beside").is_paused

    # nothing is lost: both go on when the workflow is started
    operate(session, "start", "beside")
    assert scheduler.run_to_end("beside", "one") == "success"
    assert scheduler.start_by_limit("beside") == ["two"]
    assert scheduler.run_to_end("beside", "two") == "success"


def test_a_queued_run_that_has_room_keeps_a_workflow_draining(session):
    install(session, [beside()])
    session.execute(update(DagModel).where(DagModel.dag_id == "beside").values(max_active_runs=2))
    operate(session, "pause", "beside.held", downstream="hold")
    scheduler = Scheduler(session)
    scheduler.create_run("beside", "one")
    scheduler.run_to_end("beside", "one")
    queued = scheduler.create_run("beside", "two", logical_date=later(days=-1))
    queued.state = DagRunState.QUEUED
    session.commit()
    operate(session, "pause", "beside")
    look_later(scheduler, "one", "beside", minutes=5)
    tick(session, later(minutes=5))
    assert not dag(session, "beside").is_paused


def test_a_backfill_that_somebody_paused_does_not_keep_a_workflow_draining(session):
    scheduler = Scheduler(session)
    _create_backfill(
        dag_id="orders",
        from_date=START,
        to_date=START,
        max_active_runs=1,
        reverse=False,
        dag_run_conf=None,
        triggering_user_name="alice",
        reprocess_behavior=ReprocessBehavior.NONE,
    )
    operate(session, "pause", "orders")
    tick(session, later(minutes=5))
    assert not dag(session).is_paused
    session.execute(update(Backfill).values(is_paused=True))
    session.commit()
    tick(session, later(minutes=5))
    assert dag(session).is_paused
    assert not scheduler.executed


def test_asset_events_execute_nothing_and_keep_no_workflow_draining(session):
    with DAG("consumer", schedule=[Asset("s3://b/a")], start_date=START) as consumer:
        bash("slow")
    install(session, [consumer])
    scheduler = Scheduler(session, settle=settle)
    first = scheduler.create_as("asset", "consumer")
    operate(session, "pause", "consumer")
    later_ones = [scheduler.create_as("asset", "consumer") for _ in range(3)]
    for run_id in (first, *later_ones):
        assert scheduler.run_to_end("consumer", run_id) in ("success", "skipped")
    assert scheduler.executed == [(first, "slow", -1)]
    tick(session)
    assert dag(session, "consumer").is_paused


def in_order() -> DAG:
    """a, and b that waits for the b of the day before."""
    with DAG("in_order", schedule="@daily", start_date=START, catchup=False, max_active_runs=3) as dag:
        bash("a") >> bash("b", depends_on_past=True)
    return dag


@pytest.mark.parametrize("way", ["held before it", "failed before it"])
def test_a_run_that_waits_for_one_before_it_does_not_keep_a_workflow_draining(session, way):
    """Nothing is held in it, and it does not get on either."""
    install(session, [in_order()])
    scheduler = Scheduler(session, {"a": "failed"} if way == "failed before it" else {}, settle=settle)
    scheduler.create_run("in_order", "later", run_type=DagRunType.SCHEDULED, logical_date=START + timedelta(days=1))
    if way == "held before it":
        operate(session, "pause", "in_order.a", downstream="hold")
    scheduler.create_run("in_order", "first", run_type=DagRunType.SCHEDULED, logical_date=START)
    for name in ("first", "later"):
        scheduler.outcomes = {**scheduler.outcomes, "a": "failed" if "failed" in way and name == "first" else "success"}
        scheduler.run_to_end("in_order", name)
    assert scheduler.states("in_order", "later")["b"] is None
    operate(session, "pause", "in_order")
    tick(session)
    assert not dag(session, "in_order").is_paused
    look_later(scheduler, "first", "in_order", minutes=4)
    look_later(scheduler, "later", "in_order", minutes=4)
    tick(session, later(minutes=5))
    assert dag(session, "in_order").is_paused


def test_the_run_after_one_that_has_just_ended_is_not_cut_off(session):
    """The scheduler looked at it last when the one before it still went on."""
    install(session, [in_order()])
    scheduler = Scheduler(session)
    scheduler.create_run("in_order", "later", run_type=DagRunType.SCHEDULED, logical_date=START + timedelta(days=1))
    scheduler.create_run("in_order", "first", run_type=DagRunType.SCHEDULED, logical_date=START)
    for name in ("later", "later", "first"):
        scheduler.round("in_order", name)
    operate(session, "pause", "in_order")
    look_later(scheduler, "later", "in_order", minutes=4)
    with time_machine.travel(later(minutes=5), tick=True):
        assert scheduler.run_to_end("in_order", "first") == "success"
        tick(session, datetime.now(UTC))
        assert not dag(session, "in_order").is_paused
        assert scheduler.run_to_end("in_order", "later") == "success"
        tick(session, datetime.now(UTC))
    assert dag(session, "in_order").is_paused


def test_what_waits_for_the_monitor_keeps_a_workflow_draining(session):
    """Its turn has come; the monitor was away."""
    operate(session, "pause", "orders.load", downstream="skip")
    scheduler = Scheduler(session)
    scheduler.create_run("orders", "one")
    scheduler.run_to_end("orders", "one")
    operate(session, "pause", "orders")
    look_later(scheduler, "one", minutes=4)
    tick(session, later(minutes=5))
    assert not dag(session).is_paused
