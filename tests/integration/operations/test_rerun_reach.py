"""Rerun with what follows: downstream in the workflow, and everywhere (SPEC-2 16)."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from airflow.models.dagrun import DagRun
from airflow.models.taskinstance import TaskInstance as TI
from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.providers.standard.sensors.external_task import ExternalTaskSensor
from airflow.sdk import DAG, Asset
from sqlalchemy import select

from taskops_provider.adapter.instance_operations import Ref
from taskops_provider.adapter.rerun_reach import instances_to_rerun
from taskops_provider.domain.instances import InstanceVerb, Reach
from taskops_provider.exceptions import BadInput, Conflict, OperationPlanChanged
from taskops_provider.inputs.operation import ReasonAndTicket
from taskops_provider.models import Operation
from taskops_provider.services.gate import settle as gate_settle
from taskops_provider.services.index.refresh import refresh
from taskops_provider.services.operations import on_instances
from taskops_provider.services.operations.on_instances import (
    InstanceRequest,
    apply_on_instances,
    preview_on_instances,
)
from taskops_provider.services.shared.actor import Actor, UnrestrictedPermissions
from taskops_provider.services.shared.large_work import large_work
from tests.support.airflow_db import write_dags
from tests.support.gates import gate, settle, task
from tests.support.queries import counted_queries
from tests.support.scheduling import Scheduler
from tests.support.warehouse import Limited

ANN = Actor("ann", "api", UnrestrictedPermissions())
DAY = datetime(2026, 3, 1, tzinfo=UTC)


def dags() -> list[DAG]:
    with DAG("up", schedule=None) as up:
        task("before") >> task("load", outlets=[Asset("table")]) >> task("check")
    with DAG("down", schedule=None) as down:
        wait = ExternalTaskSensor(task_id="wait", external_dag_id="up", external_task_id="load")
        wait >> task("sum") >> TriggerDagRunOperator(task_id="go", trigger_dag_id="report")
        task("alone")
    with DAG("report", schedule=None) as report:
        task("print")
    with DAG("mart", schedule=[Asset("table")]) as mart:
        task("build")
    return [up, down, report, mart]


@pytest.fixture
def played(session) -> Scheduler:
    write_dags(dags(), session)
    gate_settle.ensure_pools(session)
    refresh(session, datetime.now(UTC))
    session.commit()
    scheduler = Scheduler(session, settle=settle)
    for dag_id in ("up", "down"):
        scheduler.create_run(dag_id, logical_date=DAY)
        assert scheduler.run_to_end(dag_id) == "success"
    scheduler.create_run("down", "run_2", logical_date=DAY.replace(day=2))
    scheduler.run_to_end("down", "run_2")
    scheduler.executed.clear()
    return scheduler


def request(reach: Reach, task_id: str = "load", dag_id: str = "up") -> InstanceRequest:
    return InstanceRequest(dag_id, task_id, InstanceVerb.RERUN, [Ref("run_1")], ReasonAndTicket(), reach)


def test_what_follows_many_is_looked_for_in_turn(played, session, monkeypatch):
    """Each of a thousand runs may have a version of its Dag, and reading one takes a tenth of a second."""
    monkeypatch.setattr(on_instances, "LARGE", 0)
    with large_work("another plan", "ann") as slot:
        slot.take()
        for do in (preview_on_instances, apply_on_instances):
            with pytest.raises(Conflict, match="another large request of yours is under way"):
                do(session, ANN, request(Reach.EVERYWHERE))
            session.rollback()
        assert preview_on_instances(session, ANN, request(Reach.NONE)).plan.items
    assert preview_on_instances(session, ANN, request(Reach.EVERYWHERE)).plan.items


def named(plan) -> list[str]:
    return [f"{item.dag_id}.{item.task_id} {ref.run_id}" for item, ref in plan.pairs()]


def test_downstream_in_the_workflow_is_rerun_with_it(session, played):
    plan = apply_on_instances(session, ANN, request(Reach.WORKFLOW))
    session.commit()
    assert named(plan) == ["up.load run_1", "up.check run_1"]
    assert session.get_one(Operation, plan.plan.operation_id).options == {"with_downstream": "workflow"}
    played.start_queued("up")
    assert played.run_to_end("up") == "success"
    assert played.executed_tasks() == ["load", "check"]


def test_everywhere_crosses_a_sensor_and_names_what_triggers_and_assets_start(session, played):
    shown = preview_on_instances(session, ANN, request(Reach.EVERYWHERE))
    assert named(shown) == [
        "up.load run_1",
        "down.go run_1",
        "down.sum run_1",
        "down.wait run_1",
        "up.check run_1",
    ]
    followers = [(one.dag_id, one.by, one.of_task) for one in shown.followers]
    assert sorted(followers) == [("mart", "asset", "up.load"), ("report", "trigger", "down.go")]
    apply_on_instances(session, ANN, request(Reach.EVERYWHERE), expected_hash=shown.plan.plan_hash)
    session.commit()
    played.start_queued("up")
    played.start_queued("down")
    played.schedule("down")
    assert session.scalar(select(TI.state).where(TI.task_id == "wait", TI.run_id == "run_1")) is not None
    assert played.states("down", "run_2")["wait"] == "success"
    assert played.run_to_end("up") == "success"
    assert played.run_to_end("down") == "success"
    assert sorted(one for _, one, _ in played.executed) == ["check", "go", "load", "sum", "wait"]


def test_what_was_not_looked_at_is_not_rerun(session, played):
    shown = preview_on_instances(session, ANN, request(Reach.WORKFLOW))
    played.create_run("up", "run_9", logical_date=DAY.replace(day=9))
    apply_on_instances(session, ANN, request(Reach.NONE, "check"))
    session.commit()
    with pytest.raises(OperationPlanChanged):
        apply_on_instances(session, ANN, request(Reach.WORKFLOW), expected_hash=shown.plan.plan_hash)


def test_what_may_not_be_changed_is_blocked_and_what_may_not_be_read_is_not_told(session, played, monkeypatch):
    editor = Actor("ed", "api", Limited(["up", "down", "mart"], ["up"]))
    monkeypatch.setattr(Limited, "may_change_instances", lambda self, dag_id: dag_id == "up")
    plan = apply_on_instances(session, editor, request(Reach.EVERYWHERE))
    session.commit()
    blocked = [f"{item.dag_id}.{item.task_id}" for item in plan.plan.items if item.outcome == "blocked"]
    assert blocked == ["down.go", "down.sum", "down.wait"]
    assert [one.dag_id for one in plan.followers] == ["mart"]
    assert played.states("down")["wait"] == "success"
    reader = Actor("rae", "api", Limited(["up"], ["up"]))
    plan = preview_on_instances(session, reader, request(Reach.EVERYWHERE))
    assert {item.dag_id for item in plan.plan.items} == {"up"}
    assert list(plan.followers) == []


def test_of_another_workflow_no_instances_are_told_that_may_not_be_read(session, played, monkeypatch):
    """Not that they are blocked, either: which runs there are, and how many instances."""
    editor = Actor("ed", "api", Limited(["up", "down", "mart"], ["up"]))
    monkeypatch.setattr(Limited, "instances_readable", lambda self: frozenset({"up"}))
    monkeypatch.setattr(Limited, "may_change_instances", lambda self, dag_id: dag_id == "up")
    plan = preview_on_instances(session, editor, request(Reach.EVERYWHERE))
    assert {item.dag_id for item in plan.plan.items} == {"up"}
    assert [one.dag_id for one in plan.followers] == ["mart"]


def test_more_than_is_rerun_at_once_is_refused_without_being_read(session, played, monkeypatch):
    monkeypatch.setattr("taskops_provider.services.operations.rerun_reach.MAX_RERUN", 4)
    assert len(preview_on_instances(session, ANN, request(Reach.EVERYWHERE)).plan.items) == 5
    monkeypatch.setattr("taskops_provider.services.operations.rerun_reach.MAX_RERUN", 3)
    read = []
    monkeypatch.setattr(
        "taskops_provider.services.operations.rerun_reach.adapter.instances_to_rerun",
        lambda *asked: read.append(instances_to_rerun(*asked)) or read[-1],
    )
    with pytest.raises(BadInput, match="more than 3 instances follow"):
        preview_on_instances(session, ANN, request(Reach.EVERYWHERE))
    assert sum(map(len, read)) == 4


@pytest.mark.parametrize("effect", ["skip", "run", "fail"])
def test_what_the_gate_settled_downstream_is_settled_again_and_not_executed(session, effect):
    with DAG("d", schedule=None) as dag:
        task("a") >> task("g") >> task("z", trigger_rule="all_done")
    write_dags([dag], session)
    gate_settle.ensure_pools(session)
    refresh(session, datetime.now(UTC))
    session.commit()
    gate(session, "d", "g", effect)
    scheduler = Scheduler(session, settle=settle)
    scheduler.create_run("d")
    scheduler.run_to_end("d")
    before = scheduler.states("d")
    apply_on_instances(session, ANN, request(Reach.WORKFLOW, "a", "d"))
    session.commit()
    assert scheduler.states("d") == {"a": None, "g": "up_for_retry", "z": None}
    scheduler.start_queued("d")
    scheduler.run_to_end("d")
    assert scheduler.states("d") == before
    assert scheduler.executed_tasks() == ["a", "z", "a", "z"]


def test_the_number_of_queries_does_not_grow_with_the_runs(session, played):
    def queries(count: int) -> int:
        refs = [Ref("run_1"), *(Ref(f"more_{number}") for number in range(count))]
        asked = InstanceRequest("up", "load", InstanceVerb.RERUN, refs, ReasonAndTicket(), Reach.EVERYWHERE)
        session.expire_all()
        with counted_queries() as found:
            preview_on_instances(session, ANN, asked)
        return len(found)

    for number in range(8):
        played.create_run("up", f"more_{number}", logical_date=DAY.replace(day=10 + number))
        played.create_run("down", f"more_{number}", logical_date=DAY.replace(day=10 + number))
    few = queries(2)
    assert queries(8) <= few + 1
    assert session.scalars(select(DagRun)).all()


def test_a_reach_goes_with_a_rerun_alone(session, played):
    asked = InstanceRequest("up", "load", InstanceVerb.TERMINATE, [Ref("run_1")], ReasonAndTicket(), Reach.WORKFLOW)
    with pytest.raises(BadInput, match="with_downstream goes with rerun, not with terminate"):
        preview_on_instances(session, ANN, asked)
