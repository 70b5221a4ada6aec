"""Replenishments on a real Airflow, counted by what the tasks leave behind when they execute."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest

from tests.support.live import LiveAirflow

DAGS = """
import os
import time
from datetime import datetime
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.providers.standard.sensors.external_task import ExternalTaskSensor
from airflow.sdk import DAG, get_current_context, task

TIMES = {"schedule": "@hourly", "start_date": datetime(2025, 1, 1), "catchup": False}

def mark():
    ti = get_current_context()["ti"]
    with open(os.environ["MARKS"], "a") as marks:
        marks.write(f"{ti.dag_id} {ti.task_id} {ti.run_id}\\n")

def step(name):
    @task(task_id=name)
    def run():
        mark()
    return run()

with DAG("work", **TIMES):
    step("a") >> step("g") >> step("z")
    # stays scheduling, else the Dag would be paused; it needs no worker
    EmptyOperator(task_id="free")

with DAG("down", **TIMES):
    wait = ExternalTaskSensor(task_id="wait", external_dag_id="work", external_task_id="g", poke_interval=1)
    wait >> step("c") >> step("beside")

with DAG("mapped", **TIMES):
    @task
    def make():
        mark()
        return [1, 2]

    @task
    def use(x):
        mark()

    step("before") >> use.expand(x=make()) >> step("after")

with DAG("crash", **TIMES):
    @task
    def slow():
        parent = os.getppid()
        while not os.path.exists(os.environ["MARKS"] + ".go"):
            time.sleep(0.2)
        if os.getppid() != parent:
            os._exit(1)  # the scheduler was killed; a machine that dies takes this with it too
        mark()
    slow() >> step("last")
"""


@pytest.fixture(scope="module")
def live(tmp_path_factory) -> Iterator[LiveAirflow]:
    settings = {
        "AIRFLOW__SCHEDULER__USE_JOB_SCHEDULE": "False",  # no runs but those of these tests
        "AIRFLOW__SCHEDULER__JOB_HEARTBEAT_SEC": "1",
    }
    with LiveAirflow(tmp_path_factory.mktemp("replenish"), **settings) as airflow:
        airflow.write_dag("dags.py", DAGS)
        airflow.migrate()
        airflow.start("api-server")  # takes its time, and so does the rest
        airflow.airflow("dags", "reserialize")
        airflow.taskops("sync")
        # before anything else writes: on SQLite a backfill that is being created does not stand that
        airflow.taskops("tasks", "pause", "work", "a", "g", "z", "--downstream-effect", "run")
        airflow.airflow(
            *("backfill", "create", "--dag-id", "work", "--max-active-runs", "10"),
            *("--from-date", "2025-01-01T00:00:00", "--to-date", "2025-01-01T09:00:00"),
        )
        airflow.wait("the API server", airflow.answers)
        airflow.start("scheduler", "monitor")
        yield airflow


def marks(live: LiveAirflow, dag_id: str) -> Counter[tuple[str, str]]:
    """(task id, run id) -> how often it executed."""
    lines = [line.split() for line in live.marks.read_text().splitlines()]
    return Counter((task_id, run_id) for dag, task_id, run_id in lines if dag == dag_id)


def by_task(live: LiveAirflow, dag_id: str) -> Counter[str]:
    return Counter(live.executed(dag_id))


def create(live: LiveAirflow, *words: str) -> dict:
    return live.taskops("replenish", "create", *words)


def over(live: LiveAirflow, number: int) -> str | None:
    [[state, ended]] = live.query("SELECT state, ended_at FROM taskops_replenishment WHERE id = :id", id=number)
    return state if ended else None


def test_ten_cycles_of_a_paused_task_execute_once(live: LiveAirflow):
    """The runs are there, gated; of three tasks that did not execute just the one in the middle does."""
    live.wait("the gated runs", lambda: list(live.runs("work").values()) == ["success"] * 10)
    assert not live.executed("work")
    live.taskops("tasks", "start", "work", "a", "g", "z")

    span = ("--range", "2025-01-01", "2025-01-01T12:00", "--cells", "missing")
    plan = live.taskops("replenish", "plan", "--task", "work", "g", *span)
    assert plan["counts"]["by_class"] == {"gated": 10, "no_run": 3}
    ten = ("--range", "2025-01-01T00:00", "2025-01-01T09:00", "--max-active-runs", "4")
    shown = create(live, "--task", "work", "g", *ten, "--wait")
    assert (shown["state"], shown["percent_success"]) == ("success", 100.0)
    assert marks(live, "work") == {("g", run_id): 1 for run_id in live.runs("work")}


def test_missing_runs_with_a_downstream_in_another_dag_and_mapped_tasks(live: LiveAirflow):
    live.marks.write_text("")
    cycle = ("--range", "2025-01-02T00:00", "2025-01-02T01:00", "--max-active-runs", "2")
    across = create(live, "--task", "work", "g", "--downstream-depth", "2", *cycle)["replenishment_id"]
    mapped = create(live, "--task", "mapped", "use", *cycle)
    assert [line for line in mapped["warnings"] if "make executes too" in line]
    for number in (across, mapped["replenishment_id"]):
        assert live.wait(f"replenishment {number}", lambda n=number: over(live, n)) == "success"
    # within two steps of g: z beside the sensor, and what follows the sensor
    assert by_task(live, "work") == {"g": 2, "z": 2}
    assert by_task(live, "down") == {"c": 2}
    assert by_task(live, "mapped") == {"make": 2, "use": 4}


def test_every_process_is_killed_in_the_middle(live: LiveAirflow):
    span = ("--range", "2025-01-03T00:00", "2025-01-03T04:00", "--max-active-runs", "2")
    number = create(live, "--task", "crash", "slow", *span)["replenishment_id"]
    running = "SELECT count(*) FROM task_instance WHERE dag_id = 'crash' AND state = 'running'"
    live.wait("two of them to run", lambda: live.query(running) == [(2,)])
    for name in ("scheduler", "monitor", "api-server"):
        live.kill(name)
    (live.home / "marks.go").touch()
    # what a killed scheduler left behind is taken up within seconds; a live one that is slow would be taken for dead
    live.env["AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD"] = "10"
    live.env["AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL"] = "5"
    live.start("monitor")
    live.serve()
    live.start("scheduler")
    assert live.wait("the replenishment", lambda: over(live, number), timeout=180) == "success"
    executed = marks(live, "crash")
    assert executed == {("slow", run_id): 1 for run_id in live.runs("crash")}
    assert len(executed) == 5
