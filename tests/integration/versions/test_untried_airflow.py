"""With a version of Airflow that lacks a name, Airflow lives, and one line says what of TaskOps does not work."""

from __future__ import annotations

import json

import pytest

from tests.support.faked_airflow import airflow_command, run_with_faked

TABLE_TYPES = ("airflow.utils.sqlalchemy", "UtcDateTime")
INSTANCES = ("airflow.models.taskinstance", "TaskInstance")
POLICIES = ("airflow", "policies")
CLI = ("airflow.cli.cli_config", "ARG_VERBOSE")
WEB = ("airflow.api_fastapi.core_api.security", None)

API_SERVER = """
import logging
from fastapi.testclient import TestClient
from airflow.api_fastapi.app import create_app
with TestClient(create_app()) as client:
    print("status", client.get("/api/v2/version").status_code, client.get("/taskops/v1/health").status_code)
"""

#: what the scheduler does for a run; a gated task of it is not gated if the gate does not work
SCHEDULER = """
from datetime import datetime, timezone
from airflow import settings
from airflow.models.dagrun import DagRun
from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG
from airflow.utils.types import DagRunTriggeredByType, DagRunType
from tests.support.airflow_db import serialized, write_dags
from tests.support.scheduling import Scheduler
with settings.NonScopedSession() as session:
    with DAG("faked", schedule=None) as dag:
        BashOperator(task_id="a", bash_command="true") >> BashOperator(task_id="b", bash_command="true")
    write_dags([dag], session)
    scheduler = Scheduler(session)
    scheduler.create_run("faked")
    print("run", scheduler.run_to_end("faked"), scheduler.executed_tasks())
"""


def lines(done) -> list[str]:
    return [line for line in (done.stdout + done.stderr).splitlines() if "TaskOps:" in line]


@pytest.mark.parametrize("missing", [POLICIES, WEB], ids=["policies", "web"])
def test_the_api_server_starts(missing):
    done = run_with_faked(API_SERVER, missing)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].startswith("status 200 ")
    told = lines(done)
    assert told
    assert all("Airflow 3.9.0, which is not tried (TaskOps was tried with 3.3 and 3.4)" in line for line in told)
    assert len(told) == len(set(told))


@pytest.mark.parametrize("missing", [INSTANCES, POLICIES], ids=["instances", "policies"])
def test_the_scheduler_creates_and_runs_runs(missing, session):
    done = run_with_faked(SCHEDULER, missing, only="taskops_provider.policies")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "run success ['a', 'b']"
    assert len([line for line in lines(done) if "the gate" in line]) == 1


@pytest.mark.parametrize(
    "missing", [TABLE_TYPES, CLI, ("airflow.cli.utils", None)], ids=["types", "cli", "redirection"]
)
def test_the_check_says_it_in_one_line(missing):
    done = run_with_faked(airflow_command("taskops", "check"), missing)
    assert done.returncode == 1
    assert "Traceback" not in done.stdout + done.stderr
    line = done.stdout.strip().splitlines()[-1]
    assert line.startswith("airflow | error | TaskOps: `airflow taskops check` does not work with Airflow 3.9.0")
    assert missing[0] in line


def test_other_commands_say_it_too_and_airflows_own_work():
    done = run_with_faked(airflow_command("taskops", "tasks", "list"), TABLE_TYPES)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.strip().splitlines()[-1].startswith("error: TaskOps: `airflow taskops tasks list` does not work")
    assert "Traceback" not in done.stderr
    own = run_with_faked(airflow_command("version"), TABLE_TYPES, POLICIES)
    assert own.returncode == 0
    assert "Traceback" not in own.stderr


def test_the_check_in_json():
    done = run_with_faked(airflow_command("taskops", "check", "--output", "json"), INSTANCES)
    assert [(one["name"], one["level"]) for one in json.loads(done.stdout)] == [("airflow", "error")]


def test_a_version_that_lacks_nothing_is_a_warning():
    done = run_with_faked(airflow_command("taskops", "check", "--output", "json"))
    found = {one["name"]: one for one in json.loads(done.stdout)}
    assert found["airflow"]["level"] == "warning"
    assert "Airflow 3.9.0 is not tried" in found["airflow"]["message"]


def test_airflow_migrates_its_own_tables_without_ours(tmp_path):
    where = {"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{tmp_path}/a.db"}
    done = run_with_faked(airflow_command("db", "migrate"), TABLE_TYPES, environment=where)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "a.db").stat().st_size


def test_a_hook_that_airflow_would_refuse_is_not_installed():
    """Airflow does not start with a hook whose arguments it does not know."""
    code = """
import airflow.policies
def task_instance_mutation_hook(instance): ...
airflow.policies.task_instance_mutation_hook = task_instance_mutation_hook
import importlib, taskops_provider.policies as ours
before = [name for name in vars(ours) if name == "task_instance_mutation_hook"]
for name in before: delattr(ours, name)
importlib.reload(ours)
print("hooks", hasattr(ours.task_instance_mutation_hook, "airflow.policy_impl"))
"""
    done = run_with_faked(code)
    assert done.stdout.splitlines()[-1] == "hooks False"
    assert "Airflow asks cluster policies with instance" in done.stdout + done.stderr
