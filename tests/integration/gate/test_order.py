"""Order, failure and trigger rules through a gated task, on Airflow's own scheduler logic (requirements 3)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from airflow.models.asset import AssetEvent
from airflow.models.dagrun import DagRun
from airflow.models.xcom import XComModel
from airflow.sdk import DAG, Asset, TaskGroup
from airflow.sdk import task as sdk_task
from sqlalchemy import select

from tests.support.airflow_db import write_dags
from tests.support.gates import EFFECTS, gate, play, settle, task
from tests.support.scheduling import Scheduler

G_STATE = {"skip": "skipped", "run": "success", "fail": "failed", "hold": "up_for_retry"}
AFTER_STATE = {"skip": "skipped", "run": "success", "fail": "upstream_failed", "hold": None}
RUN_STATE = {"skip": "success", "run": "success", "fail": "failed", "hold": "running"}


@pytest.mark.parametrize("effect", EFFECTS)
def test_gated_task_in_the_middle(session, effect):
    with DAG("d", schedule=None) as dag:
        task("before") >> task("g") >> task("after")
    scheduler = play(session, dag, {"g": effect})
    assert scheduler.states("d") == {"before": "success", "g": G_STATE[effect], "after": AFTER_STATE[effect]}
    assert scheduler.run_state("d") == RUN_STATE[effect]
    assert scheduler.executed_tasks() == (["before", "after"] if effect == "run" else ["before"])


@pytest.mark.parametrize("effect", EFFECTS)
def test_order_stays_true(session, effect):
    """``after`` does not start before ``slow`` has ended, even where the monitor settles every moment."""
    with DAG("d", schedule=None) as dag:
        task("slow") >> task("g") >> task("after", trigger_rule="all_done")
    write_dags([dag], session)
    gate(session, "d", "g", effect)
    scheduler = Scheduler(session, settle=settle)
    scheduler.create_run("d")
    for _ in range(5):  # slow is queued and stays so: no worker
        scheduler.schedule("d")
        settle(session)
        session.commit()
    assert scheduler.states("d") == {"slow": "queued", "g": "up_for_retry", "after": None}
    scheduler.run_to_end("d")
    expected = ["slow"] if effect == "hold" else ["slow", "after"]
    assert scheduler.executed_tasks() == expected


@pytest.mark.parametrize("effect", EFFECTS)
def test_failure_stays_true(session, effect):
    with DAG("d", schedule=None) as dag:
        task("boom") >> task("g") >> task("after")
    scheduler = play(session, dag, {"g": effect}, outcomes={"boom": "failed"})
    assert scheduler.states("d") == {"boom": "failed", "g": "upstream_failed", "after": "upstream_failed"}
    assert scheduler.run_state("d") == "failed"


RULES = {
    # rule: downstream of a skipped, a successful and a failed G; x: executed
    "all_success": ("skipped", "x", "upstream_failed"),
    "none_failed": ("x", "x", "upstream_failed"),
    "none_failed_min_one_success": ("skipped", "x", "upstream_failed"),
    "all_done": ("x", "x", "x"),
    "all_done_min_one_success": ("skipped", "x", "upstream_failed"),
    "one_success": ("skipped", "x", "upstream_failed"),
    "one_failed": ("skipped", "skipped", "x"),
    "one_done": ("skipped", "x", "x"),
    "all_failed": ("skipped", "skipped", "x"),
    "none_skipped": ("skipped", "x", "x"),
    "all_skipped": ("x", "skipped", "skipped"),
    "always": ("x", "x", "x"),
}


@pytest.mark.parametrize("effect", EFFECTS)
def test_trigger_rules_below_a_gated_task(session, effect):
    with DAG("d", schedule=None) as dag:
        g = task("g")
        for rule in RULES:
            g >> task(rule, trigger_rule=rule)
    scheduler = play(session, dag, {"g": effect})
    if effect == "hold":
        expected = dict.fromkeys(RULES)
        expected["always"] = "success"  # waits for nothing, with or without a gate
        executed = {"always"}
    else:
        column = ("skip", "run", "fail").index(effect)
        expected = {rule: row[column].replace("x", "success") for rule, row in RULES.items()}
        executed = {rule for rule, row in RULES.items() if row[column] == "x"}
    assert scheduler.states("d") == {"g": G_STATE[effect], **expected}
    assert set(scheduler.executed_tasks()) == executed


@pytest.mark.parametrize("effect", EFFECTS)
@pytest.mark.parametrize("rule", ["all_done", "one_failed", "none_failed"])
def test_the_trigger_rule_of_the_gated_task_itself(session, effect, rule):
    """A gated task whose own rule says it would run after a failure is settled; one whose rule says no is not."""
    with DAG("d", schedule=None) as dag:
        task("boom") >> task("g", trigger_rule=rule)
    scheduler = play(session, dag, {"g": effect}, outcomes={"boom": "failed"})
    expected = "upstream_failed" if rule == "none_failed" else G_STATE[effect]
    assert scheduler.states("d")["g"] == expected
    assert "g" not in scheduler.executed_tasks()


@pytest.mark.parametrize("effect", EFFECTS)
def test_several_upstreams_of_the_downstream(session, effect):
    with DAG("d", schedule=None) as dag:
        [task("g"), task("other")] >> task("after", trigger_rule="none_failed_min_one_success")
    scheduler = play(session, dag, {"g": effect})
    expected = {"skip": "success", "run": "success", "fail": "upstream_failed", "hold": None}[effect]
    assert scheduler.states("d")["after"] == expected


@pytest.mark.parametrize("effect", EFFECTS)
def test_two_gated_in_a_row(session, effect):
    with DAG("d", schedule=None) as dag:
        task("before") >> task("g") >> task("h") >> task("after")
    scheduler = play(session, dag, {"g": effect, "h": effect})
    below = AFTER_STATE[effect]
    of_h = G_STATE[effect] if effect == "hold" else below
    assert scheduler.states("d") == {"before": "success", "g": G_STATE[effect], "h": of_h, "after": below}
    assert scheduler.run_state("d") == RUN_STATE[effect]


@pytest.mark.parametrize("effect", EFFECTS)
def test_inside_a_task_group(session, effect):
    with DAG("d", schedule=None) as dag:
        with TaskGroup("section") as section:
            task("a") >> task("g") >> task("b")
        task("before") >> section >> task("after")
    scheduler = play(session, dag, {"section.g": effect})
    assert scheduler.states("d") == {
        "before": "success",
        "section.a": "success",
        "section.g": G_STATE[effect],
        "section.b": AFTER_STATE[effect],
        "after": AFTER_STATE[effect],
    }


def _branching(chosen: str) -> DAG:
    with DAG("d", schedule=None) as dag:

        @sdk_task.branch
        def choose():
            return chosen

        branch = choose()
        branch >> task("left") >> task("g") >> task("below_g")
        branch >> task("right") >> task("join", trigger_rule="none_failed_min_one_success")
        dag.get_task("below_g") >> dag.get_task("join")
    return dag


class BranchingScheduler(Scheduler):
    """Plays a branch operator: stores what it follows, as SkipMixin does, and skips the rest."""

    follows: tuple[str, ...] = ("right",)

    def before_finish(self, ti):
        if ti.task_id == "choose":
            XComModel.set(
                key="skipmixin_key",
                value={"followed": list(self.follows)},
                dag_id=ti.dag_id,
                task_id=ti.task_id,
                run_id=ti.run_id,
                session=self.session,
            )
        super().before_finish(ti)


@pytest.mark.parametrize("effect", EFFECTS)
def test_in_a_branch_that_is_not_chosen(session, effect):
    """The subtree of the gated task does not come alive (a state set at creation would let it)."""
    write_dags([_branching("right")], session)
    gate(session, "d", "g", effect)
    scheduler = BranchingScheduler(session, settle=settle)
    scheduler.create_run("d")
    assert scheduler.run_to_end("d") == "success"
    assert scheduler.states("d") == {
        "choose": "success",
        "left": "skipped",
        "g": "skipped",
        "below_g": "skipped",
        "right": "success",
        "join": "success",
    }


@pytest.mark.parametrize("effect", EFFECTS)
def test_directly_below_a_branch_operator(session, effect):
    with DAG("d", schedule=None) as dag:

        @sdk_task.branch
        def choose():
            return "right"

        branch = choose()
        branch >> task("g") >> task("below_g")
        branch >> task("right")
    write_dags([dag], session)
    gate(session, "d", "g", effect)
    scheduler = BranchingScheduler(session, settle=settle)
    scheduler.create_run("d")
    assert scheduler.run_to_end("d") == "success"
    assert scheduler.states("d") == {
        "choose": "success",
        "g": "skipped",
        "below_g": "skipped",
        "right": "success",
    }


@pytest.mark.parametrize("effect", EFFECTS)
def test_gated_branch_operator(session, effect):
    """It chooses nothing: with ``run`` all its branches run."""
    scheduler = play(session, _branching("right"), {"choose": effect})
    below = AFTER_STATE[effect]
    assert scheduler.states("d") == {
        "choose": G_STATE[effect],
        "left": below,
        "g": below,
        "below_g": below,
        "right": below,
        "join": below,
    }


def _with_setup_and_teardown() -> DAG:
    with DAG("d", schedule=None) as dag:
        up = task("up").as_setup()
        down = task("down").as_teardown(setups=up)
        up >> task("work") >> task("more") >> down
        dag.get_task("more") >> task("after")
    return dag


@pytest.mark.parametrize("effect", EFFECTS)
def test_gated_work_between_setup_and_teardown(session, effect):
    """The teardown runs whatever becomes of the work, once nothing of it is left to wait for."""
    scheduler = play(session, _with_setup_and_teardown(), {"work": effect})
    states = scheduler.states("d")
    assert states["work"] == G_STATE[effect]
    assert states["more"] == states["after"] == AFTER_STATE[effect]
    assert states["down"] == (None if effect == "hold" else "success")
    assert scheduler.run_state("d") == RUN_STATE[effect]


@pytest.mark.parametrize("effect", EFFECTS)
def test_gated_setup(session, effect):
    """Work and teardown follow the setup."""
    scheduler = play(session, _with_setup_and_teardown(), {"up": effect})
    below = AFTER_STATE[effect]
    states = scheduler.states("d")
    assert states == {"up": G_STATE[effect], "work": below, "more": below, "down": below, "after": below}
    assert scheduler.run_state("d") == RUN_STATE[effect]


@pytest.mark.parametrize("effect", EFFECTS)
def test_gated_teardown(session, effect):
    """The outcome of a teardown does not count for the run, gated or not."""
    scheduler = play(session, _with_setup_and_teardown(), {"down": effect})
    assert scheduler.states("d")["down"] == G_STATE[effect]
    assert scheduler.run_state("d") == ("running" if effect == "hold" else "success")


def test_fail_does_not_stop_a_fail_fast_dag(session):
    with DAG("d", schedule=None, fail_fast=True) as dag:
        task("g") >> task("below")
        task("slow") >> task("other")
    scheduler = play(session, dag, {"g": "fail"})
    assert scheduler.executed_tasks() == ["slow", "other"]
    assert scheduler.run_state("d") == "failed"


def test_fail_is_not_retried(session):
    with DAG("d", schedule=None) as dag:
        task("g", retries=3)
    scheduler = play(session, dag, {"g": "fail"})
    assert scheduler.states("d") == {"g": "failed"}
    assert scheduler.executed_tasks() == []


def test_run_emits_no_asset_events(session):
    with DAG("d", schedule=None) as dag:
        task("g", outlets=[Asset("s3://bucket/made")])
    scheduler = play(session, dag, {"g": "run"})
    assert scheduler.states("d") == {"g": "success"}
    assert session.scalars(select(AssetEvent)).all() == []


def test_a_run_that_times_out_ends_what_is_held(session):
    with DAG("d", schedule=None, dagrun_timeout=timedelta(seconds=1)) as dag:
        task("g") >> task("after")
    scheduler = play(session, dag, {"g": "hold"})
    run = session.scalars(select(DagRun)).one()
    run.start_date = run.start_date - timedelta(minutes=1)
    session.commit()
    scheduler._runner._schedule_dag_run(run, session)
    session.commit()
    assert scheduler.states("d") == {"g": "skipped", "after": "skipped"}
    assert scheduler.run_state("d") == "failed"


@pytest.mark.parametrize("effect", EFFECTS)
def test_limits_of_the_task_and_a_full_pool_do_not_keep_it_from_its_turn(session, effect):
    """It takes no slot, so it waits for none."""
    with DAG("d", schedule=None, max_active_tasks=1) as dag:
        g = task("g", pool="nothing goes in", max_active_tis_per_dag=1, max_active_tis_per_dagrun=1)
        task("u") >> g >> task("after", trigger_rule="all_done")
        task("beside")
    scheduler = play(session, dag, {"g": effect})
    assert scheduler.states("d")["g"] == G_STATE[effect]
    assert {"u", "beside"} <= set(scheduler.executed_tasks())
