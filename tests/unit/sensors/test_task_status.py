"""The sensor and its trigger against a real server over HTTP."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from airflow.sdk.exceptions import (
    AirflowException,
    AirflowFailException,
    AirflowRescheduleException,
    AirflowSensorTimeout,
    AirflowSkipException,
    TaskDeferred,
)
from airflow.triggers.base import TriggerEvent

from taskops_provider.hooks import server as asking
from taskops_provider.hooks.errors import LoginRefused, NotFound, RequestRefused, ServerUnavailable
from taskops_provider.sensors.task_status import TaskStatusSensor
from taskops_provider.triggers.task_status import TaskStatusTrigger
from tests.support.taskops_server import Reply, TaskOpsServer, taskops_server

LOAD = "GET /taskops/v1/tasks/sales/load"
SHOWN = [
    {"dag_id": "sales", "task_id": "load", "status": "paused"},
    {"dag_id": "sales", "task_id": "check", "status": "paused"},
]


@pytest.fixture
def server(monkeypatch) -> Iterator[TaskOpsServer]:
    monkeypatch.setattr(asking, "FIRST_WAIT", 0.01)
    with taskops_server() as running:
        running.add("sales", "load", "check", status="paused")
        define(monkeypatch, running.url)
        yield running


def define(monkeypatch, host: str, **fields: Any) -> None:
    connection = {"conn_type": "taskops", "host": host, "login": "bot", "password": "secret", **fields}
    monkeypatch.setenv("AIRFLOW_CONN_TASKOPS_DEFAULT", json.dumps({**connection, "extra": {"retries": 0}}))


def sensor(**arguments: Any) -> TaskStatusSensor:
    common = {"external_dag_id": "sales", "external_task_ids": ["load", "check"], "poke_interval": 0.05, "timeout": 20}
    return TaskStatusSensor(task_id="wait", **{**common, **arguments})


def run(made: TaskStatusSensor, context: Any = None) -> Any:
    return made.execute(context or {})


def events(trigger: TaskStatusTrigger) -> list[TriggerEvent]:
    async def listen() -> list[TriggerEvent]:
        return [event async for event in trigger.run()]

    return asyncio.run(asyncio.wait_for(listen(), 20))


def deferred(made: TaskStatusSensor) -> TaskDeferred:
    with pytest.raises(TaskDeferred) as caught:
        run(made)
    return caught.value


def test_waits_until_all_have_the_status(server):
    for number, task in enumerate(("load", "check"), start=1):
        threading.Timer(0.2 * number, server.tasks["sales", task].update, [{"status": "scheduling"}]).start()
    assert [task["status"] for task in run(sensor())] == ["scheduling", "scheduling"]
    assert len(server.asked(LOAD)) > 2


@pytest.mark.parametrize("status", ["paused", ["offline", "paused"], ("paused",)])
def test_any_of_several_statuses_will_do(server, status):
    assert run(sensor(status=status)) == SHOWN


def test_times_out(server):
    with pytest.raises(AirflowSensorTimeout):
        run(sensor(timeout=0.1))
    with pytest.raises(AirflowSkipException):
        run(sensor(timeout=0.1, soft_fail=True))


def test_reschedules(server):
    class Ti:
        def get_first_reschedule_date(self, context: Any) -> None:
            return None

    with pytest.raises(AirflowRescheduleException):
        run(sensor(mode="reschedule", poke_interval=60), {"ti": Ti()})


@pytest.mark.parametrize("status", ["sleeping", [], "paused,offline"])
def test_a_status_that_does_not_exist(server, status):
    with pytest.raises(RequestRefused, match="allowed are scheduling, paused, offline, invalid, deleted"):
        run(sensor(status=status))


def test_the_tasks_are_named_in_one_way():
    for arguments in ({}, {"external_dag_id": "a"}, {"targets": [], "external_dag_id": "a", "external_task_ids": []}):
        with pytest.raises(ValueError, match="needs either external_dag_id with external_task_ids, or targets"):
            TaskStatusSensor(task_id="wait", **arguments)


def test_what_goes_wrong_fails_it(server, monkeypatch):
    with pytest.raises(NotFound, match="Task 'nowhere' of Dag 'sales' does not exist"):
        run(sensor(external_task_ids=["nowhere"]))
    define(monkeypatch, server.url, password="wrong")
    with pytest.raises(LoginRefused):
        run(sensor(deferrable=True))
    define(monkeypatch, "http://127.0.0.1:1")
    with pytest.raises(ServerUnavailable):
        run(sensor())


def test_waits_for_a_server_when_told_to_fail_silently(server, monkeypatch):
    server.then(LOAD, Reply(503))
    assert run(sensor(silent_fail=True, status="paused")) == SHOWN


def test_defers_with_all_that_the_trigger_needs(server):
    defer = deferred(sensor(deferrable=True, timeout=30, silent_fail=True))
    assert defer.method_name == "execute_complete"
    assert defer.timeout is not None
    assert defer.timeout.total_seconds() == 30
    path, arguments = defer.trigger.serialize()
    assert path == "taskops_provider.triggers.task_status.TaskStatusTrigger"
    assert json.loads(json.dumps(arguments)) == {
        "taskops_conn_id": "taskops_default",
        "targets": [{"dag_id": "sales", "task_id": "load"}, {"dag_id": "sales", "task_id": "check"}],
        "statuses": ["scheduling"],
        "poke_interval": 0.05,
        "go_on": True,
    }
    assert TaskStatusTrigger(**arguments).serialize() == (path, arguments)


def test_does_not_defer_when_it_is_so_already(server):
    assert run(sensor(deferrable=True, status="paused")) == SHOWN


@pytest.mark.slow
def test_defers_by_default_where_airflow_does():
    code = (
        "from taskops_provider.sensors.task_status import TaskStatusSensor as S;"
        "print(S(task_id='w', targets=[('a', 'b')]).deferrable)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "AIRFLOW__OPERATORS__DEFAULT_DEFERRABLE": "True"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split()[-1] == "True"


def test_the_trigger_fires_once_all_have_the_status(server):
    trigger = deferred(
        sensor(deferrable=True, targets=[("sales", "load")], external_dag_id=None, external_task_ids=None)
    ).trigger
    threading.Timer(0.2, server.tasks["sales", "load"].update, [{"status": "scheduling"}]).start()
    [event] = events(trigger)
    assert sensor().execute_complete({}, event.payload) == [
        {"dag_id": "sales", "task_id": "load", "status": "scheduling"}
    ]


def test_the_trigger_tells_what_goes_wrong(server, monkeypatch):
    trigger = deferred(sensor(deferrable=True)).trigger
    del server.tasks["sales", "check"]
    [event] = events(trigger)
    assert event.payload["permanent"] is True
    with pytest.raises(AirflowFailException, match="Task 'check' of Dag 'sales' does not exist"):
        sensor().execute_complete({}, event.payload)
    define(monkeypatch, "http://127.0.0.1:1")
    [event] = events(trigger)
    with pytest.raises(AirflowException, match="does not answer") as caught:
        sensor().execute_complete({}, event.payload)
    assert not isinstance(caught.value, AirflowFailException)


def test_the_trigger_goes_on_when_told_to_fail_silently(server):
    trigger = deferred(sensor(deferrable=True, silent_fail=True)).trigger
    for task in ("load", "check"):
        server.tasks["sales", task]["status"] = "scheduling"
    server.then(LOAD, Reply(503), Reply(500))
    [event] = events(trigger)
    assert event.payload["status"] == "success"
