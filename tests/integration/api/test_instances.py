"""Instances of a task: history with counts, the curve, and operations on single ones (C2, C3)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from airflow.models.dagrun import DagRun
from airflow.models.log import Log
from airflow.models.taskinstance import TaskInstance as TI
from airflow.utils.state import TaskInstanceState
from sqlalchemy import select, update

from taskops_provider.domain.instances import STATUS_OF_STATE, InstanceStatus
from taskops_provider.models import Operation
from taskops_provider.services.gate import settle as gate_settle
from tests.support.api import Api
from tests.support.apps import web_app
from tests.support.gates import gate, settle
from tests.support.instances import START, run_id_of, write_runs
from tests.support.scheduling import Scheduler
from tests.support.warehouse import bash, chain, install

PATH = "tasks/orders/clean/instances"


@pytest.fixture
def api(session):
    with web_app("simple").active() as web:
        yield Api(web, "user")


@pytest.fixture
def orders(session):
    install(session, [chain("orders", "extract", "clean", "load")])
    return session


def state(session, run_id="run_1", task_id="clean") -> str | None:
    session.expire_all()
    return session.scalar(select(TI.state).where(TI.run_id == run_id, TI.task_id == task_id))


def set_state(session, value, run_id="run_1", task_id="clean") -> None:
    session.execute(update(TI).where(TI.run_id == run_id, TI.task_id == task_id).values(state=value))
    session.commit()


def runs(answer) -> list[str]:
    return [instance["run_id"] for instance in answer["instances"]]


def test_every_state_of_airflows_is_one_of_the_eight():
    assert set(STATUS_OF_STATE) == {None, *(state.value for state in TaskInstanceState)}


def test_instances_are_listed_newest_first_and_counted(api, orders):
    write_runs(orders, "orders", ["clean"], range(5), "success")
    write_runs(orders, "orders", ["clean"], range(5, 8), "failed")
    write_runs(orders, "orders", ["clean"], range(8, 10), None)
    answer = api.get(PATH, limit=3)
    assert runs(answer) == ["run_0009", "run_0008", "run_0007"]
    assert answer["total_entries"] == 10
    assert answer["counts"] == {
        **dict.fromkeys(InstanceStatus, 0),
        "success": 5,
        "failed": 3,
        "waiting_for_upstream": 2,
    }
    first = answer["instances"][0]
    assert (first["state"], first["status"], first["map_index"], first["gated"]) == (
        None,
        "waiting_for_upstream",
        -1,
        False,
    )


def test_instances_are_filtered_by_state_data_time_and_start(api, orders):
    write_runs(orders, "orders", ["clean"], range(5), "success")
    write_runs(orders, "orders", ["clean"], range(5, 8), "upstream_failed")
    day = timedelta(days=1)
    failed = api.get(PATH, status="failed")
    assert (failed["total_entries"], failed["counts"]["success"]) == (3, 5)
    assert api.get(PATH, state=["success", "none"])["total_entries"] == 5
    between = api.get(PATH, logical_date_from=START.isoformat(), logical_date_to=(START + 2 * day).isoformat())
    assert runs(between) == ["run_0002", "run_0001", "run_0000"]
    assert sum(between["counts"].values()) == 3
    started = api.get(PATH, start_date_from=(START + 3 * day).isoformat())
    assert runs(started) == ["run_0004", "run_0003"]
    query = {"logical_date_from": (START + day).isoformat(), "logical_date_to": START.isoformat()}
    assert "that ends first" in api.refused(422, "GET", PATH, params=query)


def test_the_curve_has_the_last_that_executed_the_oldest_first(api, orders):
    write_runs(orders, "orders", ["clean"], range(60), "success")
    write_runs(orders, "orders", ["clean"], range(60, 62), "failed")
    write_runs(orders, "orders", ["clean"], range(62, 64), "running")
    points = api.get("tasks/orders/clean/curve")["points"]
    assert [point["run_id"] for point in points] == [run_id_of(number) for number in range(37, 62)]
    assert points[-1]["duration"] == 61
    assert points[-1]["state"] == "failed"
    assert points[0]["start_date"] < points[0]["end_date"]
    assert len(api.get("tasks/orders/clean/curve", last=50)["points"]) == 50
    assert len(api.get("tasks/orders/clean/curve", last=100)["points"]) == 62


def test_the_curve_leaves_out_what_the_gate_settled(api, orders):
    gate_settle.ensure_pools(orders)
    gate(orders, "orders", "extract", "run")
    scheduler = Scheduler(orders, settle=settle)
    scheduler.create_run("orders")
    scheduler.run_to_end("orders")
    assert state(orders, task_id="extract") == "success"
    assert api.get("tasks/orders/extract/curve")["points"] == []
    [instance] = api.get("tasks/orders/extract/instances")["instances"]
    assert instance["gated"]
    assert "paused" in instance["note"]


def one(run_id="run_1", map_index=-1) -> dict[str, object]:
    return {"instances": [{"run_id": run_id, "map_index": map_index}]}


@pytest.fixture
def ended(orders) -> Scheduler:
    """A run of orders that failed at ``clean``."""
    scheduler = Scheduler(orders, outcomes={"clean": "failed"})
    scheduler.create_run("orders")
    assert scheduler.run_to_end("orders") == "failed"
    return scheduler


def test_rerun_clears_exactly_these_instances(api, orders, ended):
    answer = api.post(f"{PATH}/rerun", **one(), reason="late data", ticket="OPS-1")
    assert (answer["verb"], answer["outcome"]) == ("instances-rerun", "success")
    [item] = answer["items"]
    assert (item["run_id"], item["map_index"], item["before"], item["after"]) == ("run_1", -1, "failed", None)
    assert state(orders) is None
    assert (state(orders, task_id="extract"), state(orders, task_id="load")) == ("success", "upstream_failed")
    assert orders.scalar(select(DagRun.state)) == "queued"
    record = api.get(f"operations/{answer['operation_id']}")
    assert (record["verb"], record["reason"], record["ticket"]) == ("instances-rerun", "late data", "OPS-1")
    assert record["items"][0]["reason"] == "run 'run_1'"
    logged = orders.scalar(select(Log).where(Log.event == "taskops.instances-rerun"))
    assert (logged.dag_id, logged.task_id, logged.owner) == ("orders", "clean", "user")
    ended.start_queued("orders")
    ended.outcomes.clear()
    ended.run_to_end("orders")
    assert ended.executed_tasks() == ["extract", "clean", "clean"]


def test_rerun_makes_a_gated_instance_run(api, orders):
    gate_settle.ensure_pools(orders)
    gate(orders, "orders", "clean", "hold")
    scheduler = Scheduler(orders, settle=settle)
    scheduler.create_run("orders")
    scheduler.run_to_end("orders")
    assert "clean" not in scheduler.executed_tasks()
    assert api.post(f"{PATH}/rerun", **one())["outcome"] == "success"
    assert scheduler.run_to_end("orders") == "success"
    assert scheduler.executed_tasks() == ["extract", "clean", "load"]


def test_rerun_of_what_runs_restarts_it_and_of_what_waits_is_left_alone(api, orders, ended):
    set_state(orders, "running")
    assert api.post(f"{PATH}/rerun", **one())["items"][0]["after"] == "restarting"
    assert state(orders) == "restarting"
    for value in (None, "scheduled", "queued"):
        set_state(orders, value)
        answer = api.post(f"{PATH}/rerun", **one())
        assert (answer["outcome"], answer["items"][0]["outcome"]) == ("refused", "left_alone")
        assert answer["items"][0]["reason"] == "has not run yet: it runs when its turn comes"


@pytest.mark.parametrize("before", [None, "scheduled", "queued", "running", "deferred", "up_for_retry"])
def test_terminate_ends_what_has_not_ended_as_failed(api, orders, ended, before):
    set_state(orders, before)
    answer = api.post(f"{PATH}/terminate", **one())
    assert answer["outcome"] == "success"
    assert state(orders) == "failed"
    ended_at = orders.execute(select(TI.start_date, TI.end_date, TI.duration).where(TI.task_id == "clean")).one()
    assert None not in tuple(ended_at)
    again = api.post(f"{PATH}/terminate", **one())
    assert again["items"][0]["reason"] == "is failed; terminate applies to instances that have not ended"


def test_set_success_does_what_airflow_does(api, orders, ended):
    answer = api.post(f"{PATH}/set-success", **one())
    assert answer["outcome"] == "success"
    assert state(orders) == "success"
    assert state(orders, task_id="load") is None  # it had failed because of clean
    assert api.post(f"{PATH}/set-success", **one())["items"][0]["reason"] == "is success already"
    assert api.post(f"{PATH}/set-failed", **one())["items"][0]["after"] == "failed"
    assert state(orders) == "failed"


def test_listeners_hear_of_a_state_that_was_set(api, orders, ended):
    from airflow.listeners import hookimpl
    from airflow.listeners.listener import get_listener_manager

    heard = []

    class Listener:
        @hookimpl
        def on_task_instance_success(self, previous_state, task_instance):
            heard.append((task_instance.task_id, task_instance.run_id))

    manager, listener = get_listener_manager(), Listener()
    manager.add_listener(listener)
    try:
        api.post(f"{PATH}/set-success", **one())
    finally:
        manager.pm.unregister(listener)
    assert heard == [("clean", "run_1")]


def test_mapped_instances_are_taken_one_by_one(api, session):
    from airflow.sdk import DAG

    from tests.support.warehouse import START as FIRST

    with DAG("orders", schedule=None, start_date=FIRST) as dag:
        bash("list") >> bash_mapped()
    install(session, [dag])
    scheduler = Scheduler(session, outcomes={"clean": "failed"})
    scheduler.create_run("orders")
    scheduler.run_to_end("orders")
    body = {"instances": [{"run_id": "run_1", "map_index": 1}, {"run_id": "run_1", "map_index": 2}]}
    answer = api.post(f"{PATH}/set-success", **body)
    assert [item["map_index"] for item in answer["items"]] == [1, 2]
    rows = session.execute(select(TI.map_index, TI.state).where(TI.task_id == "clean").order_by(TI.map_index))
    assert [tuple(row) for row in rows] == [(0, "failed"), (1, "success"), (2, "success")]
    told = api.refused(404, "POST", f"{PATH}/rerun", json=one(map_index=7))
    assert told == "Task 'clean' has no instance in run 'run_1' with map index 7"


def bash_mapped():
    from airflow.providers.standard.operators.bash import BashOperator

    return BashOperator.partial(task_id="clean").expand(bash_command=["true", "true", "true"])


def test_a_dry_run_changes_nothing(api, orders, ended):
    for verb in ("rerun", "set-success", "terminate", "set-failed"):
        answer = api.post(f"{PATH}/{verb}", **one(), dry_run=True)
        assert answer["dry_run"]
        assert answer["operation_id"] is None
        assert state(orders) == "failed"
    assert orders.scalar(select(Operation.id)) is None


def test_rerun_in_a_paused_dag_says_that_it_waits(api, orders, ended):
    from airflow.models.dag import DagModel

    orders.execute(update(DagModel).values(is_paused=True))
    orders.commit()
    assert api.post(f"{PATH}/rerun", **one())["items"][0]["reason"] == "runs once its Dag is unpaused"


@pytest.mark.parametrize(
    ("path", "body", "status", "told"),
    [
        (f"{PATH}/rerun", one("run_2"), 404, "Task 'clean' has no instance in run 'run_2'"),
        ("tasks/orders/nothing/instances/rerun", one(), 404, "Task 'nothing' of Dag 'orders' does not exist"),
        (
            f"{PATH}/retry",
            one(),
            422,
            "verb is 'retry'; allowed are rerun, force, hold, release, terminate, set-success, set-failed",
        ),
        (f"{PATH}/rerun", {"instances": []}, 422, "instances has no entries; at least 1 is needed"),
        (f"{PATH}/rerun", {"instances": [{}]}, 422, "instances[0].run_id is missing"),
        (
            f"{PATH}/rerun",
            {"instances": one()["instances"] * 1001},
            422,
            "instances has 1001 entries; at most",
        ),
        (f"{PATH}/rerun", {**one(), "reason": "x" * 2001}, 422, "the reason has 2001 characters"),
        (f"{PATH}/rerun", {**one(), "plan_hash": "x"}, 422, "'x' is not a plan hash"),
        (f"{PATH}/rerun", {**one(), "plan_hash": "x", "dry_run": True}, 422, "plan_hash is for applying a plan"),
        (f"{PATH}/rerun", {**one(), "cascade": True}, 422, "cascade: there is no such field"),
        (
            f"{PATH}/hold",
            {**one(), "with_downstream": "workflow"},
            422,
            "with_downstream goes with rerun, not with hold",
        ),
    ],
)
def test_what_cannot_be_is_told_in_one_line(api, orders, ended, path, body, status, told):
    assert api.refused(status, "POST", path, json=body).startswith(told)
    assert state(orders) == "failed"


def test_a_task_that_left_its_dag_keeps_its_instances(api, orders, ended):
    install(orders, [chain("orders", "extract", "load")])
    assert api.get(PATH)["total_entries"] == 1
    answer = api.post(f"{PATH}/set-success", **one())
    assert answer["items"][0]["reason"] == "is no longer in the latest version of its Dag"
