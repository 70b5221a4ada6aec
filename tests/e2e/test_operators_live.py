"""Operators and sensors in a running Airflow, through its real API server, under both auth managers."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.live import FAB, SIMPLE, LiveAirflow, free_port

DAGS = """
import os
from datetime import datetime, timedelta
from airflow.sdk import DAG, task
from taskops_provider.hooks.taskops import TaskOpsHook
from taskops_provider.operators.replenishment import DataReplenishmentOperator
from taskops_provider.operators.tasks import *
from taskops_provider.sensors.replenishment import ReplenishmentSensor
from taskops_provider.sensors.task_status import TaskStatusSensor

START = datetime(2026, 1, 1)

# `c` has an owner who can be told, and one whom nobody knows
with DAG("work", schedule=None, start_date=START):
    @task
    def a(): pass

    @task
    def b(): pass

    @task(owner="carol@example.com,bob")
    def c(): pass

    a() >> b() >> c()

with DAG("window", schedule=None, start_date=START):
    BOTH = {"external_dag_id": "work", "external_task_ids": ["a", "b"]}

    # Waits in the triggerer: `go` lets the pause happen only then. Not too short an interval: where a trigger fires
    # before the scheduler has heard of the deferral, Airflow takes the task for one that was killed.
    wait = TaskStatusSensor(task_id="wait", **BOTH, status=["paused"], deferrable=True, poke_interval=8)

    @task.sensor(poke_interval=0.5, timeout=120)
    def go():
        return os.path.exists(os.environ["MARKS"] + ".go")

    pause = PauseTasksOperator(
        task_id="pause", **BOTH, downstream="hold", resume_at=timedelta(hours=1), reason="of {{ run_id }}", ticket="O-1"
    )
    # over a token instead of a login
    look = TaskStatusSensor(task_id="look", targets=pause.output, status="paused", taskops_conn_id="by_token")
    start = StartTasksOperator(task_id="start", targets=pause.output).as_teardown(setups=pause)
    offline = OfflineTasksOperator(task_id="offline", targets=[("work", "c")], downstream="run", notify_owners=True)
    submit = SubmitTasksOperator(task_id="submit", workflows=["work"])

    @task
    def read():
        return TaskOpsHook().get_task("work", "c")["status"]

    @task
    def told(answer):
        # with users of its own, who may not read them is not told whether bob has an address
        assert answer["notified"] in (
            {"told": ["carol@example.com"], "unreachable": ["bob"], "channels": ["email"]},
            {"told": ["bob", "carol@example.com"], "unreachable": [], "channels": ["email"]},
        )

    go() >> pause >> look >> offline >> read() >> told(offline.output) >> submit
    [wait, submit] >> start

with DAG("fails", schedule=None, start_date=START, default_args={"retries": 1, "retry_delay": timedelta(seconds=1)}):
    A = [("work", "a")]
    PauseTasksOperator(task_id="wrong_password", targets=A, taskops_conn_id="wrong_password")
    PauseTasksOperator(task_id="no_permission", targets=A, taskops_conn_id="no_permission")
    PauseTasksOperator(task_id="unknown_task", targets=[*A, ("work", "nowhere")])
    PauseTasksOperator(task_id="server_down", targets=A, taskops_conn_id="down")

# what is replenished: a workflow for each, for Airflow has one backfill of a Dag at a time
for name in ("one", "two", "endless", "without_end"):
    with DAG(name, schedule="@daily", start_date=START, catchup=False, is_paused_upon_creation=True):
        @task
        def work(name=name):
            import time
            while name in ("endless", "without_end"):
                time.sleep(1)

        work()

def fill(task_id, dag_id, deferrable, first="2026-01-01", last="2026-01-02"):
    return DataReplenishmentOperator(
        task_id=task_id, tasks=[(dag_id, "work")], ranges=[(first, last)], max_active_runs=2, deferrable=deferrable,
        poke_interval=8 if deferrable else 1,
    )

with DAG("fills", schedule=None, start_date=START, default_args={"retries": 1, "retry_delay": timedelta(seconds=1)}):
    fill("waits", "one", False)
    fill("deferred", "two", True)
    fill("killed", "endless", False)
    fill("killed_deferred", "without_end", True)
    fill("refused", "one", False, "2999-01-01", "2999-01-02")
    queue = DataReplenishmentOperator(
        task_id="queue", tasks=[("one", "work")], ranges=[("2026-01-05", "2026-01-05")], wait_for_completion=False
    )
    NUMBER = "{{ ti.xcom_pull('queue')['replenishment_id'] }}"
    queue >> ReplenishmentSensor(task_id="poking", replenishment_id=NUMBER, poke_interval=1)
    queue >> ReplenishmentSensor(task_id="deferring", replenishment_id=NUMBER, deferrable=True, poke_interval=8)
"""

PROBLEMS = {
    "wrong_password": "cannot log in to pause tasks at {url} as 'op' (connection 'wrong_password'): "
    "the user name or password is wrong (Invalid credentials (HTTP 401))",
    "no_permission": "pause does not apply to 1 of 1 targets, nothing was changed: "
    # the login is the password too, and Airflow masks passwords
    "work a: you may not change this Dag; asked {url} as '***' (connection 'no_permission')",
    "unknown_task": "cannot pause tasks at {url} as 'op' (connection 'taskops_default'): "
    "task 'work nowhere' does not exist",
    "server_down": "cannot log in to pause tasks at {down} as 'op' (connection 'down'): "
    "it does not answer: [Errno 111] Connection refused; tried 2 times",
}


@pytest.fixture(scope="module", params=[SIMPLE, FAB], ids=["simple", "fab"])
def live(request, tmp_path_factory) -> Iterator[LiveAirflow]:
    home = tmp_path_factory.mktemp("operators")
    with LiveAirflow(home, request.param, AIRFLOW__CORE__TEST_CONNECTION="Enabled") as airflow:
        airflow.write_dag("operators.py", DAGS)
        airflow.migrate()
        airflow.start("api-server")  # takes its time, and so does the rest
        airflow.make_users()
        airflow.airflow("dags", "reserialize")
        airflow.taskops("sync")
        define(airflow, "taskops_default", login="op", password="op")
        define(airflow, "wrong_password", login="op", password="guessed")
        define(airflow, "no_permission", login="viewer", password="viewer")
        define(airflow, "down", host=f"http://127.0.0.1:{free_port()}", login="op", password="op")
        airflow.wait("the API server", airflow.answers)
        define(airflow, "by_token", login="", password=airflow.token("admin"))
        airflow.start("scheduler", "triggerer")
        yield airflow


def define(airflow: LiveAirflow, conn_id: str, **fields: str) -> None:
    """Define a connection for the components that are started from now on."""
    connection = {"conn_type": "taskops", "host": airflow.url, "extra": {"retries": 1}, **fields}
    airflow.env[f"AIRFLOW_CONN_{conn_id.upper()}"] = json.dumps(connection)


def ask(
    airflow: LiveAirflow, path: str, body: dict[str, Any] | None = None, bearer: str = "", method: str | None = None
) -> Any:
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {bearer}"}
    content = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{airflow.url}{path}", content, headers, method=method)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def set_failed(airflow: LiveAirflow, path: str) -> bool:
    """Have Airflow's API set an instance failed; it gives up with a 500 if others keep SQLite locked."""
    try:
        ask(airflow, path, {"new_state": "failed"}, admin(airflow), "PATCH")
    except urllib.error.HTTPError as error:
        if error.code != 500:
            raise
        return False
    return True


def admin(airflow: LiveAirflow) -> str:
    return str(json.loads(airflow.env["AIRFLOW_CONN_BY_TOKEN"])["password"])


def run(airflow: LiveAirflow, dag_id: str) -> None:
    """Start a run; the command line would take many times as long."""
    ask(airflow, f"/api/v2/dags/{dag_id}/dagRuns", {"dag_run_id": "r", "logical_date": None}, admin(airflow))


def finished(airflow: LiveAirflow, dag_id: str) -> bool:
    return airflow.runs(dag_id).get("r") in ("success", "failed")


def errors_in_log(airflow: LiveAirflow, task_id: str, dag_id: str = "fails") -> list[dict[str, Any]]:
    """What the last try's log has of errors."""
    logs = sorted((airflow.home / "logs").glob(f"dag_id={dag_id}/run_id=r/task_id={task_id}/attempt=*.log"))
    entries = [json.loads(line) for line in logs[-1].read_text().splitlines() if line.startswith("{")]
    return [entry for entry in entries if entry.get("level") in ("error", "critical")]


def test_a_dag_pauses_and_starts_tasks_of_another(live: LiveAirflow):
    run(live, "window")
    live.wait("the sensor to be deferred", lambda: live.states("window", "r").get("wait") == "deferred")
    (live.home / "marks.go").touch()
    live.wait("the run", lambda: finished(live, "window"))
    states = live.states("window", "r")
    errors = {task_id: errors_in_log(live, task_id, "window") for task_id, state in states.items() if state == "failed"}
    assert (set(states.values()), errors) == ({"success"}, {})

    records = live.query(
        "SELECT verb, actor, source, reason, ticket, outcome, applied FROM taskops_operation ORDER BY id"
    )
    by = "by Dag window, task {}, run r"
    assert records == [
        ("pause", "op", "operator", f"of r ({by.format('pause')})", "O-1", "success", 2),
        ("offline", "op", "operator", by.format("offline"), None, "success", 1),
        ("submit", "op", "operator", by.format("submit"), None, "success", 1),
        ("start", "op", "operator", by.format("start"), None, "success", 2),
    ]
    # of those four `offline` alone was to tell the owners
    messages = "SELECT verb, recipient FROM taskops_alarm_delivery JOIN taskops_operation o ON o.id = operation_id"
    assert live.query(messages) == [("offline", "carol@example.com")]
    listed = ask(live, "/taskops/v1/tasks?dag_id=work", bearer=admin(live))
    shown = {task["task_id"]: task["status"] for task in listed["tasks"]}
    assert shown == {"a": "scheduling", "b": "scheduling", "c": "scheduling"}
    logs = "".join(path.read_text() for path in (live.home / "logs").rglob("*.log"))
    assert admin(live) not in logs


def test_what_goes_wrong_fails_the_task_with_one_clear_line(live: LiveAirflow):
    run(live, "fails")
    live.wait("the run", lambda: finished(live, "fails"))
    down = json.loads(live.env["AIRFLOW_CONN_DOWN"])["host"]
    tries = dict(live.query("SELECT task_id, try_number FROM task_instance WHERE dag_id = 'fails'"))
    for task_id, message in PROBLEMS.items():
        [error] = errors_in_log(live, task_id)
        [detail] = error["error_detail"]  # no chain of exceptions behind it
        assert detail["exc_value"].startswith(message.format(url=live.url, down=down))
        assert "\n" not in detail["exc_value"]
    # only what may pass by itself is tried again
    assert tries == {"wrong_password": 1, "no_permission": 1, "unknown_task": 1, "server_down": 2}
    assert live.query("SELECT count(*) FROM taskops_operation WHERE reason LIKE '%Dag fails%'") == [(0,)]


def test_the_button_of_the_connection_form(live: LiveAirflow):
    form = {"connection_id": "new", "conn_type": "taskops", "host": live.url, "login": "op", "extra": "{}"}
    good = ask(live, "/api/v2/connections/test", {**form, "password": "op"}, admin(live))
    assert good["status"] is True
    assert good["message"].startswith(f"TaskOps answers at {live.url} as 'op'")
    bad = ask(live, "/api/v2/connections/test", {**form, "password": "guessed"}, admin(live))
    assert bad["status"] is False
    assert "the user name or password is wrong" in bad["message"]


@pytest.mark.parametrize("live", [SIMPLE], indirect=True, ids=["simple"])
def test_replenishments_are_created_waited_for_and_cancelled_when_the_task_is_ended(live: LiveAirflow):
    """Deferrable and not; one line where the plan is refused. One auth manager: the hook is that of the tests above."""
    live.start("monitor")
    run(live, "fills")
    waiting = {"killed": "running", "killed_deferred": "deferred"}
    begun = "SELECT count(*) FROM task_instance WHERE dag_id IN ('endless', 'without_end') AND state = 'running'"
    live.wait("what is ended to wait", lambda: waiting.items() <= live.states("fills", "r").items())
    live.wait("what it waits for to run", lambda: live.query(begun) == [(4,)])
    for task_id in waiting:
        path = f"/api/v2/dags/fills/dagRuns/r/taskInstances/{task_id}"
        live.wait(f"Airflow to set {task_id} failed", lambda path=path: set_failed(live, path))
    live.wait("the run", lambda: finished(live, "fills"))

    states = live.states("fills", "r")
    failed = {"killed", "killed_deferred", "refused"}
    assert states == {task_id: "failed" if task_id in failed else "success" for task_id in states}
    assert len(states) == 8
    made = "SELECT dag_id, count(*) FROM dag_run WHERE run_type = 'backfill' AND state = 'success' GROUP BY dag_id"
    assert dict(live.query(made)) == {"one": 3, "two": 2}

    def cancelled() -> bool:
        query = "SELECT reason FROM taskops_operation JOIN taskops_replenishment r ON r.operation_id = "
        ended = live.query(f"{query} taskops_operation.id WHERE r.state = 'cancelled' ORDER BY 1")
        return [reason for (reason,) in ended] == [f"by Dag fills, task {task_id}, run r" for task_id in waiting]

    live.wait("both to be cancelled", cancelled)
    [error] = errors_in_log(live, "refused", "fills")
    [detail] = error["error_detail"]
    assert "lies in the future" in detail["exc_value"]
    assert "\n" not in detail["exc_value"]
