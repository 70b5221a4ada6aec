"""What the hook, operators and sensors send over HTTP, and return, is as recorded."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from taskops_provider.hooks.taskops import TaskOpsHook
from taskops_provider.operators.replenishment import DataReplenishmentOperator
from taskops_provider.operators.tasks import (
    OfflineTasksOperator,
    PauseTasksOperator,
    StartTasksOperator,
    SubmitTasksOperator,
)
from taskops_provider.sensors.replenishment import ReplenishmentSensor
from taskops_provider.sensors.task_status import TaskStatusSensor
from tests.contract.golden.compare import Golden, as_text
from tests.contract.golden.world import frozen
from tests.support.taskops_server import Reply, TaskOpsServer, taskops_server

TWO = [("sales", "load"), ("sales", "check")]
RANGES = [("2026-01-01", "2026-01-03")]
OVER = {
    "replenishment_id": 7,
    "name": "again",
    "state": "success",
    "percent_complete": 100.0,
    "counts": {"by_state": {"success": 3, "failed": 0}},
    "ended_at": "2026-02-10T09:00:00Z",
    "inputs": {"reason": None},
}
MADE = {
    "POST /taskops/v1/replenishments/plan": {"cells": 3, "counts": {"execute": 3}, "warnings": ["sales is paused"]},
    "POST /taskops/v1/replenishments": OVER,
    "POST /taskops/v1/replenishments/7/pause": OVER,
    "GET /taskops/v1/replenishments/7": OVER,
    "GET /taskops/v1/replenishments": {"replenishments": [], "total_entries": 0},
}

#: what is made and run, or called
CALLS: dict[str, Callable[[], Any]] = {
    "get a task": lambda: TaskOpsHook().get_task("sales", "load"),
    "get tasks": lambda: TaskOpsHook().get_tasks(TWO),
    "get instances": lambda: TaskOpsHook().get_instances("sales", "load", limit=5, state=["failed"]),
    "get a workflow": lambda: TaskOpsHook().get_workflow("sales"),
    "list tasks": lambda: TaskOpsHook().list_tasks(dag_id="sales", status=["paused", "offline"]),
    "list workflows": lambda: TaskOpsHook().list_workflows(owner="ann"),
    "change tasks": lambda: TaskOpsHook().change_tasks("pause", TWO, downstream="run", reason="late", dry_run=True),
    "change workflows": lambda: TaskOpsHook().change_workflows("pause", ["sales"], ticket="OPS-1"),
    "plan a replenishment": lambda: TaskOpsHook().plan_replenishment(workflows=["sales"], ranges=RANGES),
    "create a replenishment": lambda: TaskOpsHook().create_replenishment(tasks=TWO, ranges=RANGES, cells="all"),
    "pause a replenishment": lambda: TaskOpsHook().control_replenishment(7, "pause", reason="busy"),
    "newest replenishments": lambda: TaskOpsHook().newest_replenishments(5),
    "pause": lambda: run(
        PauseTasksOperator, targets=TWO, downstream="run", reason="late", ticket="OPS-1", notify_owners=True,
        resume_at="2026-02-11T06:00:00+00:00", terminate_instances=True,
    ),
    "start": lambda: run(StartTasksOperator, targets=TWO, held="skip", fail_on_refused=False),
    "take offline": lambda: run(OfflineTasksOperator, workflows=["sales"], downstream="skip", cascade=True),
    "submit": lambda: run(
        SubmitTasksOperator, external_dag_id="sales", external_task_ids=["load"], fail_on_refused=False
    ),
    "replenish": lambda: run(
        DataReplenishmentOperator, workflows=["sales"], ranges=RANGES, cells=["missing"], upstream_depth=1,
        max_active_runs=2,
        newest_first=True, window="22:00-06:00", run_conf={"full": True}, reason="late", poke_interval=0.01,
    ),
    "wait for a status": lambda: bool(
        TaskStatusSensor(task_id="call", targets=TWO, status=["scheduling", "paused"]).poke(context())
    ),
    "wait for a replenishment": lambda: bool(ReplenishmentSensor(task_id="call", replenishment_id=7).poke(context())),
}  # fmt: skip


def context() -> Any:
    """What an operator knows of its run."""
    ti = SimpleNamespace(dag_id="night", task_id="call", run_id="manual__1", try_number=1, map_index=-1)
    return {"ti": ti, "ds": "2026-01-02", "run_id": ti.run_id}


def run(operator: Any, **arguments: Any) -> Any:
    """Make an operator and run it."""
    return operator(task_id="call", **arguments).execute(context())


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[TaskOpsServer]:
    with taskops_server() as running:
        connection = {"conn_type": "taskops", "host": running.url, "login": "bot", "password": "secret"}
        monkeypatch.setenv("AIRFLOW_CONN_TASKOPS_DEFAULT", json.dumps({**connection, "extra": {"retries": 0}}))
        yield running


def test_calls_are_as_recorded(server: TaskOpsServer, golden: Golden) -> None:
    parts = []
    for name, call in CALLS.items():
        server.add("sales", "load", "check")
        server.script = {request: [Reply(body=body)] * 2 for request, body in MADE.items()}
        server.seen.clear()
        with frozen():
            returned = call()
        sent = [
            f"{seen.method} {seen.path} {as_text({'query': seen.query, 'body': seen.body})}"
            for seen in server.seen
            if not seen.path.startswith("/auth/")
        ]
        parts += [f"## {name}\n", *sent, f"returns {as_text(returned)}\n"]
    golden.check("calls.txt", "\n".join(parts))
