"""The gate in unfriendly orders: the scheduler looks before the monitor, again and again, or the monitor is away."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from airflow import settings
from airflow.models.taskinstance import TaskInstance as TI
from airflow.policies import hookimpl
from airflow.providers.standard.operators.bash import BashOperator
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG
from sqlalchemy import select, update

from taskops_provider.policies import decoration
from taskops_provider.services.gate import existing_instances
from taskops_provider.services.gate import settle as gate_settle
from taskops_provider.services.health import Check, check_health
from tests.support.airflow_db import serialized, write_dags
from tests.support.gates import EFFECTS, gate, settle, task
from tests.support.scheduling import Scheduler

ENDS = {"skip": "skipped", "run": "success", "fail": "failed", "hold": "up_for_retry"}


def stubborn(scheduler: Scheduler, dag_id: str = "d", *, looks: int = 4, settles: bool = True) -> str:
    """Play rounds in which the scheduler looks several times before the monitor does."""
    for _ in range(12):
        for _ in range(looks):
            scheduler.schedule(dag_id)
            scheduler.work()
        if settles:
            settle(scheduler.session)
            scheduler.session.commit()
    return scheduler.run_state(dag_id)


@pytest.mark.parametrize("kind", [EmptyOperator, BashOperator])
@pytest.mark.parametrize("effect", EFFECTS)
@pytest.mark.parametrize("monitor", [True, False])
def test_a_failure_above_reaches_the_cleanup_below(session, kind, effect, monitor):
    """Without a gate: g is upstream_failed, the cleanup executes, the run succeeds. A deadlock would end it."""
    more = {"bash_command": "true"} if kind is BashOperator else {}
    with DAG("d", schedule=None) as dag:
        task("work") >> kind(task_id="g", **more) >> task("cleanup", trigger_rule="all_done")
    write_dags([dag], session)
    gate(session, "d", "g", effect)
    scheduler = Scheduler(session, {"work": "failed"})
    scheduler.create_run("d")
    assert stubborn(scheduler, settles=monitor) == "success"
    assert scheduler.executed_tasks() == ["work", "cleanup"]
    assert scheduler.states("d")["g"] == "upstream_failed"


@pytest.mark.parametrize("effect", ["skip", "run", "fail"])
def test_a_teardown_behind_a_gated_empty_task_runs(session, effect):
    with DAG("d", schedule=None) as dag:
        build = task("build").as_setup()
        clean = task("clean").as_teardown(setups=build)
        build >> task("work") >> EmptyOperator(task_id="g") >> clean
    write_dags([dag], session)
    gate(session, "d", "g", effect)
    scheduler = Scheduler(session, {"work": "failed"})
    scheduler.create_run("d")
    stubborn(scheduler)
    assert "clean" in scheduler.executed_tasks()
    assert "g" not in scheduler.executed_tasks()


@pytest.mark.parametrize("kind", [EmptyOperator, BashOperator])
def test_a_held_one_waits_for_what_runs_again_above_it(session, kind):
    """u is cleared and runs again: what was held behind it starts when u has ended, not beside it."""
    more = {"bash_command": "true"} if kind is BashOperator else {}
    with DAG("d", schedule=None) as dag:
        task("u") >> kind(task_id="g", **more)
    write_dags([dag], session)
    gate(session, "d", "g", "hold")
    scheduler = Scheduler(session)
    scheduler.create_run("d")
    stubborn(scheduler)
    serialized("d", session).clear(task_ids=["u"], run_id="run_1", session=session)
    session.commit()
    scheduler.start_queued("d")
    scheduler.schedule("d")
    assert scheduler.states("d") == {"u": "queued", "g": "up_for_retry"}
    assert existing_instances.release(session, [("d", "g")], "run") == 1
    session.commit()
    scheduler.schedule("d")
    assert scheduler.states("d") == {"u": "queued", "g": None}
    scheduler.work()
    scheduler.run_to_end("d")
    assert scheduler.states("d") == {"u": "success", "g": "success"}


@pytest.mark.parametrize("effect", ["skip", "run", "fail"])
def test_what_waited_while_the_monitor_was_away_is_not_settled_beside_its_upstream(session, effect):
    with DAG("d", schedule=None) as dag:
        task("u") >> task("g") >> task("after", trigger_rule="all_done")
    write_dags([dag], session)
    gate(session, "d", "g", effect)
    scheduler = Scheduler(session)
    scheduler.create_run("d")
    stubborn(scheduler, settles=False)
    serialized("d", session).clear(task_ids=["u"], run_id="run_1", session=session)
    session.commit()
    scheduler.start_queued("d")
    scheduler.schedule("d")
    assert settle(session) == 0
    session.commit()
    assert scheduler.states("d") == {"u": "queued", "g": "up_for_retry", "after": None}
    scheduler.work()
    stubborn(scheduler)
    assert scheduler.states("d") == {"u": "success", "g": ENDS[effect], "after": "success"}


@pytest.mark.parametrize("effect", EFFECTS)
@pytest.mark.parametrize("turned", ["bash to empty", "empty to bash", "bash to triggerer"])
def test_an_operator_that_changes_in_mid_run_is_gated_all_the_same(session, effect, turned):
    def version(kind: str) -> DAG:
        with DAG("d", schedule=None) as dag:
            up = task("u")
            if kind == "empty":
                up >> EmptyOperator(task_id="g")
            else:
                g = task("g")
                if kind == "triggerer":
                    g.start_from_trigger = True
                    from airflow.triggers.base import StartTriggerArgs

                    g.start_trigger_args = StartTriggerArgs(
                        trigger_cls="airflow.providers.standard.triggers.temporal.TimeDeltaTrigger",
                        trigger_kwargs={},
                        next_method="execute_complete",
                        next_kwargs=None,
                        timeout=None,
                    )
                up >> g
        return dag

    before, after = turned.split(" to ")
    write_dags([version(before)], session)
    gate(session, "d", "g", effect)
    scheduler = Scheduler(session)
    scheduler.create_run("d")
    scheduler.schedule("d")
    write_dags([version(after)], session)
    stubborn(scheduler)
    assert scheduler.executed_tasks() == ["u"]
    assert scheduler.states("d")["g"] == ENDS[effect]


class _SetsPools:
    """A site's policy that has every task run in a pool of its own."""

    @hookimpl
    def task_instance_mutation_hook(self, task_instance, dag_run):
        task_instance.pool = "default_pool"


@pytest.mark.parametrize("effect", EFFECTS)
def test_another_policy_that_sets_pools_does_not_undo_the_gate(session, effect):
    from airflow.settings import get_policy_plugin_manager

    manager = get_policy_plugin_manager()
    site = _SetsPools()
    manager.register(site)
    try:
        with DAG("d", schedule=None) as dag:
            task("g") >> task("after")
        write_dags([dag], session)
        gate(session, "d", "g", effect)
        scheduler = Scheduler(session)
        scheduler.create_run("d")
        assert scheduler.raw_states("d")["g", -1] == ("up_for_retry", f"taskops_{effect}")
        stubborn(scheduler)
        assert "g" not in scheduler.executed_tasks()
        assert scheduler.states("d")["g"] == ENDS[effect]
    finally:
        manager.unregister(site)


class _AsksToBeLast:
    """A site's policy that is asked after ours."""

    @hookimpl(trylast=True)
    def task_instance_mutation_hook(self, task_instance, dag_run):
        task_instance.pool = "default_pool"


class _WrapsOthers:
    """A site's policy that has the last word, whoever asks to be last."""

    @hookimpl(hookwrapper=True)
    def task_instance_mutation_hook(self, task_instance, dag_run):
        yield
        task_instance.pool = "default_pool"


@pytest.mark.parametrize("effect", EFFECTS)
def test_a_policy_that_has_the_last_word_executes_nothing(session, effect):
    """The state is the lock; the pool is put back."""
    from airflow.settings import get_policy_plugin_manager

    manager = get_policy_plugin_manager()
    site = _WrapsOthers()
    manager.register(site)
    try:
        with DAG("d", schedule=None) as dag:
            task("g") >> task("after")
        write_dags([dag], session)
        gate(session, "d", "g", effect)
        scheduler = Scheduler(session)
        scheduler.create_run("d")
        stubborn(scheduler)
        assert (scheduler.executed_tasks(), scheduler.states("d")["g"]) == ([], "up_for_retry")
        assert gate_settle.repair_waiting(session, datetime.now(UTC)) == 1
        session.commit()
        stubborn(scheduler)
        assert "g" not in scheduler.executed_tasks()
        assert scheduler.states("d")["g"] == ENDS[effect]
    finally:
        manager.unregister(site)


@pytest.mark.parametrize(("site", "level"), [(_SetsPools, "ok"), (_AsksToBeLast, "warning"), (_WrapsOthers, "warning")])
def test_check_names_other_policies_and_those_that_could_undo_the_gate(session, site, level):
    from airflow.settings import get_policy_plugin_manager

    def gate_check() -> Check:
        return next(one for one in check_health(session, datetime.now(UTC)) if one.name == "gate")

    manager = get_policy_plugin_manager()
    before = gate_check()
    assert (before.level, "Airflow asks" in before.message) == ("ok", False)
    plugin = site()
    manager.register(plugin, name="site_policy")
    try:
        found = gate_check()
        assert found.level == level
        assert "Airflow asks site_policy" in found.message
    finally:
        manager.unregister(plugin)


@pytest.mark.parametrize("effect", EFFECTS)
def test_an_instance_that_lost_our_pool_is_put_back(session, effect):
    """Whatever took it out of our pool: it does not execute meanwhile, and ends as it was to end."""
    with DAG("d", schedule=None) as dag:
        task("g") >> task("after")
    write_dags([dag], session)
    gate(session, "d", "g", effect)
    scheduler = Scheduler(session)
    scheduler.create_run("d")
    session.execute(update(TI).where(TI.task_id == "g").values(pool="default_pool"))
    session.commit()
    for _ in range(3):
        scheduler.schedule("d")
        scheduler.work()
    assert scheduler.executed_tasks() == []
    assert gate_settle.repair_waiting(session, datetime.now(UTC)) == 1
    session.commit()
    stubborn(scheduler)
    assert scheduler.states("d")["g"] == ENDS[effect]


@pytest.mark.parametrize("state", [None, "scheduled"])
def test_instances_of_the_old_gate_wait_in_the_new_one(session, state):
    """A run that was created before an upgrade: its gated instances have no state, or are scheduled, in our pools."""
    with DAG("d", schedule=None) as dag:
        task("u") >> EmptyOperator(task_id="g") >> task("after")
    write_dags([dag], session)
    scheduler = Scheduler(session)
    scheduler.create_run("d")
    session.execute(update(TI).where(TI.task_id == "g").values(pool="taskops_run", state=state))
    session.commit()
    assert gate_settle.repair_waiting(session, datetime.now(UTC)) == 1
    session.commit()
    stubborn(scheduler)
    assert scheduler.states("d") == {"u": "success", "g": "success", "after": "success"}
    assert scheduler.executed_tasks() == ["u", "after"]


def test_a_real_retry_after_a_clear_is_not_taken_for_a_waiting_one(session):
    """A cleared instance whose worker dies before it has begun waits for its retry, not for ever."""
    with DAG("d", schedule=None) as dag:
        task("g", retries=2)
    write_dags([dag], session)
    gate(session, "d", "g", "skip")
    scheduler = Scheduler(session)
    scheduler.create_run("d")
    serialized("d", session).clear(task_ids=["g"], run_id="run_1", session=session)
    # what the scheduler writes for a try that its executor lost
    session.execute(update(TI).values(state="up_for_retry", end_date=datetime.now(UTC), try_number=1))
    session.commit()
    assert gate_settle.repair_waiting(session, datetime.now(UTC)) == 1
    session.commit()
    session.expire_all()
    ti = session.scalars(select(TI)).one()
    assert (ti.pool, ti.retry_delay_override, ti.retry_reason) == ("default_pool", None, None)


def test_decoration_that_fails_lets_runs_be_created_and_gated(session, monkeypatch, caplog):
    monkeypatch.setattr(decoration, "_works", True)
    monkeypatch.setattr(decoration, "_set_airflow_defaults", lambda ti, run: ti.a_name_that_is_gone)
    with DAG("d", schedule=None) as dag:
        task("g") >> task("after")
    write_dags([dag], session)
    gate(session, "d", "g", "run")
    scheduler = Scheduler(session)
    with caplog.at_level("WARNING", logger=decoration.__name__):
        scheduler.create_run("d")
        scheduler.create_run("d", "run_2")
    assert len(caplog.records) == 1
    assert "a_name_that_is_gone" in caplog.text
    stubborn(scheduler)
    assert scheduler.executed_tasks() == ["after"]
    assert settings.task_instance_mutation_hook
