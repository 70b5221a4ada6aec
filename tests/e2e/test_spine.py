"""A task paused by the command line is not run by a real Airflow: scheduler, dag-processor, API server, monitor."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.live import LiveAirflow

HEAD = """
import os
from datetime import datetime
from airflow.sdk import DAG, Asset, get_current_context, task

TABLE = Asset("s3://live/table")

def mark():
    context = get_current_context()
    ti = context["ti"]
    with open(os.environ["MARKS"], "a") as marks:
        marks.write(f"{ti.dag_id} {ti.task_id} {ti.run_id}\\n")

def step(name, **kwargs):
    @task(task_id=name, **kwargs)
    def run():
        mark()
    return run()
"""

CLOCK = (
    HEAD
    + """
with DAG("clock", schedule="* * * * *", start_date=datetime(2026, 1, 1), catchup=False):
    step("a") >> step("g", outlets=[TABLE]) >> step("z", trigger_rule="none_failed")

with DAG("fed", schedule=[TABLE], start_date=datetime(2026, 1, 1)):
    step("first") >> step("then")
"""
)

SLOW = (
    HEAD
    + """
import time

with DAG("slow", schedule=None, start_date=datetime(2026, 1, 1), max_active_runs=4):
    @task
    def long():
        gate = os.environ["MARKS"] + ".go"
        while not os.path.exists(gate):
            time.sleep(0.2)
        mark()
    long() >> step("last")
"""
)

VERSIONED = (
    HEAD
    + """
with DAG("versioned", schedule=None, start_date=datetime(2026, 1, 1)):
    step("a") >> step("b"){extra}
"""
)


@pytest.fixture(scope="module")
def live(tmp_path_factory) -> Iterator[LiveAirflow]:
    with LiveAirflow(tmp_path_factory.mktemp("live")) as airflow:
        airflow.write_dag("clock.py", CLOCK)
        airflow.write_dag("slow.py", SLOW)
        airflow.write_dag("versioned.py", VERSIONED.replace("{extra}", ""))
        airflow.migrate()
        airflow.airflow("dags", "reserialize")
        airflow.taskops("sync")
        airflow.start("dag-processor", "monitor")
        airflow.serve()
        airflow.start("scheduler")  # tasks fail for good when it starts them before the API server answers
        yield airflow


def finished(live: LiveAirflow, dag_id: str, run_id: str) -> bool:
    return live.runs(dag_id).get(run_id) in ("success", "failed")


def trigger(live: LiveAirflow, dag_id: str, run_id: str) -> None:
    live.airflow("dags", "trigger", dag_id, "--run-id", run_id)


def test_a_paused_task_is_not_executed_in_any_kind_of_run(live: LiveAirflow):
    done = live.taskops("tasks", "pause", "clock", "g", "--downstream-effect", "skip", "--reason", "live test")
    assert done["counts"] == {"applied": 1, "left_alone": 0, "blocked": 0}
    before = set(live.runs("clock"))

    trigger(live, "clock", "by_hand")
    live.airflow(
        *("backfill", "create", "--dag-id", "clock", "--from-date", "2026-02-01T00:00:00"),
        *("--to-date", "2026-02-01T00:00:30"),
    )
    live.wait("the manual run", lambda: finished(live, "clock", "by_hand"))
    assert live.states("clock", "by_hand") == {"a": "success", "g": "skipped", "z": "success"}

    def new(kind: str) -> list[str]:
        return [r for r in live.runs("clock") if r.startswith(kind) and r not in before and finished(live, "clock", r)]

    scheduled = live.wait("a scheduled run", lambda: new("scheduled__"), timeout=180)
    backfilled = live.wait("the backfill run", lambda: new("backfill__"), timeout=180)
    for run_id in (scheduled[0], backfilled[0]):
        assert live.states("clock", run_id) == {"a": "success", "g": "skipped", "z": "success"}
        assert live.executed("clock", run_id) == ["a", "z"]
    [[note]] = live.query(
        "SELECT n.content FROM task_instance_note n JOIN task_instance t ON t.id = n.ti_id"
        " WHERE t.dag_id = 'clock' AND t.task_id = 'g' AND t.run_id = 'by_hand'"
    )
    assert "paused" in note
    assert "live test" in note

    live.taskops("tasks", "start", "clock", "g")
    trigger(live, "clock", "after_start")
    live.wait("the run after start", lambda: finished(live, "clock", "after_start"))
    assert live.executed("clock", "after_start") == ["a", "g", "z"]


def test_an_asset_triggered_run_obeys_too(live: LiveAirflow):
    live.taskops("tasks", "pause", "fed", "first", "--downstream-effect", "run")
    before = set(live.runs("fed"))
    trigger(live, "clock", "feeds")
    run_id = live.wait(
        "the asset-triggered run",
        lambda: next((r for r in live.runs("fed") if r not in before and finished(live, "fed", r)), None),
        timeout=180,
    )
    assert live.states("fed", run_id) == {"first": "success", "then": "success"}
    assert live.executed("fed", run_id) == ["then"]


def test_a_dead_monitor_lets_nothing_run_and_a_new_one_settles(live: LiveAirflow):
    live.taskops("tasks", "pause", "versioned", "a", "--downstream-effect", "run")
    live.kill("monitor")
    trigger(live, "versioned", "unattended")
    live.wait("the gated instance to stop", lambda: live.states("versioned", "unattended").get("a") == "up_for_retry")
    trigger(live, "slow", "other_work")  # the scheduler goes on with other things meanwhile
    live.wait("other work", lambda: live.states("slow", "other_work").get("long") == "running")
    assert live.executed("versioned", "unattended") == []
    live.start("monitor")
    live.wait("the run", lambda: finished(live, "versioned", "unattended"))
    assert live.states("versioned", "unattended") == {"a": "success", "b": "success"}
    assert live.executed("versioned", "unattended") == ["b"]
    live.taskops("tasks", "start", "versioned", "a")


def test_a_paused_workflow_drains_and_then_airflow_pauses_it(live: LiveAirflow):
    trigger(live, "slow", "in_flight")
    live.wait("a run in flight", lambda: live.states("slow", "in_flight").get("long") == "running")
    live.taskops("workflows", "pause", "slow")
    [shown] = live.taskops("workflows", "list", "--search", "slow")
    assert shown["status"] == "all_paused"
    assert shown["draining_runs"] == 2
    assert not live.is_paused("slow")
    (live.home / "marks.go").touch()
    live.wait("the Dag to be paused", lambda: live.is_paused("slow"))
    assert live.executed("slow", "in_flight") == ["long", "last"]
    assert live.executed("slow", "other_work") == ["long", "last"]
    live.airflow("dags", "unpause", "slow")
    live.wait("it to be paused again", lambda: live.is_paused("slow"))
    live.taskops("workflows", "start", "slow")
    assert not live.is_paused("slow")


def test_offline_survives_new_versions_and_restarts(live: LiveAirflow):
    """D6."""
    live.taskops("workflows", "offline", "versioned")
    live.write_dag("versioned.py", VERSIONED.replace("{extra}", ' >> step("c")'))

    def tasks() -> dict[str, str]:
        return {t["task_id"]: t["status"] for t in live.taskops("tasks", "list", "--dag-id", "versioned")}

    live.wait("the new version", lambda: "c" in tasks())
    live.kill("scheduler")
    live.kill("monitor")
    live.start("scheduler", "monitor")
    assert tasks() == {"a": "offline", "b": "offline", "c": "offline"}
    live.wait("the Dag to be paused", lambda: live.is_paused("versioned"))

    live.taskops("workflows", "submit", "versioned")
    assert tasks() == {"a": "scheduling", "b": "scheduling", "c": "scheduling"}
    trigger(live, "versioned", "resubmitted")
    live.wait("the run", lambda: finished(live, "versioned", "resubmitted"))
    assert live.executed("versioned", "resubmitted") == ["a", "b", "c"]


def test_a_deleted_workflow_stays_away_while_its_file_stays(live: LiveAirflow):
    live.taskops("workflows", "offline", "fed")
    live.taskops("workflows", "delete", "fed", "--downstream-effect", "run")
    live.taskops("sync")
    assert "fed" not in {w["dag_id"] for w in live.taskops("workflows", "list")}
    assert live.query("SELECT is_stale FROM dag WHERE dag_id = 'fed'") == [(False,)]


def test_check_says_that_all_is_well(live: LiveAirflow):
    done = live.airflow("taskops", "check", expect=None)
    assert done.returncode == 0, done.stdout
