"""Settling and notes: idempotent, safe when several do it, a constant number of queries."""

from __future__ import annotations

import threading
from datetime import UTC, datetime

import pytest
from airflow import settings
from airflow.models.dagrun import DagRun
from airflow.models.taskinstance import TaskInstance as TI
from airflow.models.taskinstance import TaskInstanceNote
from airflow.sdk import DAG
from sqlalchemy import func, select, update

from taskops_provider.models import GateInterval
from taskops_provider.services.gate import settle as gate_settle
from tests.support.airflow_db import new_session, serialized, write_dags
from tests.support.gates import EFFECTS, gate, hours_ago, note_of, operation, play, settle, task
from tests.support.queries import counted_queries
from tests.support.scheduling import Scheduler


def stopped_instances(session, count: int, effect: str = "skip", dag_id: str = "d") -> Scheduler:
    """A run with ``count`` gated roots that the scheduler stopped."""
    with DAG(dag_id, schedule=None) as dag:
        for i in range(count):
            task(f"t{i}")
    write_dags([dag], session)
    gate(session, dag_id, "", effect)
    scheduler = Scheduler(session)
    scheduler.create_run(dag_id)
    scheduler.schedule(dag_id)
    return scheduler


def states(session) -> dict[str | None, int]:
    session.expire_all()
    return dict(session.execute(select(TI.state, func.count()).group_by(TI.state)).all())


@pytest.mark.parametrize("effect", ["skip", "run", "fail"])
def test_settled_instances_look_like_never_started_ones(session, effect):
    stopped_instances(session, 1, effect)
    now = datetime.now(UTC)
    assert gate_settle.settle(session, now) == 1
    session.commit()
    session.expire_all()
    ti = session.scalars(select(TI)).one()
    assert (ti.start_date, ti.end_date, ti.duration, ti.updated_at) == (now, now, 0, now)
    assert ti.pool == f"taskops_{effect}"
    assert ti.hostname == ""


def test_settling_twice_changes_nothing(session):
    stopped_instances(session, 5)
    first = datetime.now(UTC)
    assert gate_settle.settle(session, first) == 5
    session.commit()
    assert gate_settle.settle(session, datetime.now(UTC)) == 0
    session.commit()
    assert set(session.scalars(select(TI.end_date))) == {first}


def test_held_ones_are_left(session):
    stopped_instances(session, 3, "hold")
    assert gate_settle.settle(session, datetime.now(UTC)) == 0
    assert states(session) == {"up_for_retry": 3}


def test_queries_are_constant(session):
    counts = []
    for size in (5, 200):
        stopped_instances(session, size, dag_id=f"d{size}")
        with counted_queries(savepoints=False) as sent:
            assert gate_settle.settle(session, datetime.now(UTC)) == size
        session.commit()
        counts.append(len(sent))
    # the second time there is one Dag more to ask after
    assert counts[0] <= counts[1] <= counts[0] + 1 <= 20
    with counted_queries(savepoints=False) as sent:
        gate_settle.settle(session, datetime.now(UTC))
        gate_settle.annotate(session)
    assert len(sent) <= 5


def test_annotate_queries_are_constant(session):
    counts = []
    for size in (5, 200):
        stopped_instances(session, size, dag_id=f"d{size}")
        with counted_queries(savepoints=False) as sent:
            assert gate_settle.annotate(session) == size
        session.commit()
        counts.append(len(sent))
    assert counts[0] == counts[1] <= 6


def test_several_settle_at_once(session):
    """Each instance is settled once, by one of them; none waits for another for long and none fails."""
    stopped_instances(session, 60)
    session.commit()
    counts: list[int] = []
    errors: list[Exception] = []
    start = threading.Barrier(4)

    def work():
        start.wait()
        for _ in range(6):
            try:
                with new_session() as own:
                    counts.append(gate_settle.settle(own, datetime.now(UTC)))
                    own.commit()
            except Exception as error:
                errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert errors == []
    assert sum(counts) == 60
    assert states(session) == {"skipped": 60}
    assert session.scalar(select(func.count()).select_from(TaskInstanceNote)) == 60


def test_one_that_is_cleared_at_that_moment_is_left(session):
    """What was read is old by the time it is written: the condition is repeated in the statement."""
    stopped_instances(session, 1)
    from taskops_provider.adapter import runs

    stale = session.scalars(select(TI.id)).all()
    session.commit()
    with new_session() as other:
        serialized("d", other).clear(run_id="run_1", session=other)
        other.commit()
    assert runs.settle(session, stale, "taskops_skip", "skipped", datetime.now(UTC)) == 0
    session.commit()
    session.expire_all()
    assert [(ti.state, ti.pool) for ti in session.scalars(select(TI))] == [(None, "default_pool")]


@pytest.mark.parametrize(
    ("effect", "words"),
    [
        ("skip", "skipped without executing"),
        ("run", "counted as success without executing"),
        ("fail", "failed without executing"),
        ("hold", "held without executing"),
    ],
)
def test_the_note_names_operation_actor_state_reason_and_effect(session, effect, words):
    record = operation(session, actor="alice", reason="month-end\nfreeze")
    with DAG("d", schedule=None) as dag:
        task("g") >> task("after")
    write_dags([dag], session)
    gate(session, "d", "g", effect, operation=record)
    scheduler = Scheduler(session, settle=settle)
    scheduler.create_run("d")
    scheduler.run_to_end("d")
    note = note_of(session, "d", "g")
    assert note.startswith(f"TaskOps: paused by alice (operation {record.id}): month-end freeze; {words}")
    assert note_of(session, "d", "after") is None


@pytest.mark.parametrize("effect", EFFECTS)
def test_waiting_instances_have_their_note_at_once(session, effect):
    record = operation(session)
    with DAG("d", schedule=None) as dag:
        task("slow") >> task("g")
    write_dags([dag], session)
    gate(session, "d", "g", effect, operation=record, state="offline")
    Scheduler(session).create_run("d")
    assert gate_settle.annotate(session) == 1
    session.commit()
    assert note_of(session, "d", "g").startswith(f"TaskOps: offline by alice (operation {record.id}); ")
    assert gate_settle.annotate(session) == 0


def test_a_note_without_an_operation(session):
    play(session, simple(), {"g": "skip"})
    assert note_of(session, "d", "g").startswith("TaskOps: paused by TaskOps; skipped without executing")


def simple() -> DAG:
    with DAG("d", schedule=None) as dag:
        task("g")
    return dag


def test_a_note_without_an_interval_any_more(session):
    stopped_instances(session, 1)
    session.query(GateInterval).delete()
    session.commit()
    settle(session)
    session.commit()
    assert note_of(session, "d", "t0").startswith("TaskOps: gated by TaskOps; skipped without executing")


def test_a_long_reason_is_cut(session):
    record = operation(session, actor="a" * 250, reason="why " * 500)
    write_dags([simple()], session)
    gate(session, "d", "g", "skip", operation=record)
    scheduler = Scheduler(session, settle=settle)
    scheduler.create_run("d")
    scheduler.run_to_end("d")
    note = note_of(session, "d", "g")
    assert len(note) == 1000
    assert note.endswith("…; skipped without executing once everything upstream is done.")


def test_the_interval_in_force_when_the_run_was_made_is_named(session):
    old = operation(session, actor="alice")
    new = operation(session, actor="bob")
    write_dags([simple()], session)
    first = gate(session, "d", "g", "skip", operation=old, since=hours_ago(2))
    Scheduler(session).create_run("d")
    first.to_at = datetime.now(UTC)
    session.commit()
    gate(session, "d", "g", "skip", operation=new)
    gate_settle.annotate(session)
    session.commit()
    assert "by alice" in note_of(session, "d", "g")


def test_a_persons_note_is_left(session):
    write_dags([simple()], session)
    gate(session, "d", "g", "skip")
    scheduler = Scheduler(session, settle=settle)
    scheduler.create_run("d")
    ti = session.scalars(select(TI)).one()
    ti.note = ("ask Bob first", "carol")
    session.commit()
    scheduler.run_to_end("d")
    assert note_of(session, "d", "g") == "ask Bob first"
    assert scheduler.states("d") == {"g": "skipped"}


def test_a_cleared_instance_loses_our_note_and_keeps_a_persons(session):
    with DAG("d", schedule=None) as dag:
        task("g"), task("h")
    play(session, dag, {"g": "skip", "h": "skip"})
    session.execute(
        update(TaskInstanceNote)
        .where(TaskInstanceNote.ti_id.in_(select(TI.id).where(TI.task_id == "h")))
        .values(content="mine", user_id="carol")
    )
    serialized("d", session).clear(run_id="run_1", session=session)
    session.commit()
    assert note_of(session, "d", "g") is not None  # Airflow keeps notes when it clears
    gate_settle.annotate(session)
    session.commit()
    assert note_of(session, "d", "g") is None
    assert note_of(session, "d", "h") == "mine"


def test_history_is_not_scanned(session):
    """The two queries for waiting instances use the index on (pool, state)."""
    stopped_instances(session, 3)
    with counted_queries(savepoints=False) as sent:
        gate_settle.settle(session, datetime.now(UTC))
        gate_settle.annotate(session)
    if session.get_bind().dialect.name == "sqlite":
        session.rollback()
        with settings.engine.connect() as connection:
            plan = connection.exec_driver_sql(
                "EXPLAIN QUERY PLAN SELECT id FROM task_instance WHERE pool IN ('taskops_skip','taskops_hold') "
                "AND state = 'up_for_retry'"
            ).all()
        assert "ti_pool" in str(plan)
    assert sent


def test_a_run_that_a_scheduler_has_is_looked_at_again_at_once(session):
    """Schedulers lock the runs that they look at, each loop, also if they change nothing."""
    if session.get_bind().dialect.name == "sqlite":
        pytest.skip("SQLite has no row locks")
    stopped_instances(session, 1)
    with new_session() as other:
        other.execute(select(DagRun).with_for_update()).all()
        (run,) = gate_settle.runs_to_settle(session, datetime.now(UTC))
        assert gate_settle.settle_run(session, run, datetime.now(UTC)) == 0
        session.commit()
        other.rollback()
    assert gate_settle.runs_to_settle(session, datetime.now(UTC)) == [run]
    assert gate_settle.settle_run(session, run, datetime.now(UTC)) == 1
    session.commit()
    assert states(session) == {"skipped": 1}
