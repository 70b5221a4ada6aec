"""Tasks that leave their Dag and come back while a run of it goes on, and mapped ones that grow: gated as they were."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from airflow.providers.standard.operators.bash import BashOperator
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG

from taskops_provider.services.gate import sweep
from tests.support.airflow_db import serialized, write_dags
from tests.support.gates import EFFECTS, gate, settle, task
from tests.support.scheduling import Scheduler
from tests.support.warehouse import install, operate

ENDS = {"skip": "skipped", "run": "success", "fail": "failed", "hold": "up_for_retry"}
AFTER = {"skip": "skipped", "run": "success", "fail": "upstream_failed", "hold": None}


def version(*, has_g: bool, kind: Any = BashOperator) -> DAG:
    """u, g and after in a row, with g or without."""
    more = {"bash_command": "true"} if kind is BashOperator else {}
    with DAG("d", schedule=None) as dag:
        u, after = task("u"), task("after")
        if has_g:
            u >> kind(task_id="g", **more) >> after
        u >> after
    return dag


def mapped(size: int) -> DAG:
    """g, mapped over a list of a size."""
    with DAG("d", schedule=None) as dag:
        BashOperator.partial(task_id="g").expand(bash_command=["true"] * size) >> task("after", trigger_rule="all_done")
    return dag


def stubborn(scheduler: Scheduler, *, settles: bool = True) -> None:
    """Rounds in which the scheduler looks several times before the monitor settles; nothing else of ours is there."""
    for _ in range(8):
        for _ in range(3):
            scheduler.look("d")
            scheduler.work()
        if settles:
            settle(scheduler.session)
            scheduler.session.commit()


@pytest.mark.parametrize("kind", [EmptyOperator, BashOperator])
@pytest.mark.parametrize("effect", EFFECTS)
@pytest.mark.parametrize("monitor", [True, False])
def test_a_gated_task_that_comes_back_is_gated_still(session, kind, effect, monitor):
    """Airflow gives such an instance no state: it would be scheduled, and an EmptyOperator succeed at once."""
    write_dags([version(has_g=True, kind=kind)], session)
    gate(session, "d", "g", effect)
    scheduler = Scheduler(session)
    scheduler.create_run("d")
    write_dags([version(has_g=False)], session)
    scheduler.look("d")
    assert scheduler.states("d")["g"] == "removed"
    write_dags([version(has_g=True, kind=kind)], session)
    stubborn(scheduler, settles=monitor)
    assert "g" not in scheduler.executed_tasks()
    ends = {"g": ENDS[effect], "after": AFTER[effect]} if monitor else {"g": "up_for_retry", "after": None}
    assert scheduler.states("d") == {"u": "success", **ends}


@pytest.mark.parametrize("effect", EFFECTS)
def test_one_that_was_settled_before_it_left_is_settled_again(session, effect):
    """Airflow would execute it once more when it comes back."""
    write_dags([version(has_g=True)], session)
    gate(session, "d", "g", effect)
    scheduler = Scheduler(session, {"after": "deferred"})
    scheduler.create_run("d")
    stubborn(scheduler)
    write_dags([version(has_g=False)], session)
    scheduler.look("d")
    write_dags([version(has_g=True)], session)
    stubborn(scheduler)
    assert "g" not in scheduler.executed_tasks()
    assert scheduler.raw_states("d")["g", -1] == (ENDS[effect], f"taskops_{effect}")


def test_a_held_one_that_was_started_while_it_was_away_executes(session):
    install(session, [version(has_g=True)])
    operate(session, "pause", "d.g", downstream="hold")
    scheduler = Scheduler(session, settle=settle)
    scheduler.create_run("d")
    install(session, [version(has_g=False)])
    scheduler.look("d")
    operate(session, "start", "d.g")
    install(session, [version(has_g=True)])
    scheduler.look("d")
    assert sweep.dags_to_sweep(session, datetime.now(UTC)) == ["d"]
    assert sweep.sweep_dag(session, "d", datetime.now(UTC)) == 1
    session.commit()
    scheduler.run_to_end("d")
    assert scheduler.executed_tasks() == ["u", "g", "after"]


@pytest.mark.parametrize("effect", EFFECTS)
def test_one_that_was_paused_after_the_run_was_created_executes_when_it_comes_back(session, effect):
    install(session, [version(has_g=True)])
    scheduler = Scheduler(session, settle=settle)
    scheduler.create_run("d")
    install(session, [version(has_g=False)])
    scheduler.look("d")
    install(session, [version(has_g=True)])
    operate(session, "pause", "d.g", downstream=effect)
    stubborn(scheduler)
    assert scheduler.executed_tasks() == ["u", "g", "after"]


@pytest.mark.parametrize("effect", EFFECTS)
def test_a_mapped_task_that_shrinks_and_grows(session, effect):
    write_dags([mapped(3)], session)
    gate(session, "d", "g", effect)
    scheduler = Scheduler(session)
    scheduler.create_run("d")
    for size in (1, 4):
        write_dags([mapped(size)], session)
        scheduler.look("d")
    stubborn(scheduler)
    assert "g" not in scheduler.executed_tasks()
    ends = {state for name, state in scheduler.states("d").items() if name.startswith("g")}
    assert ends == {ENDS[effect]}


@pytest.mark.parametrize("effect", EFFECTS)
def test_a_cleared_mapped_task_that_has_grown_executes_with_all_its_instances(session, effect):
    write_dags([mapped(2)], session)
    gate(session, "d", "g", effect)
    scheduler = Scheduler(session)
    scheduler.create_run("d")
    stubborn(scheduler)
    write_dags([mapped(3)], session)
    serialized("d", session).clear(task_ids=["g"], run_id="run_1", run_on_latest_version=True, session=session)
    session.commit()
    scheduler.start_queued("d")
    scheduler.executed.clear()
    stubborn(scheduler)
    assert sorted(index for _, task_id, index in scheduler.executed if task_id == "g") == [0, 1, 2]
