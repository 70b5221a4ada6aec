"""EmptyOperators and tasks that start in the triggerer: the scheduler ends or defers them without asking a pool."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from airflow.models.dag import DagModel
from airflow.models.taskinstance import TaskInstance as TI
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, BaseOperator
from airflow.triggers.base import StartTriggerArgs
from sqlalchemy import select, update

from taskops_provider.adapter import gate_turns
from taskops_provider.services.gate import existing_instances
from taskops_provider.services.gate import settle as gate_settle
from tests.support.airflow_db import serialized, write_dags
from tests.support.gates import EFFECTS, gate, play, settle, task
from tests.support.queries import counted_queries
from tests.support.scheduling import Scheduler

G_STATE = {"skip": "skipped", "run": "success", "fail": "failed", "hold": "up_for_retry"}
AFTER_STATE = {"skip": "skipped", "run": "success", "fail": "upstream_failed", "hold": None}


class OwnEmpty(EmptyOperator):
    """An operator of a site's own that is empty too."""


class StartsInTriggerer(BaseOperator):
    """Deferred by the scheduler, without a worker."""

    start_trigger_args = StartTriggerArgs(
        trigger_cls="airflow.providers.standard.triggers.temporal.TimeDeltaTrigger",
        trigger_kwargs={"delta": 1},
        next_method="execute",
        next_kwargs=None,
        timeout=None,
    )
    start_from_trigger = True


KINDS = {"empty": EmptyOperator, "subclass": OwnEmpty, "triggerer": StartsInTriggerer}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("effect", EFFECTS)
def test_in_the_middle(session, effect, kind):
    with DAG("d", schedule=None) as dag:
        task("slow") >> KINDS[kind](task_id="g") >> task("after")
    scheduler = play(session, dag, {"g": effect})
    assert scheduler.states("d") == {"slow": "success", "g": G_STATE[effect], "after": AFTER_STATE[effect]}
    assert scheduler.executed_tasks() == (["slow", "after"] if effect == "run" else ["slow"])


@pytest.mark.parametrize("effect", EFFECTS)
def test_order_and_failure_stay_true(session, effect):
    with DAG("d", schedule=None) as dag:
        task("slow") >> EmptyOperator(task_id="g") >> task("after", trigger_rule="all_done")
        task("boom") >> EmptyOperator(task_id="h") >> task("below")
    write_dags([dag], session)
    gate(session, "d", "g", effect)
    gate(session, "d", "h", effect)
    scheduler = Scheduler(session, {"boom": "failed"}, settle=settle)
    scheduler.create_run("d")
    for _ in range(3):
        scheduler.schedule("d")
        settle(session)
        session.commit()
    assert scheduler.states("d")["after"] is None
    assert scheduler.states("d")["g"] == "up_for_retry"
    scheduler.run_to_end("d")
    executed = [name for name in scheduler.executed_tasks() if name != "boom"]
    assert executed == (["slow"] if effect == "hold" else ["slow", "after"])
    assert scheduler.states("d")["h"] == "upstream_failed"
    assert scheduler.states("d")["below"] == "upstream_failed"


@pytest.mark.parametrize("effect", EFFECTS)
def test_as_a_root(session, effect):
    with DAG("d", schedule=None) as dag:
        EmptyOperator(task_id="g") >> task("after")
    scheduler = play(session, dag, {"g": effect})
    assert scheduler.states("d") == {"g": G_STATE[effect], "after": AFTER_STATE[effect]}


@pytest.mark.parametrize("effect", EFFECTS)
def test_ten_in_a_row_are_settled_together(session, effect):
    """Those that succeed in one round of the monitor; what is below a skipped or failed one is the scheduler's."""
    with DAG("d", schedule=None) as dag:
        chain = [EmptyOperator(task_id=f"g{i}") for i in range(10)]
        for up, down in pairwise(chain):
            up >> down
    write_dags([dag], session)
    for i in range(10):
        gate(session, "d", f"g{i}", effect)
    scheduler = Scheduler(session)
    scheduler.create_run("d")
    settle(session)
    session.commit()
    if effect in ("skip", "fail"):
        for _ in range(9):
            scheduler.schedule("d")
    below = {"skip": "skipped", "run": "success", "fail": "upstream_failed", "hold": "up_for_retry"}[effect]
    assert list(scheduler.states("d").values()) == [G_STATE[effect]] + [below] * 9


def test_one_with_callbacks_or_outlets_is_stopped_by_its_pool(session):
    with DAG("d", schedule=None) as dag:
        EmptyOperator(task_id="g", on_success_callback=print)
    write_dags([dag], session)
    gate(session, "d", "g", "skip")
    scheduler = Scheduler(session)
    scheduler.create_run("d")
    assert scheduler.raw_states("d") == {("g", -1): ("up_for_retry", "taskops_skip")}


@pytest.mark.parametrize("kind", KINDS)
def test_released_ones_go_back_to_the_scheduler(session, kind):
    """``slow`` is not done yet when G is started: G must wait for it all the same."""
    with DAG("d", schedule=None) as dag:
        task("slow") >> KINDS[kind](task_id="g") >> task("after")
    write_dags([dag], session)
    gate(session, "d", "g", "hold")
    scheduler = Scheduler(session, settle=settle)
    scheduler.create_run("d")
    settle(session)
    assert existing_instances.release(session, [("d", "g")], "run") == 1
    session.commit()
    assert scheduler.raw_states("d")["g", -1] == (None, "default_pool")
    scheduler.run_to_end("d")
    expected = ("deferred", None) if kind == "triggerer" else ("success", "success")
    assert (scheduler.states("d")["g"], scheduler.states("d")["after"]) == expected


def test_runs_that_the_scheduler_does_not_look_at_wait(session):
    """Queued runs, runs of a paused Dag, runs of a Dag that is gone, runs of the future."""
    with DAG("d", schedule=None) as dag:
        EmptyOperator(task_id="g")
    write_dags([dag], session)
    gate(session, "d", "g", "skip")
    scheduler = Scheduler(session)
    run = scheduler.create_run("d")
    for change, back in (
        ({"is_paused": True}, {"is_paused": False}),
        ({"is_stale": True}, {"is_stale": False}),
    ):
        session.execute(update(DagModel).values(**change))
        session.commit()
        assert settle(session) == 0
        session.execute(update(DagModel).values(**back))
    run.state = "queued"
    session.commit()
    assert settle(session) == 0
    run.state = "running"
    run.run_after = datetime.now(UTC) + timedelta(hours=1)
    session.commit()
    assert settle(session) == 0
    run.run_after = datetime.now(UTC)
    session.commit()
    assert settle(session) == 1


@pytest.mark.parametrize("effect", EFFECTS)
@pytest.mark.parametrize("how", ["depends_on_past", "wait_for_downstream"])
def test_depends_on_past(session, effect, how):
    options = {"depends_on_past": True} if how == "depends_on_past" else {"wait_for_downstream": True}
    with DAG("d", schedule=None) as dag:
        EmptyOperator(task_id="g", **options) >> task("after")
    write_dags([dag], session)
    scheduler = Scheduler(session, settle=settle)
    first = scheduler.create_run("d", "run_1", logical_date=datetime(2026, 1, 1, tzinfo=UTC))
    gate(session, "d", "g", effect)
    scheduler.create_run("d", "run_2", logical_date=datetime(2026, 1, 2, tzinfo=UTC))
    assert first.state == "running"
    settle(session)
    session.commit()
    assert scheduler.states("d", "run_2")["g"] == "up_for_retry"  # the first run has not got there yet
    scheduler.run_to_end("d", "run_1")
    scheduler.run_to_end("d", "run_2")
    assert scheduler.states("d", "run_2")["g"] == G_STATE[effect]


def test_a_cleared_one_runs(session):
    with DAG("d", schedule=None) as dag:
        EmptyOperator(task_id="g") >> task("after")
    scheduler = play(session, dag, {"g": "skip"})
    serialized("d", session).clear(run_id="run_1", session=session)
    session.commit()
    scheduler.start_queued("d")
    scheduler.run_to_end("d")
    assert scheduler.states("d") == {"g": "success", "after": "success"}


def test_a_look_at_what_waits_costs_two_queries(session, monkeypatch):
    """A run in which nothing has changed is not looked at again; a run that is looked at costs the same for any number
    of instances.
    """
    # however slow the machine is
    monkeypatch.setattr(gate_turns, "LOOK_AGAIN_AFTER", timedelta(days=1))
    dags = []
    for name, size in (("small", 2), ("large", 40)):
        with DAG(name, schedule=None) as dag:
            slow = task("slow")
            for i in range(size):
                slow >> EmptyOperator(task_id=f"g{i}")
                gate(session, name, f"g{i}", "skip")
        dags.append(dag)
    write_dags(dags, session)
    scheduler = Scheduler(session)
    counts = []
    for name in ("small", "large"):
        scheduler.create_run(name)
        gate_settle.annotate(session)
        session.commit()
        with counted_queries(savepoints=False) as first_look:
            assert gate_settle.settle(session, datetime.now(UTC)) == 0
        counts.append(len(first_look))
        with counted_queries(savepoints=False) as nothing_new:
            gate_settle.settle(session, datetime.now(UTC))
        # one more for each Dag, which has an index of its own
        assert len(nothing_new) == 1 + len(counts)
        session.commit()
    # twenty times the instances: one Dag more to ask after, and what a session happens to know of the first
    assert counts[1] <= counts[0] + 2 <= 11
    assert len(session.scalars(select(TI).where(TI.state == "up_for_retry")).all()) == 42
