"""What operations do to instances that exist: release, another effect for held ones, termination."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from airflow.models.dagrun import DagRun
from airflow.models.pool import Pool
from airflow.models.taskinstance import TaskInstance as TI
from airflow.models.trigger import Trigger
from airflow.providers.standard.operators.bash import BashOperator
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG
from sqlalchemy import select, update

from taskops_provider.domain.states import Downstream
from taskops_provider.models import Task
from taskops_provider.services.gate import existing_instances
from tests.support.airflow_db import write_dags
from tests.support.gates import EFFECTS, gate, note_of, operation, play, settle, task
from tests.support.queries import counted_queries
from tests.support.scheduling import Scheduler

G = [("d", "g")]
FINAL = {"skip": "skipped", "run": "success", "fail": "failed", "hold": "failed"}
BEGUN = (
    "queued",
    "running",
    "deferred",
    "up_for_reschedule",
    "up_for_retry",
    "restarting",
    "awaiting_input",
)


def chain(**options) -> DAG:
    with DAG("d", schedule=None) as dag:
        task("before") >> task("g", **options) >> task("after")
    return dag


def test_released_to_run(session):
    scheduler = play(session, chain(), {"g": "hold"})
    assert note_of(session, "d", "g")
    assert existing_instances.release(session, G, "run") == 1
    session.commit()
    assert note_of(session, "d", "g") is None
    assert scheduler.run_to_end("d") == "success"
    assert scheduler.executed_tasks() == ["before", "g", "after"]
    assert session.scalars(select(TI.try_number).where(TI.task_id == "g")).one() == 1
    assert existing_instances.release(session, G, "run") == 0


def test_released_to_the_tasks_own_pool(session):
    session.add(Pool(pool="taskops_test_own", slots=5, include_deferred=False))
    scheduler = play(session, chain(pool="taskops_test_own"), {"g": "hold"})
    session.add(
        Task(
            dag_id="d",
            task_id="g",
            display_name="g",
            task_type="BashOperator",
            pool="taskops_test_own",
            definition_hash="-",
            state="paused",
        )
    )
    session.commit()
    existing_instances.release(session, G, "run")
    session.commit()
    assert scheduler.raw_states("d")["g", -1] == (None, "taskops_test_own")


def test_released_while_it_waits_for_its_upstream(session):
    write_dags([chain()], session)
    gate(session, "d", "g", "hold")
    scheduler = Scheduler(session, settle=settle)
    scheduler.create_run("d")
    assert existing_instances.release(session, G, "run") == 1
    session.commit()
    scheduler.run_to_end("d")
    assert scheduler.executed_tasks() == ["before", "g", "after"]


def test_released_to_be_skipped(session):
    scheduler = play(session, chain(), {"g": "hold"})
    assert existing_instances.release(session, G, "skip") == 1
    session.commit()
    assert scheduler.run_to_end("d") == "success"
    assert scheduler.states("d") == {"before": "success", "g": "skipped", "after": "skipped"}
    assert "skipped without executing" in note_of(session, "d", "g")


def test_release_knows_two_ways(session):
    with pytest.raises(ValueError, match="allowed are run, skip"):
        existing_instances.release(session, G, "run_it")


@pytest.mark.parametrize("effect", ["skip", "run", "fail"])
@pytest.mark.parametrize("operator", [task, lambda task_id: EmptyOperator(task_id=task_id)])
def test_held_ones_of_a_task_that_goes_offline(session, effect, operator):
    with DAG("d", schedule=None) as dag:
        operator("g") >> task("after")
    scheduler = play(session, dag, {"g": "hold"})
    record = operation(session, verb="offline", actor="bob")
    gate(session, "d", "g", effect, operation=record, state="offline")
    assert existing_instances.regate_held(session, G, Downstream(effect)) == 1
    session.commit()
    scheduler.run_to_end("d")
    assert scheduler.states("d")["g"] == FINAL[effect]
    assert scheduler.states("d")["after"] == {"skip": "skipped", "run": "success", "fail": "upstream_failed"}[effect]
    assert note_of(session, "d", "g").startswith(f"TaskOps: offline by bob (operation {record.id})")


def test_only_the_named_tasks_are_touched(session):
    with DAG("d", schedule=None) as dag:
        task("g"), task("h")
    scheduler = play(session, dag, {"g": "hold", "h": "hold"})
    existing_instances.release(session, G, "run")
    session.commit()
    assert {key[0]: pool for key, (_, pool) in scheduler.raw_states("d").items()} == {
        "g": "default_pool",
        "h": "taskops_hold",
    }


def running_instance(session, state: str) -> Scheduler:
    """A run whose G is in a state of having begun."""
    write_dags([chain()], session)
    scheduler = Scheduler(session, settle=settle)
    scheduler.create_run("d")
    for _ in range(2):
        scheduler.schedule("d")
        if scheduler.states("d")["g"] is None:
            scheduler.work()
    trigger = Trigger(classpath="x.Y", kwargs={})
    session.add(trigger)
    session.flush()
    session.execute(
        update(TI)
        .where(TI.task_id == "g")
        .values(
            state=state,
            start_date=datetime.now(UTC) - timedelta(seconds=30) if state != "queued" else None,
            trigger_id=trigger.id if state == "deferred" else None,
            next_method="execute_complete",
            next_kwargs={"a": 1},
        )
    )
    session.commit()
    return scheduler


@pytest.mark.parametrize("state", BEGUN)
@pytest.mark.parametrize("effect", EFFECTS)
def test_what_has_begun_is_ended(session, state, effect):
    scheduler = running_instance(session, state)
    record = operation(session, actor="bob", reason="wrong data")
    now = datetime.now(UTC)
    gate(session, "d", "g", effect, operation=record, since=now)
    assert existing_instances.count_unfinished(session, G) == 1
    assert existing_instances.gate_unstarted_and_end_started(session, G, Downstream(effect), now) == 1
    session.commit()
    session.expire_all()
    ti = session.scalars(select(TI).where(TI.task_id == "g")).one()
    assert (ti.state, ti.end_date) == (FINAL[effect], now)
    assert (ti.trigger_id, ti.next_method, ti.next_kwargs) == (None, None, None)
    assert ti.pool == "default_pool"
    if state != "queued":
        assert ti.duration == pytest.approx(30, abs=5)
    assert ti.note.startswith(f"TaskOps: terminated by bob (operation {record.id}): wrong data; ended as")
    assert existing_instances.count_unfinished(session, G) == 0
    assert existing_instances.gate_unstarted_and_end_started(session, G, Downstream(effect), now) == 0
    scheduler.executed.clear()
    scheduler.run_to_end("d")
    assert scheduler.executed_tasks() == (["after"] if effect == "run" else [])
    assert note_of(session, "d", "g") is not None


@pytest.mark.parametrize("effect", EFFECTS)
def test_what_has_not_started_waits_for_its_turn(session, effect):
    write_dags([chain()], session)
    scheduler = Scheduler(session, settle=settle)
    scheduler.create_run("d")
    gate(session, "d", "g", effect, operation=operation(session))
    assert existing_instances.count_unfinished(session, G) == 1
    assert existing_instances.gate_unstarted_and_end_started(session, G, Downstream(effect), datetime.now(UTC)) == 1
    session.commit()
    assert scheduler.raw_states("d")["g", -1] == ("up_for_retry", f"taskops_{effect}")
    assert "paused by alice" in note_of(session, "d", "g")
    assert existing_instances.count_unfinished(session, G) == 0
    scheduler.run_to_end("d")
    assert scheduler.executed_tasks() == (["before", "after"] if effect == "run" else ["before"])


@pytest.mark.parametrize("effect", EFFECTS)
def test_scheduled_ones_and_failing_upstreams(session, effect):
    with DAG("d", schedule=None) as dag:
        task("g")
        task("boom") >> task("h") >> task("below")
    write_dags([dag], session)
    scheduler = Scheduler(session, {"boom": "failed"}, settle=settle)
    scheduler.create_run("d")
    session.execute(update(TI).where(TI.task_id == "g").values(state="scheduled", scheduled_dttm=datetime.now(UTC)))
    session.commit()
    pairs = [("d", "g"), ("d", "h")]
    assert existing_instances.gate_unstarted_and_end_started(session, pairs, Downstream(effect), datetime.now(UTC)) == 2
    session.commit()
    scheduler.run_to_end("d")
    assert scheduler.executed_tasks() == ["boom"]
    assert scheduler.states("d")["h"] == scheduler.states("d")["below"] == "upstream_failed"


@pytest.mark.parametrize("effect", EFFECTS)
def test_empty_operators_wait_as_others_do(session, effect):
    with DAG("d", schedule=None) as dag:
        task("slow") >> EmptyOperator(task_id="g") >> task("after")
    write_dags([dag], session)
    scheduler = Scheduler(session, settle=settle)
    scheduler.create_run("d")
    assert existing_instances.gate_unstarted_and_end_started(session, G, Downstream(effect), datetime.now(UTC)) == 1
    session.commit()
    assert scheduler.raw_states("d")["g", -1] == ("up_for_retry", f"taskops_{effect}")
    scheduler.run_to_end("d")
    expected = {"skip": "skipped", "run": "success", "fail": "failed", "hold": "up_for_retry"}[effect]
    assert scheduler.states("d")["g"] == expected


@pytest.mark.parametrize("effect", EFFECTS)
def test_mapped_tasks_that_are_not_expanded_yet(session, effect):
    """Their siblings are gated too when the scheduler expands them, although the run was made before."""
    with DAG("d", schedule=None) as dag:
        producer = task("produce")
        BashOperator.partial(task_id="g").expand(bash_command=producer.output) >> task("after")
    write_dags([dag], session)
    scheduler = Scheduler(session, settle=settle, results={"produce": ["x", "y", "z"]})
    scheduler.create_run("d")
    assert existing_instances.gate_unstarted_and_end_started(session, G, Downstream(effect), datetime.now(UTC)) == 1
    session.commit()
    scheduler.run_to_end("d")
    assert scheduler.executed_tasks() == (["produce", "after"] if effect == "run" else ["produce"])


def test_mapped_over_a_task_that_is_gated_with_it(session):
    with DAG("d", schedule=None) as dag:
        g = task("g")
        BashOperator.partial(task_id="h").expand(bash_command=g.output) >> task("after")
    write_dags([dag], session)
    scheduler = Scheduler(session, settle=settle)
    scheduler.create_run("d")
    existing_instances.gate_unstarted_and_end_started(
        session, [("d", "g"), ("d", "h")], Downstream.RUN, datetime.now(UTC)
    )
    session.commit()
    assert scheduler.run_to_end("d") == "success"
    assert scheduler.executed_tasks() == ["after"]


def test_finished_runs_other_tasks_and_persons_notes_are_left(session):
    scheduler = running_instance(session, "running")
    scheduler.create_run("d", "run_2")
    session.execute(update(DagRun).where(DagRun.run_id == "run_2").values(state="failed"))
    ti = session.scalars(select(TI).where(TI.task_id == "g", TI.run_id == "run_1")).one()
    ti.note = ("mine", "carol")
    session.commit()
    assert existing_instances.gate_unstarted_and_end_started(session, G, Downstream.SKIP, datetime.now(UTC)) == 1
    session.commit()
    assert note_of(session, "d", "g") == "mine"
    assert scheduler.states("d", "run_1") == {"before": "success", "g": "skipped", "after": None}
    assert scheduler.states("d", "run_2")["g"] is None


def test_instances_that_are_gated_already_are_not_counted(session):
    scheduler = play(session, chain(), {"g": "hold"})
    assert existing_instances.count_unfinished(session, G) == 0
    assert existing_instances.gate_unstarted_and_end_started(session, G, Downstream.SKIP, datetime.now(UTC)) == 0
    session.commit()
    assert scheduler.raw_states("d")["g", -1] == ("up_for_retry", "taskops_hold")


def test_queries_do_not_grow_with_instances(session):
    counts = []
    for size in (5, 150):
        dag_id = f"d{size}"
        with DAG(dag_id, schedule=None) as dag:
            for i in range(size):
                task(f"t{i}")
        write_dags([dag], session)
        Scheduler(session).create_run(dag_id)
        pairs = [(dag_id, f"t{i}") for i in range(size)]
        # what the session happens to remember of the run and its version would spare queries in one of the two
        session.commit()
        session.expunge_all()
        with counted_queries(savepoints=False) as counting:
            assert existing_instances.count_unfinished(session, pairs) == size
        with counted_queries(savepoints=False) as gating_them:
            assert (
                existing_instances.gate_unstarted_and_end_started(session, pairs, Downstream.HOLD, datetime.now(UTC))
                == size
            )
        session.commit()
        with counted_queries(savepoints=False) as releasing:
            assert existing_instances.release(session, pairs, "run") == size
        session.commit()
        counts.append((len(counting), len(gating_them), len(releasing)))
    assert counts[0] == counts[1]
    assert counts[0][0] == 2
