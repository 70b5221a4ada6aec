"""The example Dags load, have no schedule, and undo what they do."""

from __future__ import annotations

import sys
from importlib import util
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG

DAGS = Path(__file__).parents[3] / "dags"
EXAMPLES = {
    "maintenance_window": "ops/maintenance/maintenance_window.py",
    "self_healing": "ops/monitoring/self_healing.py",
}


@pytest.fixture
def load(monkeypatch) -> Any:
    monkeypatch.setattr(sys, "path", [str(DAGS), *sys.path])
    monkeypatch.delitem(sys.modules, "retail_common", raising=False)

    def load_(dag_id: str) -> DAG:
        spec = util.spec_from_file_location(f"example_{dag_id}", DAGS / EXAMPLES[dag_id])
        assert spec is not None
        assert spec.loader is not None
        module = util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return getattr(module, dag_id)()

    yield load_
    sys.modules.pop("retail_common", None)


@pytest.mark.parametrize("dag_id", EXAMPLES)
def test_the_demo_stays_calm(load, dag_id):
    dag = load(dag_id)
    assert dag.dag_id == dag_id
    assert dag.schedule is None


def test_the_window_ends_whatever_happens_in_it(load):
    start = load("maintenance_window").get_task("start_writers")
    assert start.is_teardown
    assert start.on_failure_fail_dagrun
    assert "pause_writers" in start.upstream_task_ids
    pause = start.dag.get_task("pause_writers")
    assert pause.is_setup
    assert pause.resume_at


def test_the_paused_tasks_are_in_the_demo(load):
    """They would fail as unknown."""
    for dag_id, task_id in load("maintenance_window").get_task("pause_writers").targets:
        [path] = list(DAGS.rglob(f"{dag_id}.py"))
        assert task_id in path.read_text()
