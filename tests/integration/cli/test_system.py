"""Sync, monitor and check; and the airflow command as a process of its own."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from airflow.models.log import Log
from airflow.models.pool import Pool
from sqlalchemy import select, update

from taskops_provider.models import Lease
from taskops_provider.monitor.loop import Monitor
from taskops_provider.monitor.steps import Step
from taskops_provider.services import health
from taskops_provider.services.health import check_health
from tests.support.airflow_db import write_dags
from tests.support.cli import Cli
from tests.support.scheduling import Scheduler
from tests.support.warehouse import chain, install, operate, retail, stored

AIRFLOW = [sys.executable, "-m", "airflow"]


@pytest.fixture
def cli(capsys, monkeypatch) -> Cli:
    return Cli(capsys, monkeypatch)


def airflow(*words: str, **kwargs) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*AIRFLOW, "taskops", *words], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, **kwargs
    )


def wait_for(condition: Callable[[], object], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.1)


def holder_of_the_lease(session) -> str | None:
    session.rollback()
    return session.scalar(select(Lease.holder).where(Lease.name == "monitor"))


def checks(found) -> dict[str, str]:
    return {check["name"]: check["level"] for check in found}


def test_sync_says_what_changed(session, cli):
    write_dags(retail(), session)
    answer = cli("sync")
    assert answer.lines[:2] == ["workflows: 4 added", "tasks: 9 added"]
    assert answer.lines[2].startswith("the index is up to date")
    write_dags([chain("orders", "extract", "load")], session)
    found = cli.json("sync")
    assert (found["workflows_changed"], found["tasks_gone"]) == (1, 1)
    assert len(cli("sync").lines) == 1


def test_monitor_once_plays_a_round(session, cli):
    install(session, [chain("d", "a")])
    operate(session, "pause", "d.a", downstream="skip")
    answer = cli("monitor", "--once")
    assert (answer.code, answer.out) == (0, "")
    assert "last round took" in answer.err
    assert set(session.scalars(select(Lease.name))) <= {"writer"}, "monitor and sender give their leases back"


def test_monitor_once_leaves_the_work_to_the_one_that_holds_the_lease(session, cli):
    at = datetime.now(UTC)
    session.add(Lease(name="monitor", holder="other", renewed_at=at, expires_at=at + timedelta(minutes=1)))
    session.commit()
    answer = cli("monitor", "--once")
    assert answer.code == 0
    assert answer.err.endswith("another monitor works; nothing was done\n")


def test_monitor_once_tells_when_a_step_fails(session, cli, monkeypatch):
    def fail(*_):
        raise RuntimeError("disk full")

    monkeypatch.setattr("taskops_provider.cli.commands.system.Monitor", lambda: Monitor(steps=[Step("drain", 0, fail)]))
    answer = cli("monitor", "--once")
    assert answer.code == 1
    assert "failing: drain: RuntimeError: disk full" in answer.err


def test_check_finds_what_is_wrong(session, cli):
    found = cli.json("check", code=1)
    assert checks(found) == {
        "airflow": "ok",
        "tables": "ok",
        "gate": "ok",
        "coverage": "ok",
        "pools": "warning",
        "index": "warning",
        "monitor": "error",
        "drains": "ok",
        "alarms": "ok",
    }
    assert list(found[0]) == ["name", "level", "message"]
    cli("sync")
    cli("monitor", "--once")
    at = datetime.now(UTC)
    session.add(Lease(name="monitor", holder="h", renewed_at=at, expires_at=at + timedelta(minutes=1), note="fine"))
    session.commit()
    assert set(checks(cli.json("check")).values()) == {"ok"}
    answer = cli("check")
    assert (answer.code, answer.err) == (0, "")
    assert "h, seen 0 s ago; fine" in answer.out

    session.execute(update(Pool).where(Pool.pool == "taskops_hold").values(slots=3))
    session.commit()
    found = cli.json("check", code=1)
    assert checks(found)["pools"] == "error"
    assert "gated tasks can execute: taskops_hold has 3 slots, not 0" in next(
        one["message"] for one in found if one["name"] == "pools"
    )


def test_check_of_old_marks(session):
    install(session, [chain("d", "a")])
    at = datetime.now(UTC)
    session.add(Lease(name="monitor", holder="h", renewed_at=at, expires_at=at + timedelta(minutes=1)))
    session.commit()

    def level(name: str, when: datetime) -> str:
        return {check.name: check.level.value for check in check_health(session, when)}[name]

    assert level("index", at) == "ok"
    assert level("index", at + timedelta(hours=1)) == "warning"
    assert level("monitor", at) == "ok"
    assert level("monitor", at + timedelta(hours=1)) == "error"
    session.execute(update(Lease).values(note="last round took 1 s; failing: index: no"))
    assert level("monitor", at) == "warning"


def test_check_of_the_gate(session, monkeypatch):
    from airflow import settings

    monkeypatch.setattr(settings.task_instance_mutation_hook, "is_noop", True)
    assert {c.name: c.level.value for c in check_health(session, datetime.now(UTC))}["gate"] == "error"
    monkeypatch.undo()
    monkeypatch.setattr("taskops_provider.adapter.gate_state.POLICY_MODULE", "elsewhere")
    found = {c.name: c for c in check_health(session, datetime.now(UTC))}["gate"]
    assert "not registered" in found.message


def test_check_tells_of_drains(session, cli):
    install(session, [chain("d", "a")])
    Scheduler(session).create_run("d")
    operate(session, "pause", "d")
    told = {check["name"]: check for check in cli.json("check", code=1)}["drains"]
    assert (told["level"], told["message"]) == ("ok", "1 draining, the longest since 0 s: d (runs left: 1)")
    later = {c.name: c for c in check_health(session, datetime.now(UTC) + timedelta(days=3, hours=2))}["drains"]
    assert later.level is health.CheckLevel.WARNING
    assert "since 3 d 2 h" in later.message


def test_the_head_revision_is_that_of_the_migrations():
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    from taskops_provider.models.db_manager import TaskOpsDBManager

    config = Config(TaskOpsDBManager.alembic_file)
    config.set_main_option("script_location", TaskOpsDBManager.migration_dir)
    assert ScriptDirectory.from_config(config).get_heads() == [health.head_revision()]


def test_changes_leave_a_line_in_airflows_audit_log_reading_does_not(session, cli):
    install(session, [chain("d", "a")])
    cli("tasks", "list")
    cli("tasks", "pause", "d", "a")
    lines = session.execute(select(Log.event, Log.dag_id).where(Log.event.startswith("cli_"))).all()
    assert [tuple(line) for line in lines] == [("cli_tasks_pause", "d")]


@pytest.mark.slow
def test_as_a_process(session):
    install(session, [chain("d", "a", "b")])
    done = airflow("tasks", "pause", "d", "a", "--output", "json")
    assert (done.returncode, json.loads(done.stdout)["outcome"]) == (0, "success")
    assert stored(session, "d") == {"a": "paused", "b": "scheduling"}
    done = airflow("tasks", "pause", "d", "a", "b", "--output", "json", "--verbose")
    assert (done.returncode, json.loads(done.stdout)["outcome"]) == (3, "part_success")
    done = airflow("tasks", "pause", "d", "nope")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "error: task 'd nope' does not exist; `airflow taskops sync` reads new Dags in\n"
    assert airflow("tasks", "pause", "d", "a", "--downstream-effect", "x").returncode == 2


@pytest.mark.slow
def test_a_reader_that_has_enough(session):
    install(session, [chain("d", *(f"t{n}" for n in range(300)))])
    done = subprocess.run(
        f"{sys.executable} -m airflow taskops tasks list --output json | head -1", shell=True, capture_output=True
    )
    assert (done.stdout, done.stderr) == (b"[\n", b"")


@pytest.mark.slow
def test_before_airflow_was_migrated(tmp_path):
    environment = {
        **os.environ,
        "AIRFLOW_HOME": str(tmp_path),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{tmp_path}/empty.db",
    }
    done = airflow("tasks", "pause", "d", "a", env=environment)
    line = "error: TaskOps' tables are missing or old: run `airflow db migrate`\n"
    assert (done.returncode, done.stdout, done.stderr) == (1, "", line)


@pytest.mark.slow
def test_a_person_at_a_terminal_is_asked(session):
    install(session, [chain("d", "a")])
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*AIRFLOW, "taskops", "tasks", "pause", "d", "a", "-o", "json"],
        stdin=theirs,
        stderr=theirs,
        stdout=subprocess.PIPE,
    )
    os.close(theirs)
    seen = b""
    while b"[y/N]" not in seen:
        seen += os.read(ours, 1000)
    os.write(ours, b"y\n")
    out, _ = process.communicate()
    os.close(ours)
    assert process.returncode == 0
    assert json.loads(out)["outcome"] == "success"
    assert b"scheduling -> paused" in seen


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_end_the_monitor(session, number):
    process = subprocess.Popen([*AIRFLOW, "taskops", "monitor"], stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    assert "SIGTERM ends it" in process.stderr.readline()
    wait_for(lambda: holder_of_the_lease(session))
    process.send_signal(number)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 0
    assert err.endswith("the monitor has ended\n")
    assert holder_of_the_lease(session) is None
