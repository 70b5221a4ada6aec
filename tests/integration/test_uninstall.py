"""Leaving: Airflow without the package runs its Dags to the end, and nothing that was stopped executes by surprise."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from airflow import settings as airflow_settings
from airflow.jobs.job import Job
from airflow.jobs.scheduler_job_runner import SchedulerJobRunner
from airflow.models.dag import DagModel
from airflow.models.dagrun import DagRun
from airflow.models.log import Log
from airflow.models.pool import Pool
from airflow.models.taskinstance import TaskInstance as TI
from airflow.sdk import DAG
from sqlalchemy import inspect, select, text, update

from taskops_provider.domain.leaving import StoppedTasks, WaitingInstances
from taskops_provider.exceptions import Conflict
from taskops_provider.models import CoveredScheduler, GateInterval, Replenishment, Task, Window, Workflow, metadata
from taskops_provider.models.db_manager import REVISION_HEADS_MAP, TaskOpsDBManager
from taskops_provider.monitor.loop import Monitor
from taskops_provider.monitor.sender import Sender
from taskops_provider.services.gate import advance_drains
from taskops_provider.services.gate.settle import ensure_pools
from taskops_provider.services.health import check_health
from taskops_provider.services.shared.actor import Actor, UnrestrictedPermissions
from taskops_provider.services.uninstall.apply import uninstall
from taskops_provider.services.uninstall.plan import UninstallChoices, UninstallPlan, plan_uninstall
from tests.support.cli import Cli
from tests.support.gates import task
from tests.support.replenishment_rows import create
from tests.support.scheduling import Scheduler
from tests.support.warehouse import chain, install, operate
from tests.support.windowing import make, once

ADMIN = Actor("root", "cli", UnrestrictedPermissions())
OURS = {*metadata.tables, TaskOpsDBManager.version_table_name}

#: hides the package from everything that looks for packages or imports it
_HIDDEN = """
import importlib.metadata, importlib_metadata, sys

def _hide(module):
    found = module.distributions
    module.distributions = lambda **kw: (d for d in found(**kw) if d.metadata["Name"] != "airflow-provider-taskops")

_hide(importlib.metadata)
_hide(importlib_metadata)

class _Hidden:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "taskops_provider":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, _Hidden())
"""

#: plays Airflow's scheduler and workers until no run is left; prints what executed, and the states of the runs
_PLAY = """
import sys
from airflow import settings
from airflow.executors.base_executor import BaseExecutor
from airflow.jobs.job import Job
from airflow.jobs.scheduler_job_runner import SchedulerJobRunner
from airflow.models.dag import DagModel
from airflow.models.dagbag import DBDagBag
from airflow.models.dagrun import DagRun
from airflow.models.taskinstance import TaskInstance as TI
from airflow.providers_manager import ProvidersManager
from airflow.utils.session import create_session
from sqlalchemy import select, update

assert "airflow-provider-taskops" not in ProvidersManager().providers
assert settings.task_instance_mutation_hook.is_noop, "no policy"
runner = SchedulerJobRunner(job=Job(), executors=[BaseExecutor()])
executed = []
with create_session(scoped=False) as session:
    session.execute(update(DagModel).values(is_paused=False))  # a person, who was told
    session.execute(update(DagRun).where(DagRun.state == "queued").values(state="running"))
    session.commit()
    for _ in range(12):
        for run in session.scalars(select(DagRun).where(DagRun.state == "running")).all():
            run.dag = DBDagBag(load_op_links=False).get_dag_for_run(run, session)
            ready, _ = run.update_state(session=session, execute_callbacks=False)
            run.schedule_tis(ready, session=session)
            session.commit()
        runner._executable_task_instances_to_queued(max_tis=1000, session=session)
        session.commit()
        for ti in session.scalars(select(TI).where(TI.state == "queued")).all():
            executed.append(f"{ti.dag_id}.{ti.task_id}")
            ti.set_state("success", session=session)
        session.commit()
    states = [f"{r.dag_id}/{r.run_id}={r.state}" for r in session.scalars(select(DagRun).order_by(DagRun.id))]
print("EXECUTED", *sorted(executed))
print("RUNS", *states)
"""


def without_the_package(tmp_path: Path) -> tuple[set[str], list[str]]:
    """Play Airflow in a process that has no TaskOps; return what executed and the states of the runs."""
    (tmp_path / "sitecustomize.py").write_text(_HIDDEN)
    env = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", _PLAY], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    lines = {line.split()[0]: line.split()[1:] for line in done.stdout.splitlines() if line[:4] in ("EXEC", "RUNS")}
    return set(lines["EXECUTED"]), lines["RUNS"]


@contextmanager
def tables_come_back() -> Iterator[None]:
    try:
        yield
    finally:
        with airflow_settings.engine.begin() as connection:
            if not inspect(connection).has_table(TaskOpsDBManager.version_table_name):
                metadata.create_all(connection)
                name = TaskOpsDBManager.version_table_name
                connection.execute(text(f"CREATE TABLE {name} (version_num VARCHAR(32) NOT NULL PRIMARY KEY)"))
                head = list(REVISION_HEADS_MAP.values())[-1]
                connection.execute(text(f"INSERT INTO {name} VALUES ('{head}')"))


def populate(session) -> Scheduler:
    """Runs with instances that wait by every effect, a Dag that drains, one that TaskOps paused, a replenishment."""
    with DAG("mixed", schedule=None) as mixed:
        for effect in ("skip", "run", "fail", "hold"):
            task(f"u_{effect}") >> task(f"g_{effect}") >> task(f"after_{effect}", trigger_rule="all_done")
    install(session, [mixed, chain("drains", "a", "b"), chain("drained", "a"), chain("free", "a"), chain("old", "x")])
    ensure_pools(session)
    session.commit()
    scheduler = Scheduler(session)
    scheduler.create_run("drains")
    for effect in ("skip", "run", "fail", "hold"):
        operate(session, "pause", f"mixed.g_{effect}", downstream=effect)
    scheduler.create_run("mixed")
    operate(session, "pause", "drains")
    operate(session, "pause", "drained")
    scheduler.create_run("free")
    create(session, "old.x", days=3)
    advance_drains.advance_drains(session, datetime.now(UTC))
    session.commit()
    return scheduler


def paused(session) -> set[str]:
    session.expire_all()
    return set(session.scalars(select(DagModel.dag_id).where(DagModel.is_paused.is_(True))))


def unfinished_in_our_pools(session) -> list[str]:
    session.expire_all()
    return list(session.scalars(select(TI.task_id).where(TI.pool.like("taskops_%"), TI.state == "up_for_retry")))


def test_airflow_without_the_package_runs_its_dags_to_the_end(session, tmp_path):
    scheduler = populate(session)
    scheduler.schedule("mixed")
    scheduler.work()  # every u_... has ended, so the turn of every g_... has come
    with tables_come_back():
        plan = uninstall(session, ADMIN, UninstallChoices(drop_tables=True), datetime.now(UTC))
        assert plan.waiting == {"fail": 1, "hold": 1, "run": 1, "skip": 1}
        assert plan.pause == ("drains", "mixed")
        assert plan.stay_paused == ("drained",)
        session.rollback()
        assert OURS.isdisjoint(inspect(session.connection()).get_table_names())
        session.rollback()
        states = scheduler.states("mixed")
        assert {name: states[f"g_{name}"] for name in plan.waiting} == {
            "skip": "skipped", "run": "success", "fail": "failed", "hold": "skipped",
        }  # fmt: skip
        assert paused(session) == {"drains", "mixed", "drained"}
        assert session.scalars(select(Pool.pool).where(Pool.pool.like("taskops%"))).all() == []
        session.rollback()
        executed, runs = without_the_package(tmp_path)
        assert executed == {*(f"mixed.after_{effect}" for effect in plan.waiting), "drains.a", "drains.b", "free.a"}
        assert {run.partition("=")[2] for run in runs} == {"success"}, runs
        assert len(runs) == 3


def test_what_waits_may_execute_instead(session, tmp_path):
    populate(session)
    choices = UninstallChoices(StoppedTasks.EXECUTE, WaitingInstances.EXECUTE, drop_tables=True)
    with tables_come_back():
        plan = uninstall(session, ADMIN, choices, datetime.now(UTC))
        assert (plan.pause, plan.unpause, plan.stay_paused) == ((), ("drained",), ())
        assert paused(session) == set()
        assert unfinished_in_our_pools(session) == []
        session.rollback()
        executed, runs = without_the_package(tmp_path)
        assert {f"mixed.g_{effect}" for effect in ("skip", "run", "fail", "hold")} <= executed
        assert {run.partition("=")[2] for run in runs} == {"success"}, runs


def test_a_dry_run_changes_nothing_and_says_everything(session, capsys, monkeypatch):
    populate(session)
    cli = Cli(capsys, monkeypatch)
    before = [session.execute(text(f"SELECT count(*) FROM {name}")).scalar() for name in sorted(metadata.tables)]
    answer = cli("uninstall", "--dry-run")
    assert answer.code == 0, answer
    for words in (
        "7: drained.a (paused), drains.a (paused), drains.b (paused), mixed.g_fail (paused), mixed.g_hold (paused) and",
        "1 by fail, 1 by hold, 1 by run, 1 by skip",
        "2: drains, mixed",
        "4: taskops_fail, taskops_hold, taskops_run, taskops_skip",
        "stay until --drop-tables",
    ):
        assert words in answer.out
    found = cli.json("uninstall", "--dry-run", "--stopped", "execute")
    assert found["choices"] == {"stopped": "execute", "waiting": "settle", "drop_tables": False}
    assert (found["pause"], found["unpause"]) == ([], ["drained"])
    assert len(found["tables"]) == len(OURS)
    session.rollback()
    after = [session.execute(text(f"SELECT count(*) FROM {name}")).scalar() for name in sorted(metadata.tables)]
    assert after == before
    assert len(unfinished_in_our_pools(session)) == 4


def test_after_it_nothing_is_gated_and_no_monitor_works_until_one_stays(session, capsys, monkeypatch):
    scheduler = populate(session)
    now, hour = datetime.now(UTC), timedelta(hours=1)
    make(session, now, "free", times=once(now - hour, now + hour))
    make(session, now, "free", times=once(now + hour, now + 2 * hour))
    cli = Cli(capsys, monkeypatch)
    answer = cli("uninstall", "--yes")
    assert answer.code == 0, answer
    assert session.scalars(select(GateInterval).where(GateInterval.to_at > datetime.now(UTC))).all() == []
    assert set(session.scalars(select(Window.enabled))) == {False}
    assert "drop the tables with `airflow taskops uninstall --drop-tables`" in answer.err
    session.rollback()
    assert session.scalars(select(GateInterval).where(GateInterval.to_at.is_(None))).all() == []
    assert set(session.scalars(select(Task.state))) == {"scheduling"}
    assert session.scalars(select(Workflow.dag_id).where(Workflow.draining_since.is_not(None))).all() == []
    assert session.scalars(select(Replenishment.state)).all() == ["cancelled"]
    assert unfinished_in_our_pools(session) == []
    assert session.scalars(select(Log.event).where(Log.event == "taskops.uninstall")).all()
    session.rollback()
    for loop in (Monitor(interval=1), Sender(interval=1)):
        assert not loop.run_once(), "the pools would come back"
    assert session.scalars(select(Pool.pool).where(Pool.pool.like("taskops%"))).all() == []
    monitor = {one.name: one for one in check_health(session, datetime.now(UTC))}["monitor"]
    assert (monitor.level, "being uninstalled" in monitor.message) == ("error", True)
    scheduler.create_run("mixed", "run_2")
    assert set(scheduler.states("mixed", "run_2").values()) == {None}
    session.rollback()
    assert cli("uninstall", "--yes").code == 0, "it can be repeated"
    assert cli("uninstall", "--stay", "--drop-tables").code == 2
    assert "the monitors work again" in cli("uninstall", "--stay").err
    assert "nothing to do" in cli("uninstall", "--stay").err
    assert Monitor(interval=1).run_once()


def test_a_no_at_the_terminal_changes_nothing(session, capsys, monkeypatch):
    populate(session)
    answer = Cli(capsys, monkeypatch)("uninstall", answers="n\n")
    assert answer.code == 1
    assert "cancelled; nothing was changed" in answer.err
    assert len(unfinished_in_our_pools(session)) == 4


@pytest.mark.parametrize("who", ["scheduler", "monitor"])
def test_tables_stay_while_somebody_asks_them(session, who):
    populate(session)
    if who == "scheduler":
        job = Job()
        SchedulerJobRunner(job=job)
        job.prepare_for_execution(session=session)
        assert session.scalars(select(CoveredScheduler)).all()
    else:
        assert Monitor(interval=1).run_once()
    session.commit()
    waiting = len(unfinished_in_our_pools(session))
    session.rollback()
    with pytest.raises(Conflict, match="the tables cannot go while"):
        uninstall(session, ADMIN, UninstallChoices(drop_tables=True), datetime.now(UTC))
    session.rollback()
    assert inspect(session.connection()).has_table("taskops_task")
    assert len(unfinished_in_our_pools(session)) == waiting


def test_a_run_that_waits_for_its_dag_stands_still_and_is_not_skipped(session):
    scheduler = populate(session)
    session.execute(update(TI).where(TI.task_id == "g_hold").values(retry_reason="taskops:foreign"))
    session.commit()
    plan: UninstallPlan = plan_uninstall(session, UninstallChoices(), datetime.now(UTC))
    assert plan.waiting["hold"] == 1
    session.rollback()
    uninstall(session, ADMIN, UninstallChoices(), datetime.now(UTC))
    assert scheduler.states("mixed")["g_hold"] is None
    assert session.scalars(select(DagRun.state).where(DagRun.dag_id == "mixed")).all() == ["running"]
