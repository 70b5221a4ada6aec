"""The replenishment operator, sensor and trigger over HTTP: what they ask, wait for, say, and do when ended."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.exceptions import AirflowProviderDeprecationWarning
from airflow.sdk.exceptions import AirflowFailException, TaskDeferred

from taskops_provider.hooks import server as asking
from taskops_provider.hooks.errors import NoAnswer, NotFound, ReplenishmentFailed, RequestRefused, ServerUnavailable
from taskops_provider.operators.replenishment import DataReplenishmentOperator
from taskops_provider.sensors.replenishment import ReplenishmentSensor
from taskops_provider.triggers.replenishment import ReplenishmentTrigger

ORIGIN = "by Dag heal, task t, run r"
RANGES = [("2026-01-01", "2026-01-03")]


class Server:
    """Plays TaskOps: each look at a replenishment shows the next of ``course``."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, Any]] = []
        self.made: list[dict[str, Any]] = []
        self.course = [("running", 50.0), ("running", 50.0), ("success", 100.0)]
        self.execute = 3
        self.drop: str | None = None

    def shown(self, made: dict[str, Any]) -> dict[str, Any]:
        state, percent = made["course"][0] if len(made["course"]) == 1 else made["course"].pop(0)
        ended = state not in ("queued", "running")
        return {
            "replenishment_id": made["id"],
            "name": "work",
            "state": state,
            "percent_complete": percent,
            "counts": {"by_state": {"success": 2, "failed": 0 if state == "success" else 1}},
            "ended_at": "2026-01-05T00:00:00Z" if ended else None,
            "inputs": {"reason": made["body"].get("reason")},
        }

    def answer(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        parts = path.partition("?")[0].removeprefix("/taskops/v1/replenishments").strip("/").split("/")
        if parts == ["plan"]:
            return 200, {"cells": 3, "counts": {"execute": self.execute}, "warnings": ["a is paused"]}
        if parts == [""] and method == "POST":
            self.made.append({"id": len(self.made) + 1, "body": body, "course": [("queued", 0.0), *self.course]})
            return 201, self.shown(self.made[-1])
        if parts == [""]:
            found = [self.shown({**made, "course": made["course"][:1]}) for made in reversed(self.made)]
            return 200, {"replenishments": found, "total_entries": len(found)}
        if int(parts[0]) > len(self.made):
            return 404, {"detail": f"replenishment {parts[0]} does not exist"}
        made = self.made[int(parts[0]) - 1]
        if parts[1:] == ["cancel"]:
            made["course"] = [("cancelled", 100.0)]
        return 200, self.shown(made)


@pytest.fixture
def server(monkeypatch) -> Iterator[Server]:
    monkeypatch.setattr(asking, "FIRST_WAIT", 0.01)
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            length = int(self.headers.get("content-length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            state.asked.append((self.command, self.path, body))
            status, content = state.answer(self.command, self.path, body)
            if state.drop == f"{self.command} {self.path}":
                state.drop = None
                self.close_connection = True
                return
            answer = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        do_POST = do_GET

        def log_message(self, *_: Any) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    connection = {"conn_type": "taskops", "host": f"http://127.0.0.1:{http.server_port}", "password": "token"}
    monkeypatch.setenv("AIRFLOW_CONN_TASKOPS_DEFAULT", json.dumps({**connection, "extra": {"retries": 0}}))
    yield state
    http.shutdown()
    http.server_close()


def operator(**more: Any) -> DataReplenishmentOperator:
    common = {"workflows": ["work"], "ranges": RANGES, "poke_interval": 0.01}
    return DataReplenishmentOperator(task_id="t", **{**common, **more})


def context(try_number: int = 1) -> Any:
    ti = SimpleNamespace(dag_id="heal", task_id="t", run_id="r", map_index=-1, try_number=try_number)
    return {"ti": ti}


def sent(server: Server, path: str) -> list[Any]:
    return [body for method, asked, body in server.asked if (method, asked) == ("POST", f"/taskops/v1/{path}")]


def events(trigger: ReplenishmentTrigger) -> list[Any]:
    async def listen() -> list[Any]:
        return [event.payload async for event in trigger.run()]

    return asyncio.run(asyncio.wait_for(listen(), 20))


def test_it_sends_the_body_of_the_rest_api(server):
    operator(
        workflows=None,
        tasks=[("work", "g")],
        cells="missing, failed",
        downstream_depth=2,
        run_conf={"table": "x"},
        name="late",
        reason="gap",
        window="",
    ).execute(context())
    [body] = sent(server, "replenishments")
    assert body == sent(server, "replenishments/plan")[0]
    assert body == {
        "tasks": [{"dag_id": "work", "task_id": "g"}],
        "ranges": [{"from": "2026-01-01", "to": "2026-01-03"}],
        "cells": ["missing", "failed"],
        "upstream_depth": 0,
        "downstream_depth": 2,
        "max_active_runs": 1,
        "newest_first": False,
        "conf": {"table": "x"},
        "name": "late",
        "reason": f"gap ({ORIGIN})",
    }


def test_old_names_of_parameters_work_and_warn():
    """WORDS: until 1.0."""
    with pytest.warns(AirflowProviderDeprecationWarning, match="upstream is deprecated .* use upstream_depth"):
        assert operator(upstream=3).upstream_depth == 3
    with pytest.warns(AirflowProviderDeprecationWarning, match="downstream is deprecated .* use downstream_depth"):
        assert operator(downstream=4).downstream_depth == 4


def test_it_waits_and_says_what_has_changed(server, monkeypatch):
    lines: list[str] = []
    log = SimpleNamespace(
        info=lambda text, *values: lines.append(text % values if values else text), warning=lambda _: None
    )
    monkeypatch.setattr(DataReplenishmentOperator, "log", log)
    assert operator().execute(context())["state"] == "success"
    said = [line for line in lines if line.startswith("replenishment 1 is")]
    assert [line.partition(":")[0] for line in said] == [
        "replenishment 1 is queued, 0.0 %",
        "replenishment 1 is running, 50.0 %",
        "replenishment 1 is success, 100.0 %",
    ]


def test_without_waiting(server):
    assert operator(wait_for_completion=False).execute(context())["state"] == "queued"


def test_where_nothing_is_to_be_done(server):
    server.execute = 0
    assert operator().execute(context()) is None
    assert not server.made


@pytest.mark.parametrize("state", ["failed", "part_success", "cancelled"])
def test_it_fails_with_one_line_unless_it_succeeded(server, state):
    server.course = [(state, 100.0)]
    line = rf"^replenishment 1 \(work\) ended as {state}: 2 cells success, 1 cells failed$"
    with pytest.raises(ReplenishmentFailed, match=line):
        operator().execute(context())
    if state == "part_success":
        assert operator(part_success=True).execute(context())["state"] == state


def test_a_lost_answer_creates_no_second_one(server):
    server.drop = "POST /taskops/v1/replenishments"
    assert operator().execute(context())["state"] == "success"
    assert len(server.made) == 1


def test_a_lost_answer_where_none_is_found(server, monkeypatch):
    server.drop = "POST /taskops/v1/replenishments"
    monkeypatch.setattr(server, "made", type("Lost", (list,), {"__reversed__": lambda _: iter(())})())
    with pytest.raises(NoAnswer, match="may or may not have been carried out"):
        operator().execute(context())


def test_a_later_try_takes_up_what_goes_on(server):
    operator(wait_for_completion=False).execute(context())
    assert operator().execute(context(try_number=2))["replenishment_id"] == 1
    # that one is over: the next try makes one of what is left
    assert operator().execute(context(try_number=3))["replenishment_id"] == 2


def test_the_end_of_the_task_is_the_end_of_the_replenishment(server):
    made = operator(wait_for_completion=True, deferrable=True)
    with pytest.raises(TaskDeferred) as deferred:
        made.execute(context())
    made.on_kill()
    assert sent(server, "replenishments/1/cancel") == [{"reason": "the task that waited for it was ended"}]
    asyncio.run(deferred.value.trigger.on_kill())
    assert len(sent(server, "replenishments/1/cancel")) == 2
    operator().on_kill()  # before there is one


@pytest.mark.parametrize("ranges", ["2026-01-01", [("2026-01-01",)], ["2026-01-01"], {"from": 1}])
def test_what_is_no_range(server, ranges):
    with pytest.raises(RequestRefused, match="range"):
        operator(ranges=ranges).execute(context())


def test_it_needs_targets():
    with pytest.raises(ValueError, match="needs workflows or tasks"):
        DataReplenishmentOperator(task_id="t", ranges=RANGES)


def test_deferred(server):
    made = operator(deferrable=True)
    with pytest.raises(TaskDeferred) as deferred:
        made.execute(context())
    trigger = deferred.value.trigger
    assert trigger.cancel_on_kill
    path, arguments = trigger.serialize()
    assert path == "taskops_provider.triggers.replenishment.ReplenishmentTrigger"
    [event] = events(ReplenishmentTrigger(**arguments))
    assert made.execute_complete(context(), event)["state"] == "success"
    event["replenishment"]["state"] = "failed"
    with pytest.raises(ReplenishmentFailed):
        made.execute_complete(context(), event)


@pytest.mark.parametrize("deferrable", [False, True])
def test_the_sensor(server, deferrable):
    operator(wait_for_completion=False).execute(context())
    sensor = ReplenishmentSensor(task_id="s", replenishment_id="1", poke_interval=0.01, deferrable=deferrable)
    if deferrable:
        with pytest.raises(TaskDeferred) as deferred:
            sensor.execute({})
        assert not deferred.value.trigger.cancel_on_kill
        [event] = events(deferred.value.trigger)
        assert sensor.execute_complete({}, event)["state"] == "success"
    else:
        assert sensor.execute({})["state"] == "success"
    server.made[0]["course"] = [("part_success", 100.0)]
    with pytest.raises(ReplenishmentFailed, match="ended as part_success"):
        sensor.execute({})
    sensor.part_success = True
    assert sensor.execute({})["state"] == "part_success"


def test_errors_of_the_sensor_and_the_trigger(server, monkeypatch):
    with pytest.raises(NotFound, match="replenishment 7 does not exist"):
        ReplenishmentSensor(task_id="s", replenishment_id=7).execute({})
    with pytest.raises(RequestRefused, match="'x' is not the number of a replenishment"):
        ReplenishmentSensor(task_id="s", replenishment_id="x").execute({})
    [event] = events(ReplenishmentTrigger(taskops_conn_id="taskops_default", replenishment_id=7, poke_interval=0))
    assert event["permanent"]
    with pytest.raises(AirflowFailException, match="does not exist"):
        operator().execute_complete({}, event)
    connection = {"conn_type": "taskops", "host": "http://127.0.0.1:1", "password": "t", "extra": {"retries": 0}}
    monkeypatch.setenv("AIRFLOW_CONN_TASKOPS_DEFAULT", json.dumps(connection))
    with pytest.raises(ServerUnavailable):
        operator().execute(context())
