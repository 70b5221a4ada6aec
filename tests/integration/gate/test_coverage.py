"""Processes without the gate: schedulers that are named, runs that are found and gated, or told."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from airflow import settings
from airflow.jobs.job import Job, JobState
from airflow.jobs.scheduler_job_runner import SchedulerJobRunner
from airflow.models.dagrun import DagRun
from airflow.sdk import DAG
from sqlalchemy import select, update

from taskops_provider.models import CoveredScheduler, EscapedRun, GateInterval, Task
from taskops_provider.monitor.loop import Monitor
from taskops_provider.services import retention
from taskops_provider.services.gate import coverage, sweep
from taskops_provider.services.health import Check, check_health
from tests.support.airflow_db import serialized
from tests.support.gates import note_of, settle, task
from tests.support.queries import counted_queries
from tests.support.scheduling import Scheduler
from tests.support.warehouse import install, operate
from tests.support.windowing import make, once

ENDS = {"skip": "skipped", "run": "success", "fail": "failed", "hold": "up_for_retry"}


@contextmanager
def no_gate() -> Iterator[None]:
    """This process creates runs as one without the package does."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(settings.task_instance_mutation_hook, "is_noop", True)
        yield


def start_scheduler(session, host: str = "host-a") -> Job:
    """Store the job of a scheduler as ``airflow scheduler`` does."""
    job = Job()
    job.hostname = host
    SchedulerJobRunner(job=job)
    job.prepare_for_execution(session=session)
    return job


def cover(session, now: datetime | None = None) -> int:
    """The monitor's part."""
    moment = now or datetime.now(UTC)
    found = coverage.dags_to_cover(session, moment)
    session.commit()
    done = 0
    for dag_id in found:
        done += coverage.cover_dag(session, dag_id, moment)
        session.commit()
    return done


def prepare(session, effect: str = "skip", verb: str = "pause") -> Scheduler:
    """``u >> g >> after``, g stopped for longer than a run takes to be created."""
    with DAG("d", schedule=None) as dag:
        task("u") >> task("g") >> task("after", trigger_rule="all_done")
    install(session, [dag])
    if verb == "delete":
        operate(session, "offline", "d.g")
    operate(session, verb, "d.g", downstream=effect)
    session.execute(update(GateInterval).values(watched_since=datetime.now(UTC) - timedelta(hours=1)))
    session.commit()
    sweep.dags_to_sweep(session, datetime.now(UTC))
    session.commit()
    assert cover(session) == 0
    return Scheduler(session, settle=settle)


def check(session, now: datetime | None = None) -> Check:
    return {one.name: one for one in check_health(session, now or datetime.now(UTC))}["coverage"]


@pytest.mark.parametrize("effect", ["skip", "run", "fail", "hold"])
@pytest.mark.parametrize("reached", ["nothing", "u", "queued"])
def test_a_run_of_a_process_without_the_gate_is_gated_before_it_executes(session, caplog, effect, reached):
    scheduler = prepare(session, effect)
    with no_gate():
        scheduler.create_run("d")
    if reached != "nothing":
        scheduler.schedule("d")
        scheduler.work()
    if reached == "queued":
        scheduler.schedule("d")
        assert scheduler.states("d")["g"] == "queued"
    with caplog.at_level(logging.ERROR):
        assert cover(session) == 1
    assert "was not asked when run run_1 of Dag d was created (cli)" in caplog.text
    assert scheduler.states("d")["g"] == "up_for_retry"
    scheduler.run_to_end("d")
    assert scheduler.states("d")["g"] == ENDS[effect]
    assert scheduler.executed_tasks() == (["u", "after"] if effect != "hold" else ["u"])
    assert note_of(session, "d", "g").startswith("TaskOps: paused by alice")
    told = check(session)
    assert told.level == "warning"
    assert "1 run of the last day" in told.message
    assert "1 instance gated in time and 0 executed: d run_1 (by cli)" in told.message
    assert check(session, datetime.now(UTC) + timedelta(days=2)).level == "ok"
    assert cover(session) == 0


@pytest.mark.parametrize("scope", ["d.g", "everything"])
def test_windows_are_covered_too_and_the_strictest_effect_counts(session, scope):
    scheduler = prepare(session, "skip")
    now = datetime.now(UTC)
    hour = timedelta(hours=1)
    # laid before it is open, so that nothing was on its way when it was
    names, more = ((), {"scope": {"everything": True}}) if scope == "everything" else ((scope,), {})
    make(session, now - hour, *names, times=once(now - hour / 2, now + hour), downstream="hold", **more)
    cover(session)
    with no_gate():
        scheduler.create_run("d", "run_0")
    cover(session, now + timedelta(minutes=2))
    with no_gate():
        scheduler.create_run("d", "run_2")
    assert cover(session, now + timedelta(minutes=2)) == (1 if scope == "d.g" else 3)
    assert scheduler.states("d", "run_2")["g"] == "up_for_retry"
    scheduler.run_to_end("d", "run_2")
    assert scheduler.states("d", "run_2")["g"] == "up_for_retry"
    assert scheduler.executed_tasks("run_2") == (["u"] if scope == "d.g" else [])


def test_a_window_that_is_over_is_not_looked_at(session):
    scheduler = prepare(session, "skip")
    operate(session, "start", "d.g")
    now = datetime.now(UTC)
    make(session, now - timedelta(hours=2), "d.g", times=once(now - timedelta(hours=1), now + timedelta(minutes=1)))
    cover(session)
    with no_gate():
        scheduler.create_run("d")
    assert cover(session, now + timedelta(minutes=2)) == 0


def test_what_executed_is_told(session, caplog):
    scheduler = prepare(session)
    job = start_scheduler(session, "host-b")
    with no_gate():
        run = scheduler.create_run("d")
    session.execute(update(DagRun).where(DagRun.id == run.id).values(creating_job_id=job.id))
    session.commit()
    for _ in range(3):
        scheduler.schedule("d")
        scheduler.work()
    assert "g" in scheduler.executed_tasks()
    with caplog.at_level(logging.ERROR):
        cover(session)
        cover(session)
    assert caplog.text.count("was not asked") == 1
    assert "0 instance" in check(session).message
    assert "1 executed: d run_1 (by scheduler on host-b)" in check(session).message
    row = session.scalars(select(EscapedRun)).one()
    assert (row.gated, row.executed) == (0, 1)
    retention.delete_old_records(session, datetime.now(UTC) + timedelta(days=400))
    assert session.scalars(select(EscapedRun)).all() == []


def test_what_may_execute_is_left_alone(session):
    """A cleared instance, a run that was there before, a planned end that has passed, another task."""
    scheduler = prepare(session)
    scheduler.create_run("d")
    scheduler.run_to_end("d")
    serialized("d", session).clear(task_ids=["g"], run_id="run_1", session=session)
    session.commit()
    assert cover(session) == 0
    operate(session, "start", "d.g")
    scheduler.create_run("d", "run_2")
    operate(session, "pause", "d.g")
    assert cover(session) == 0
    session.execute(update(GateInterval).values(seen_run_id=None, watched_since=None, after_run_id=0))
    session.execute(update(GateInterval).values(resume_at=datetime.now(UTC) - timedelta(hours=1)))
    session.commit()
    scheduler.create_run("d", "run_3")
    assert cover(session) == 0
    scheduler.start_queued("d", "run_1")
    for run_id in ("run_1", "run_2", "run_3"):
        scheduler.run_to_end("d", run_id)
        assert "g" in scheduler.executed_tasks(run_id), run_id


def test_an_offline_workflow_covers_tasks_that_have_no_interval_of_their_own(session):
    with DAG("d", schedule=None) as dag:
        task("g")
    install(session, [dag])
    operate(session, "offline", "d")
    with DAG("d", schedule=None) as dag:
        task("g") >> task("later")
    install(session, [dag])
    session.execute(update(GateInterval).values(seen_run_id=None))
    session.commit()
    cover(session)
    scheduler = Scheduler(session)
    with no_gate():
        scheduler.create_run("d")
    assert cover(session) == 2
    assert session.scalars(select(Task.state)).all() == ["offline", "offline"]
    assert set(scheduler.states("d").values()) == {"up_for_retry"}


def test_runs_are_looked_at_for_a_while_and_not_for_ever(session):
    scheduler = prepare(session)
    now = datetime.now(UTC)
    with no_gate():
        scheduler.create_run("d")
    assert cover(session, now + timedelta(hours=2)) == 1, "also what was created while no monitor ran"
    for minutes in (122, 124, 126):  # two of them would do
        cover(session, now + timedelta(minutes=minutes))
    with counted_queries(savepoints=False) as sent:
        assert coverage.dags_to_cover(session, now + timedelta(minutes=127)) == []
    assert len(sent) <= 2


def test_the_monitor_does_it(session):
    prepare(session)
    monitor = Monitor(interval=1)
    monitor.run_once()
    with no_gate():
        scheduler = Scheduler(session)
        scheduler.create_run("d")
    monitor.run_once()
    assert scheduler.states("d")["g"] == "up_for_retry"
    assert "coverage" in monitor.status
    assert "failing" not in monitor.status
    monitor.close()


def test_a_scheduler_says_that_it_has_the_gate(session):
    job = start_scheduler(session)
    row = session.scalars(select(CoveredScheduler)).one()
    assert (row.job_id, row.host, row.trouble) == (job.id, "host-a", "")
    assert check(session).level == "ok"
    assert check(session).message.startswith("1 scheduler with the gate, TaskOps ")
    session.execute(update(CoveredScheduler).values(version="0.0.1"))
    start_scheduler(session, "host-b")
    session.commit()
    assert check(session).level == "warning"
    assert "install the same version everywhere" in check(session).message


def test_a_scheduler_whose_gate_is_off_says_that_too(session):
    with no_gate():
        start_scheduler(session)
    assert check(session).level == "error"
    assert "the scheduler on host-a (job " in check(session).message
    assert "airflow_local_settings turned the hook off" in check(session).message


def test_a_scheduler_without_the_package_is_named(session):
    job = start_scheduler(session, "host-c")
    session.query(CoveredScheduler).delete()
    session.commit()
    told = check(session)
    assert told.level == "error"
    assert f"the scheduler on host-c (job {job.id}) is not known to have the gate" in told.message
    session.execute(update(Job).values(latest_heartbeat=datetime.now(UTC) - timedelta(hours=1)))
    session.commit()
    assert check(session).level == "ok", "it is not alive"
    session.execute(update(Job).values(latest_heartbeat=datetime.now(UTC), state=JobState.FAILED))
    session.commit()
    assert check(session).level == "ok"


def test_other_jobs_write_nothing_and_rows_of_ended_schedulers_go(session):
    job = Job(job_type="TriggererJob")
    job.prepare_for_execution(session=session)
    assert session.scalars(select(CoveredScheduler)).all() == []
    scheduler = start_scheduler(session)
    retention.delete_old_records(session, datetime.now(UTC))
    assert len(session.scalars(select(CoveredScheduler)).all()) == 1
    session.query(Job).filter(Job.id == scheduler.id).delete()
    retention.delete_old_records(session, datetime.now(UTC))
    assert session.scalars(select(CoveredScheduler)).all() == []


def test_a_scheduler_starts_whatever_becomes_of_our_row(session, monkeypatch, caplog):
    monkeypatch.setattr(CoveredScheduler, "__tablename__", "job")  # it is there, but is not ours
    monkeypatch.setattr("taskops_provider.adapter.gate_state.trouble", lambda: 1 / 0)
    with caplog.at_level(logging.WARNING):
        job = start_scheduler(session)
    assert job.id
    assert "could not note that this scheduler has the gate" in caplog.text
