"""Airflow 3.4 drains Dags itself: TaskOps shows that, uses it, and knows whose draining it is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from airflow.models.dag import DagModel
from airflow.models.log import Log

from taskops_provider.adapter.compatibility import HAS_DRAINING
from taskops_provider.models import Workflow
from taskops_provider.services.catalog import tasks, workflows
from taskops_provider.services.gate import advance_drains
from taskops_provider.services.gate.whose_pause import user_paused_dags
from taskops_provider.services.health import check_health
from taskops_provider.services.shared.actor import MONITOR
from taskops_provider.services.why.task import why
from tests.support.scheduling import Scheduler
from tests.support.warehouse import ALICE, chain, install, operate

pytestmark = pytest.mark.skipif(not HAS_DRAINING, reason="Airflow drains Dags from 3.4 on")


@pytest.fixture
def session(session):
    install(session, [chain("d1", "a", "b"), chain("d2", "a", "b")])
    return session


def drain_in_airflow(session, dag_id="d1") -> None:
    dag(session, dag_id).set_scheduling_state(scheduling_state("DRAINING"))
    session.commit()


def scheduling_state(name: str):
    from airflow.utils.state import DagSchedulingState

    return DagSchedulingState[name]


def scheduler_ends_draining(session) -> None:
    Scheduler(session)._runner._finalize_draining_dags(session=session)
    session.commit()


def dag(session, dag_id="d1") -> DagModel:
    session.expire_all()
    return session.get(DagModel, dag_id)


def state(session, dag_id="d1") -> str:
    return str(dag(session, dag_id).scheduling_state.value)


def tick(session) -> bool:
    changed = advance_drains.advance_drains(session, datetime.now(UTC))
    session.commit()
    return changed


def shown(session, dag_id="d1"):
    return workflows.get_workflow(session, ALICE, dag_id, datetime.now(UTC))


def reasons(session, dag_id="d1", task_id="a") -> dict[str, str]:
    return {one.code: one.text for one in why(session, ALICE, dag_id, task_id, datetime.now(UTC)).reasons}


def test_a_dag_that_a_person_drains_shows_as_draining(session):
    Scheduler(session).create_run("d1", "one")
    drain_in_airflow(session)
    assert (shown(session).status, shown(session).draining_runs) == ("all_paused", 1)
    assert shown(session, "d2").draining_runs is None
    assert tasks.get_task(session, ALICE, "d1", "a", datetime.now(UTC)).status == "paused"
    found = reasons(session)
    assert "draining in Airflow (1 run left)" in found["draining"]
    assert "next_run" not in found
    drains = next(check for check in check_health(session, datetime.now(UTC)) if check.name == "drains")
    assert (drains.level, drains.message) == ("ok", "1 draining: d1 (runs left: 1)")


def test_pausing_a_dag_that_a_person_drains_and_another_one(session):
    """Writing ``is_paused`` alone broke a CHECK constraint, and with it each round of the monitor."""
    drain_in_airflow(session)
    operate(session, "pause", "d1")
    operate(session, "pause", "d2")
    assert shown(session).draining_runs == 0
    tick(session)
    assert (state(session, "d1"), state(session, "d2")) == ("paused", "paused")
    # what happens automatically lifts our own pauses alone
    assert user_paused_dags(session, ["d1", "d2"]) == {"d1"}
    assert not tick(session)


def test_one_run_left_ends_before_the_dag_is_paused(session):
    scheduler = Scheduler(session)
    scheduler.create_run("d1", "one")
    operate(session, "pause", "d1")
    assert state(session) == "draining"
    scheduler_ends_draining(session)
    tick(session)
    assert (state(session), shown(session).draining_runs) == ("draining", 1)
    assert scheduler.run_to_end("d1", "one") == "success"
    assert scheduler.executed_tasks("one") == ["a", "b"]
    tick(session)
    assert state(session) == "paused"


def test_the_scheduler_creates_no_runs_of_a_workflow_that_drains_and_keeps_its_plan(session):
    Scheduler(session).create_run("d1", "one")
    planned = dag(session).next_dagrun_create_after
    operate(session, "pause", "d1")
    found, _ = DagModel.dags_needing_dagruns(session)
    assert [one.dag_id for one in found] == ["d2"]
    assert dag(session).next_dagrun_create_after == planned
    operate(session, "start", "d1")
    assert state(session) == "active"


@pytest.mark.parametrize("who", ["scheduler", "monitor"])
def test_whoever_ends_our_draining_the_pause_is_ours(session, who):
    operate(session, "pause", "d1")
    if who == "scheduler":
        scheduler_ends_draining(session)
        assert state(session) == "paused"
    tick(session)
    assert state(session) == "paused"
    assert session.get(Workflow, "d1").draining_since is None
    assert user_paused_dags(session, ["d1"]) == set()
    operate(session, "start", "d1", actor=MONITOR)
    assert state(session) == "active"


def test_a_person_who_pauses_while_we_drain_owns_the_pause(session):
    Scheduler(session).create_run("d1", "one")
    operate(session, "pause", "d1")
    dag(session).set_scheduling_state(scheduling_state("PAUSED"))
    session.commit()
    tick(session)
    assert user_paused_dags(session, ["d1"]) == {"d1"}


def test_an_older_end_of_draining_does_not_make_a_persons_pause_ours(session):
    long_ago = datetime.now(UTC) - timedelta(days=1)
    log = Log(event="drain_completed", dag_id="d1", owner="scheduler")
    log.dttm = long_ago
    session.add(log)
    session.commit()
    test_a_person_who_pauses_while_we_drain_owns_the_pause(session)


def test_unpausing_a_stopped_workflow_in_airflow_drains_again(session):
    Scheduler(session).create_run("d1", "one")
    operate(session, "pause", "d1")
    dag(session).set_scheduling_state(scheduling_state("ACTIVE"))
    session.commit()
    tick(session)
    assert state(session) == "draining"


def test_starting_a_task_ends_the_draining_and_keeps_the_others_paused(session):
    drain_in_airflow(session)
    plan = operate(session, "start", "d1.a")
    assert plan.counts().applied == 1
    assert state(session) == "active"
    assert [(one.task_id, one.status) for one in all_tasks(session)] == [("a", "scheduling"), ("b", "paused")]


def test_nothing_automatic_ends_a_persons_draining(session):
    operate(session, "pause", "d1.a")
    drain_in_airflow(session)
    operate(session, "start", "d1.a", actor=MONITOR)
    assert state(session) == "draining"


def test_undo_of_a_start_pauses_again(session):
    from taskops_provider.services.operations.undo import undo

    drain_in_airflow(session)
    plan = operate(session, "start", "d1")
    undo(session, ALICE, plan.operation_id)
    session.commit()
    assert state(session) == "paused"


def test_the_list_finds_what_drains_by_its_status(session):
    from taskops_provider.services.catalog.filters import WorkflowFilter

    drain_in_airflow(session)
    for status, found in (("all_paused", ["d1"]), ("all_scheduling", ["d2"])):
        where = WorkflowFilter(statuses=(status,))
        page = workflows.list_workflows(session, ALICE, where, datetime.now(UTC), limit=10)
        assert [row.dag_id for row in page.rows] == found


def all_tasks(session):
    from taskops_provider.services.catalog.filters import TaskFilter

    found = tasks.list_tasks(session, ALICE, TaskFilter(), datetime.now(UTC), limit=10)
    return sorted((row for row in found.rows if row.dag_id == "d1"), key=lambda row: row.task_id)
