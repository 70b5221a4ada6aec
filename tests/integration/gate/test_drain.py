"""Drain: pausing a workflow stops new runs, lets old ones end, and pauses the Dag then (SPEC 2, D7)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from airflow.models.dag import DagModel
from airflow.models.dagrun import DagRun
from airflow.models.log import Log
from sqlalchemy import select, update

from taskops_provider.models import Workflow
from taskops_provider.services import drain, workflows
from tests.support.scheduling import Scheduler
from tests.support.warehouse import ALICE, install, later, operate, retail


@pytest.fixture
def session(session):
    install(session, retail())
    return session


def dag(session, dag_id="orders") -> DagModel:
    session.expire_all()
    return session.get(DagModel, dag_id)


def tick(session, now=None) -> bool:
    changed = drain.step(session, now or datetime.now(UTC))
    session.commit()
    return changed


def shown(session, dag_id="orders"):
    return workflows.get_workflow(session, ALICE, dag_id, datetime.now(UTC))


def test_two_runs_in_flight_end_and_then_the_dag_is_paused(session):
    scheduler = Scheduler(session)
    scheduler.create_run("orders", "one")
    scheduler.create_run("orders", "two", logical_date=later(days=-1))
    scheduler.round("orders", "one")

    operate(session, "pause", "orders")
    assert (shown(session).status, shown(session).draining_runs) == ("all_paused", 2)
    assert dag(session).next_dagrun_create_after is None
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
    assert dag(session).next_dagrun_create_after is None
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
    session.execute(update(DagModel).where(DagModel.dag_id == "orders").values(is_paused=True))
    session.commit()
    tick(session)
    assert session.get(Workflow, "orders").draining_since is None


def test_workflows_that_were_never_touched_are_let_be(session):
    assert not tick(session)
    assert not any(session.scalars(select(DagModel.is_paused)))


def test_held_instances_do_not_keep_a_workflow_draining(session):
    operate(session, "pause", "orders.clean", downstream="hold")
    scheduler = Scheduler(session)
    scheduler.create_run("orders", "one")
    assert scheduler.run_to_end("orders", "one") == "running"
    operate(session, "pause", "orders")
    tick(session)
    # something moved a moment ago: it could be between two tasks
    assert not dag(session).is_paused
    session.execute(update(DagRun).values(start_date=later(hours=-1)))
    tick(session, later(minutes=5))
    assert dag(session).is_paused


def test_a_run_between_two_tasks_is_not_cut_off(session):
    scheduler = Scheduler(session)
    scheduler.create_run("orders", "one")
    scheduler.round("orders", "one")  # extract ended, clean is not scheduled yet
    operate(session, "pause", "orders")
    tick(session, datetime.now(UTC) + timedelta(minutes=10))
    assert not dag(session).is_paused
