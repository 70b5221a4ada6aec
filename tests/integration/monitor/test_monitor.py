"""The monitor: one of any number works, a failing step stops no other, a killed one leaves nothing half done."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from airflow.models.pool import Pool
from airflow.models.taskinstance import TaskInstance as TI
from airflow.sdk import DAG
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from taskops_provider.exceptions import NotMigrated
from taskops_provider.models import GateInterval, Lease, Operation, OperationItem, Setting, Task
from taskops_provider.monitor import lease, leased, loop, thread
from taskops_provider.monitor.loop import Monitor
from taskops_provider.monitor.steps import STEPS, Step
from taskops_provider.services import retention
from taskops_provider.services.catalog import first_runs
from taskops_provider.services.gate import settle as gate_settle
from tests.support.airflow_db import new_session, serialized, write_dags
from tests.support.gates import gate, hours_ago, note_of, operation, task
from tests.support.queries import counted_queries
from tests.support.scheduling import Scheduler

NOTHING: tuple[Step, ...] = ()


def waiting_instance(session) -> Scheduler:
    """A gated instance that the scheduler stopped."""
    with DAG("d", schedule=None) as dag:
        task("g") >> task("after")
    write_dags([dag], session)
    gate(session, "d", "g", "run", operation=operation(session))
    scheduler = Scheduler(session)
    scheduler.create_run("d")
    scheduler.schedule("d")
    return scheduler


def later(seconds: float) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=seconds)


def test_one_round_does_everything(session):
    scheduler = waiting_instance(session)
    monitor = Monitor(interval=1)
    assert monitor.run_once()
    assert scheduler.states("d")["g"] == "success"
    assert note_of(session, "d", "g").startswith("TaskOps: paused by alice")
    assert len(session.scalars(select(Pool).where(Pool.pool.like("taskops%"))).all()) == 4
    assert session.scalars(select(Task.task_id).order_by(Task.task_id)).all() == ["after", "g"]
    assert "did pools" in monitor.status
    assert "failing" not in monitor.status


def test_a_round_with_nothing_to_do_is_cheap(session):
    monitor = Monitor(interval=1)
    monitor.run_once()
    with counted_queries(savepoints=False) as sent:
        monitor.run_once()
    assert len(sent) <= 17


def test_of_two_monitors_one_works(session):
    done: list[str] = []
    one = Monitor(1, [Step("x", 0, lambda s, now: done.append("one") or True)])
    two = Monitor(1, [Step("x", 0, lambda s, now: done.append("two") or True)])
    assert one.run_once()
    assert not two.run_once()
    assert one.run_once()
    assert done == ["one", "one"]


def test_a_stopped_monitor_hands_over_at_once(session):
    one, two = Monitor(1, NOTHING), Monitor(1, NOTHING)
    assert one.run_once()
    one.close()
    assert two.run_once()
    assert not one.run_once()


def test_a_lease_that_is_not_renewed_ends(session):
    one, two = Monitor(1, NOTHING), Monitor(1, NOTHING)
    assert one.run_once()
    assert not two.run_once(later(29))
    assert two.run_once(later(31))
    assert not one.run_once(later(32))


def test_the_lease_outlasts_five_long_rounds(session):
    assert lease.lifetime(2) == timedelta(seconds=30)
    assert lease.lifetime(20) == timedelta(seconds=100)


def test_the_lease_names_the_holder_and_what_it_did(session):
    monitor = Monitor(1, [Step("x", 0, lambda s, now: True)])
    monitor.run_once()
    monitor.run_once()
    row = session.get(Lease, "monitor")
    host, pid, unique = row.holder.rsplit(":", 2)
    assert host
    assert int(pid) == os.getpid()
    assert unique
    assert "did x" in row.note


def test_many_start_at_once_and_one_gets_the_lease(session):
    monitors = [Monitor(1, NOTHING) for _ in range(6)]
    start = threading.Barrier(len(monitors))
    held: list[bool] = []
    errors: list[Exception] = []

    def run(monitor):
        start.wait()
        try:
            held.append(monitor.run_once())
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(monitor,)) for monitor in monitors]
    for each in threads:
        each.start()
    for each in threads:
        each.join(30)
    assert errors == []
    assert sorted(held) == [False] * 5 + [True]


def explode(session, now):
    raise RuntimeError("boom\nwith details")


def test_an_exploding_step_stops_no_other(session, caplog):
    done: list[str] = []
    steps = [
        Step("before", 0, lambda s, now: done.append("before") or True),
        Step("bad", 0, explode),
        Step("after", 0, lambda s, now: done.append("after") or True),
    ]
    monitor = Monitor(0, steps)
    with caplog.at_level(logging.INFO, logger=loop.__name__):
        for _ in range(4):
            monitor.run_once()
    assert done == ["before", "after"] * 4
    assert "failing: bad: RuntimeError: boom" in monitor.status
    logged = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert len(logged) == 1  # once for each distinct error
    assert logged[0].exc_info


def test_a_failing_step_is_tried_less_and_less_often(session, monkeypatch):
    clock = [1000.0]
    monkeypatch.setattr(loop.time, "monotonic", lambda: clock[0])
    tried: list[float] = []

    def bad(session, now):
        tried.append(clock[0])
        raise RuntimeError("boom")

    monitor = Monitor(2, [Step("bad", 0, bad)])
    for _ in range(200):
        monitor.run_once()
        clock[0] += 2
    gaps = [after - before for before, after in pairwise(tried)]
    assert gaps[:5] == [2, 4, 8, 16, 32]
    assert set(gaps[5:]) == {60}


def test_what_an_exploding_step_wrote_is_undone(session):
    def half(session, now):
        session.add(Setting(project="", name="half", value="x", changed_at=now, changed_by="test"))
        session.flush()
        raise RuntimeError("boom")

    Monitor(1, [Step("half", 0, half)]).run_once()
    assert session.scalars(select(Setting)).all() == []


def test_a_step_that_works_again_says_so(session, caplog):
    fails = [True, False]

    def sometimes(session, now):
        if fails.pop(0):
            raise RuntimeError("boom")
        return True

    monitor = Monitor(0, [Step("sometimes", 0, sometimes)])
    with caplog.at_level(logging.INFO, logger=loop.__name__):
        monitor.run_once()
        monitor.run_once()
    assert "works again after 1 failures" in caplog.text
    assert "failing" not in monitor.status


def test_steps_have_schedules_of_their_own(session, monkeypatch):
    clock = [1000.0]
    monkeypatch.setattr(loop.time, "monotonic", lambda: clock[0])
    done: list[tuple[str, float]] = []
    steps = [
        Step("often", 0, lambda s, now: done.append(("often", clock[0])) or False),
        Step("seldom", 10, lambda s, now: done.append(("seldom", clock[0])) or False),
    ]
    monitor = Monitor(2, steps)
    for _ in range(7):
        monitor.run_once()
        clock[0] += 2
    assert [at for name, at in done if name == "seldom"] == [1000, 1010]
    assert len([at for name, at in done if name == "often"]) == 7


def test_the_database_goes_and_comes_back(session, monkeypatch, caplog):
    real = loop.create_session
    gone = [True]
    in_vain = []

    def sometimes(**options):
        if gone[0]:
            in_vain.append(options)
            raise OperationalError("SELECT 1", {}, Exception("no route to host"))
        return real(**options)

    for module in (leased, loop):
        monkeypatch.setattr(module, "create_session", sometimes)
    done = threading.Event()
    monitor = Monitor(0.01, [Step("x", 0, lambda s, now: done.set() or True)])
    stop = threading.Event()
    with caplog.at_level(logging.INFO, logger=leased.__name__):
        running = threading.Thread(target=monitor.run_forever, args=(stop,))
        running.start()
        wait_until(lambda: len(in_vain) > 3)
        gone[0] = False
        assert done.wait(10)
        stop.set()
        running.join(10)
    assert len([record for record in caplog.records if "waits for the database" in record.message]) == 1
    assert session.get(Lease, "monitor") is None  # given back


def test_it_waits_while_our_tables_are_missing(session, monkeypatch):
    missing = [True]

    def require(session):
        if missing[0]:
            raise NotMigrated("run `airflow db migrate`")

    monkeypatch.setattr(leased, "require_tables", require)
    monitor = Monitor(1, NOTHING)
    assert not monitor.run_once()
    assert session.get(Lease, "monitor") is None
    missing[0] = False
    assert monitor.run_once()


def test_in_a_thread(session, monkeypatch):
    monkeypatch.setenv("AIRFLOW__TASKOPS__MONITOR_INTERVAL", "0.05")
    scheduler = waiting_instance(session)
    end = thread.start_in_thread()
    try:
        wait_until(lambda: scheduler.states("d")["g"] == "success")
    finally:
        end()
    assert not [each for each in threading.enumerate() if each.name == "taskops-monitor"]
    session.expire_all()
    assert session.get(Lease, "monitor") is None


@pytest.mark.parametrize("wanted", ["True", "False"])
def test_in_the_lifespan_of_an_app(session, monkeypatch, wanted):
    monkeypatch.setenv("AIRFLOW__TASKOPS__MONITOR_IN_API_SERVER", wanted)

    async def live() -> bool:
        async with thread.lifespan(None):
            return any(each.name == "taskops-monitor" for each in threading.enumerate())

    assert asyncio.run(live()) is (wanted == "True")
    assert not [each for each in threading.enumerate() if each.name == "taskops-monitor"]


def wait_until(condition, seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


def start_process(script: str) -> subprocess.Popen:
    """Run a script against this test's database; wait until it printed ``ready``."""
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    for line in process.stdout:
        if line.strip() == "ready":
            return process
    raise AssertionError("the process ended")


def kill(process: subprocess.Popen) -> None:
    process.send_signal(signal.SIGKILL)
    process.wait(30)
    process.stdout.close()


@pytest.mark.slow
def test_a_killed_monitor_is_replaced(session):
    """Whatever it left waiting never executes, and another one settles it once the lease has ended."""
    process = start_process(
        "import threading\n"
        "from taskops_provider.monitor.loop import Monitor\n"
        "monitor = Monitor(0.1)\n"
        "assert monitor.run_once()\n"
        "print('ready', flush=True)\n"
        "monitor.run_forever(threading.Event())\n"
    )
    try:
        successor = Monitor(1)
        assert not successor.run_once()
    finally:
        kill(process)
    scheduler = waiting_instance(session)
    for _ in range(3):
        scheduler.round("d")
    assert scheduler.states("d") == {"g": "up_for_retry", "after": None}
    assert scheduler.executed == []
    assert not successor.run_once(later(20))
    assert successor.run_once(later(31))
    assert scheduler.states("d")["g"] == "success"
    assert scheduler.run_to_end("d") == "success"
    assert scheduler.executed_tasks() == ["after"]


@pytest.mark.slow
def test_one_killed_in_the_middle_of_settling_leaves_nothing_half_done(session):
    scheduler = waiting_instance(session)
    process = start_process(
        "import time\n"
        "from taskops_provider.monitor.loop import Monitor\n"
        "from taskops_provider.monitor.steps import Step\n"
        "from taskops_provider.services.gate import settle as gating\n"
        "def settle(session, now):\n"
        "    assert gating.settle(session, now) == 1\n"
        "    print('ready', flush=True)\n"
        "    time.sleep(600)\n"
        "Monitor(0.1, [Step('settle', 0, settle)]).run_once()\n"
    )
    kill(process)
    assert scheduler.states("d") == {"g": "up_for_retry", "after": None}
    assert note_of(session, "d", "g") is None
    session.rollback()
    assert Monitor(1).run_once(later(31))
    assert scheduler.states("d")["g"] == "success"
    assert note_of(session, "d", "g")


def test_the_steps_of_the_shipped_monitor():
    assert [step.name for step in STEPS] == [
        "pools",
        "orders",
        "held",
        "resume",
        "sweep",
        "coverage",
        "annotate",
        "settle",
        "replenishments",
        "drain",
        "index",
        "windows",
        "alarms",
        "exports",
        "first_runs",
        "metrics",
        "retention",
    ]


# first_runs


def indexed(session, *task_ids: str) -> None:
    session.add_all(
        Task(dag_id="d", task_id=t, display_name=t, task_type="BashOperator", definition_hash="-") for t in task_ids
    )
    session.commit()


def first_run_at(session) -> dict[str, datetime | None]:
    session.expire_all()
    return {row.task_id: row.first_run_at for row in session.scalars(select(Task))}


def test_first_runs_are_those_that_executed(session):
    with DAG("d", schedule=None) as dag:
        task("a") >> task("g") >> task("skipped")
    write_dags([dag], session)
    indexed(session, "a", "g", "skipped")
    gate(session, "d", "g", "skip")
    scheduler = Scheduler(session, settle=lambda s: gate_settle.settle(s, datetime.now(UTC)))
    assert not first_runs.record_first_runs(session, datetime.now(UTC))
    scheduler.create_run("d")
    scheduler.run_to_end("d")
    assert first_runs.record_first_runs(session, datetime.now(UTC))
    session.commit()
    started = session.scalars(select(TI.start_date).where(TI.task_id == "a")).one()
    assert first_run_at(session) == {"a": started, "g": None, "skipped": None}
    scheduler.create_run("d", "run_2")
    scheduler.run_to_end("d", "run_2")
    assert not first_runs.record_first_runs(session, datetime.now(UTC))
    session.commit()
    assert first_run_at(session)["a"] == started


def test_first_runs_follow_runs_until_they_end(session):
    """An instance that starts after a later run was seen is found; one cleared after its run had ended, too."""
    with DAG("d", schedule=None) as dag:
        task("a") >> task("b")
    write_dags([dag], session)
    indexed(session, "a", "b")
    gate(session, "d", "b", "skip", since=hours_ago(1))
    scheduler = Scheduler(session, settle=lambda s: gate_settle.settle(s, datetime.now(UTC)))
    scheduler.create_run("d", "run_1")
    scheduler.create_run("d", "run_2")
    first_runs.record_first_runs(session, datetime.now(UTC))
    session.commit()
    scheduler.run_to_end("d", "run_1")
    scheduler.run_to_end("d", "run_2")
    assert first_runs.record_first_runs(session, datetime.now(UTC))
    session.commit()
    assert first_run_at(session)["a"]
    assert first_run_at(session)["b"] is None
    serialized("d", session).clear(run_id="run_1", task_ids=["b"], session=session)
    session.commit()
    assert not first_runs.record_first_runs(session, datetime.now(UTC))
    scheduler.start_queued("d", "run_1")
    scheduler.run_to_end("d", "run_1")
    assert first_runs.record_first_runs(session, datetime.now(UTC))
    session.commit()
    assert first_run_at(session)["b"]


def test_first_runs_of_old_runs_cost_nothing(session, monkeypatch):
    with DAG("d", schedule=None) as dag:
        task("a")
    write_dags([dag], session)
    scheduler = Scheduler(session)
    for number in range(7):
        scheduler.create_run("d", f"run_{number}", logical_date=datetime(2026, 1, 1 + number, tzinfo=UTC))
        scheduler.run_to_end("d", f"run_{number}")
    monkeypatch.setattr(first_runs, "NEW_RUNS_PER_CALL", 3)
    for _ in range(3):
        first_runs.record_first_runs(session, datetime.now(UTC))
        session.commit()
    with counted_queries(savepoints=False) as sent:
        first_runs.record_first_runs(session, datetime.now(UTC))
    assert len(sent) == 3


# retention


def test_retention(session):
    old, new = hours_ago(24 * 200), hours_ago(1)
    forgotten = operation(session, at=old)
    of_state = operation(session, at=old)
    of_gate = operation(session, at=old)
    recent = operation(session, at=new)
    for each in (forgotten, recent):
        session.add(OperationItem(operation_id=each.id, dag_id="d", task_id="g", outcome="applied"))
    indexed(session, "g")
    session.scalars(select(Task)).one().state = "paused"
    session.scalars(select(Task)).one().state_operation_id = of_state.id
    closed = gate(session, "d", "g", "skip", since=hours_ago(24 * 300), until=old)
    lately = gate(session, "d", "g", "skip", since=hours_ago(24 * 300), until=new)
    still = gate(session, "d", "g", "skip", since=hours_ago(24 * 300), operation=of_gate)
    kept = {of_state.id, of_gate.id, recent.id}
    closed_id, intervals = closed.id, {lately.id, still.id}
    assert retention.delete_old_records(session, datetime.now(UTC))
    session.commit()
    assert set(session.scalars(select(Operation.id))) == kept
    assert set(session.scalars(select(OperationItem.operation_id))) == {recent.id}
    assert set(session.scalars(select(GateInterval.id))) == intervals
    assert closed_id not in intervals
    assert not retention.delete_old_records(session, datetime.now(UTC))


def test_retention_keeps_intervals_that_a_run_may_still_ask_for(session):
    with DAG("d", schedule=None) as dag:
        task("g")
    write_dags([dag], session)
    scheduler = Scheduler(session)
    run = scheduler.create_run("d")
    run.created_at = hours_ago(24 * 250)
    session.commit()
    gate(session, "d", "g", "skip", since=hours_ago(24 * 300), until=hours_ago(24 * 200))
    gate(session, "d", "g", "skip", since=hours_ago(24 * 400), until=hours_ago(24 * 399))
    retention.delete_old_records(session, datetime.now(UTC))
    session.commit()
    assert len(session.scalars(select(GateInterval)).all()) == 1
    scheduler.run_to_end("d")
    assert retention.delete_old_records(session, datetime.now(UTC))
    session.commit()
    assert session.scalars(select(GateInterval)).all() == []


def test_retention_in_chunks(session, monkeypatch):
    monkeypatch.setattr(retention, "CHUNK", 3)
    for _ in range(8):
        operation(session, at=hours_ago(24 * 200))
        gate(session, "d", "g", "skip", since=hours_ago(24 * 300), until=hours_ago(24 * 200))
    assert retention.delete_old_records(session, datetime.now(UTC))
    with new_session() as other:
        session.commit()
        assert other.scalars(select(Operation)).all() == []
        assert other.scalars(select(GateInterval)).all() == []
