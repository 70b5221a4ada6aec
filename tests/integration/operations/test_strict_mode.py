"""Strict mode: who blocks whom, within and across workflows; cascades (requirements 4)."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from airflow.models import DagModel
from airflow.providers.standard.sensors.external_task import ExternalTaskSensor
from airflow.sdk import DAG, TaskGroup
from sqlalchemy import update

from taskops_provider.domain.answers import to_plain_data
from taskops_provider.domain.operations.targets import Scope, Target
from taskops_provider.domain.states import Verb
from taskops_provider.exceptions import Forbidden, ResourceNotFound
from taskops_provider.inputs.operation import Options, Request
from taskops_provider.services.index import refresh as index_refresh
from taskops_provider.services.operations.apply import apply_operation
from taskops_provider.services.operations.strict_mode_setting import list_strict_mode, set_strict_mode
from taskops_provider.services.operations.undo import preview_undo, undo
from taskops_provider.services.shared.actor import Actor
from tests.support.airflow_db import BUNDLE
from tests.support.warehouse import ALICE, START, Limited, bash, chain, install, operate, outcomes, retail, stored


@pytest.fixture
def strict(session):
    install(session, retail())
    set_strict_mode(session, ALICE, BUNDLE, True, datetime.now(UTC))
    session.commit()
    return session


def blocked_by(plan) -> list[str]:
    return [f"{b.dag_id}.{b.task_id}" for item in plan.items for b in item.blocked_by]


def test_a_live_downstream_task_blocks_and_is_named(strict):
    plan = operate(strict, "pause", "orders.clean")
    assert plan.outcome() == "refused"
    [item] = plan.items
    assert item.reason == "strict mode: has downstream tasks that are not offline"
    assert to_plain_data(item.blocked_by) == [
        {
            "dag_id": "orders",
            "task_id": "load",
            "name": "load",
            "task_type": "BashOperator",
            "period": "hour",
            "owners": ["bob"],
        }
    ]
    assert stored(strict, "orders")["clean"] == "scheduling"


@pytest.mark.parametrize(
    ("name", "blocker"),
    [
        ("orders.load", "sales.wait"),  # a sensor on the task
        ("sales.sum", "mart.build"),  # an asset that starts a Dag
        ("mart.report_now", "report.render"),  # a triggered Dag
    ],
)
def test_other_workflows_block_too(strict, name, blocker):
    assert blocked_by(operate(strict, "offline", name)) == [blocker]


@pytest.fixture
def watched(session):
    """A Dag with two ends and a group, and two that wait for the whole of it and for its group."""
    with DAG("source", schedule="@daily", start_date=START) as source:
        with TaskGroup("pack"):
            box = bash("box")
            label = bash("label")
        bash("first") >> [box, label, bash("count")]
        bash("packer")  # its name begins as the group's does
    with DAG("after_all", schedule="@daily", start_date=START) as after_all:
        ExternalTaskSensor(task_id="wait", external_dag_id="source")
    with DAG("after_group", schedule="@daily", start_date=START) as after_group:
        ExternalTaskSensor(task_id="wait", external_dag_id="source", external_task_group_id="pack")
    install(session, [source, after_all, after_group])
    set_strict_mode(session, ALICE, BUNDLE, True, datetime.now(UTC))
    session.commit()
    return session


@pytest.mark.parametrize(
    ("name", "blockers"),
    [
        ("source.count", ["after_all.wait"]),
        ("source.packer", ["after_all.wait"]),
        ("source.pack.box", ["after_all.wait", "after_group.wait"]),
        ("source.first", ["source.count", "source.pack.box", "source.pack.label"]),
    ],
)
def test_a_sensor_on_a_whole_dag_waits_for_its_leaves_and_one_on_a_group_for_its_tasks(watched, name, blockers):
    dag_id, task_id = name.split(".", 1)
    plan = apply_operation(watched, ALICE, Request(Verb.OFFLINE, Scope.TASK, (Target(dag_id, task_id),), Options()))
    assert sorted(blocked_by(plan)) == blockers


def test_a_workflow_that_airflow_no_longer_has_does_not_block(strict):
    strict.execute(update(DagModel).where(DagModel.dag_id == "sales").values(is_stale=True))
    strict.commit()
    index_refresh.refresh(strict, datetime.now(UTC))
    strict.commit()
    assert outcomes(operate(strict, "offline", "orders.load")) == {"orders.load": "applied"}


def test_once_the_blocker_is_offline_it_is_allowed(strict):
    assert outcomes(operate(strict, "offline", "report.send")) == {"report.send": "applied"}
    assert outcomes(operate(strict, "pause", "report.render")) == {"report.render": "applied"}
    # paused is not offline: it still blocks
    assert blocked_by(operate(strict, "offline", "mart.report_now")) == ["report.render"]
    operate(strict, "offline", "report.render")
    assert outcomes(operate(strict, "offline", "mart.report_now")) == {"mart.report_now": "applied"}


def test_one_operation_does_not_cascade(strict):
    plan = operate(strict, "offline", "report.render", "report.send")
    assert outcomes(plan) == {"report.render": "blocked", "report.send": "applied"}


def test_cascade_plans_in_waves_from_the_leaves(strict):
    plan = operate(strict, "offline", "mart", "report", cascade=True)
    assert plan.outcome() == "success"
    waves = {f"{i.dag_id}.{i.task_id}": i.wave for i in plan.items}
    assert waves == {"report.send": 1, "report.render": 2, "mart.report_now": 3, "mart.build": 4}


def test_cascade_leaves_what_stays_blocked(strict):
    plan = operate(strict, "offline", "orders", cascade=True)
    assert outcomes(plan) == {"orders.clean": "blocked", "orders.extract": "blocked", "orders.load": "blocked"}
    assert blocked_by(plan) == ["orders.load", "orders.clean", "sales.wait"]


def test_starting_and_submitting_are_free(strict):
    operate(strict, "offline", "report.send")
    assert outcomes(operate(strict, "submit", "report.send")) == {"report.send": "applied"}


def test_deleting_a_workflow_that_others_depend_on_is_refused_as_a_whole(strict):
    set_strict_mode(strict, ALICE, BUNDLE, False, datetime.now(UTC))
    strict.commit()
    operate(strict, "offline", "orders")
    set_strict_mode(strict, ALICE, BUNDLE, True, datetime.now(UTC))
    strict.commit()
    plan = operate(strict, "delete", "orders", downstream="run")
    assert plan.outcome() == "refused"
    assert {item.reason for item in plan.items} == {"strict mode: tasks of other workflows depend on it"}
    assert {b.dag_id for item in plan.items for b in item.blocked_by} == {"sales"}
    assert set(stored(strict, "orders").values()) == {"offline"}


def test_a_gone_downstream_task_does_not_block(strict):
    install(strict, [chain("d", "a", "b")])
    install(strict, [chain("d", "a")])
    assert outcomes(operate(strict, "pause", "d.a")) == {"d.a": "applied"}


def test_blockers_that_may_not_be_read_are_not_named(strict):
    eve = Actor("eve", "api", Limited(readable={"orders"}, editable={"orders"}))
    plan = operate(strict, "offline", "orders.load", actor=eve)
    assert to_plain_data(plan.items[0].blocked_by) == [
        {"dag_id": None, "task_id": None, "name": "others that you may not see"}
    ]
    assert "sales" not in str(plan.answer())


def test_strict_mode_is_per_project_and_needs_permission(strict):
    assert [m.strict_mode for m in list_strict_mode(strict, ALICE)] == [True]
    with pytest.raises(ResourceNotFound, match="project 'nope' does not exist"):
        set_strict_mode(strict, ALICE, "nope", True, datetime.now(UTC))
    strict.rollback()
    eve = Actor("eve", "api", Limited(readable={"orders"}))
    with pytest.raises(Forbidden):
        set_strict_mode(strict, eve, BUNDLE, False, datetime.now(UTC))


def test_the_configured_default_holds_where_nothing_was_chosen(session, monkeypatch):
    install(session, retail())
    monkeypatch.setenv("AIRFLOW__TASKOPS__STRICT_MODE", "True")
    [mode] = list_strict_mode(session, ALICE)
    assert (mode.strict_mode, mode.chosen) == (True, False)
    assert blocked_by(operate(session, "pause", "orders.clean")) == ["orders.load"]


@pytest.mark.parametrize(
    ("before", "after"),
    [(["pause"], "start"), (["offline"], "submit"), (["offline", "delete"], "submit")],
)
def test_an_undo_stops_no_task_that_strict_mode_keeps(session, before, after):
    """Strict mode came between: what leads there is refused, and so is the undo that does."""
    install(session, retail())
    for verb in before:
        operate(session, verb, "orders.clean", "report.send", **({"downstream": "run"} if verb == "delete" else {}))
    number = operate(session, after, "orders.clean", "report.send").operation_id
    set_strict_mode(session, ALICE, BUNDLE, True, datetime.now(UTC))
    session.commit()
    shown = preview_undo(session, ALICE, number)
    assert outcomes(shown) == {"orders.clean": "blocked", "report.send": "applied"}
    assert shown.items[0].reason == "strict mode: has downstream tasks that are not offline"
    plan = undo(session, ALICE, number)
    session.commit()
    assert outcomes(plan) == outcomes(shown)
    assert blocked_by(plan) == ["orders.load"]
    assert stored(session, "orders")["clean"] == "scheduling"


def test_an_undo_takes_a_chain_offline_as_a_cascade_does(session):
    install(session, [chain("d", "a", "b", "c")])
    operate(session, "offline", "d.a", "d.b", "d.c")
    number = operate(session, "submit", "d.a", "d.b", "d.c").operation_id
    set_strict_mode(session, ALICE, BUNDLE, True, datetime.now(UTC))
    session.commit()
    plan = undo(session, ALICE, number)
    session.commit()
    assert {item.wave for item in plan.items} == {None}
    assert set(stored(session, "d").values()) == {"offline"}


def test_an_undo_that_brings_back_into_service_is_free(strict):
    operate(strict, "offline", "report.send")
    operate(strict, "offline", "report.render")
    deleted = operate(strict, "delete", "report.render", downstream="run")
    operate(strict, "submit", "report.send")
    plan = undo(strict, ALICE, deleted.operation_id)
    strict.commit()
    assert outcomes(plan) == {"report.render": "applied"}
    assert stored(strict, "report") == {"render": "offline", "send": "scheduling"}
