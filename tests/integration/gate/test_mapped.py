"""Mapped tasks and mapped task groups under the gate, on Airflow's own scheduler logic (requirements 3)."""

from __future__ import annotations

import pytest
from airflow.providers.standard.operators.bash import BashOperator
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, task_group
from airflow.sdk import task as sdk_task

from taskops_provider.services.gate import existing_instances
from tests.support.airflow_db import serialized, write_dags
from tests.support.gates import EFFECTS, gate, play, settle, task
from tests.support.scheduling import Scheduler

G_STATE = {"skip": "skipped", "run": "success", "fail": "failed", "hold": "up_for_retry"}
AFTER_STATE = {"skip": "skipped", "run": "success", "fail": "upstream_failed", "hold": None}


def mapped(task_id: str, **options) -> BashOperator:
    """A task mapped over a literal list of two."""
    return BashOperator.partial(task_id=task_id, **options).expand(bash_command=["a", "b"])


def producing() -> DAG:
    """A Dag in which G is expanded at run time over what ``produce`` returns."""
    with DAG("d", schedule=None) as dag:
        producer = task("produce")
        g = BashOperator.partial(task_id="g").expand(bash_command=producer.output)
        producer >> g >> task("after")
    return dag


@pytest.mark.parametrize("effect", EFFECTS)
def test_mapped_over_a_literal(session, effect):
    with DAG("d", schedule=None) as dag:
        task("before") >> mapped("g") >> task("after")
    scheduler = play(session, dag, {"g": effect})
    assert scheduler.states("d") == {
        "before": "success",
        "g[0]": G_STATE[effect],
        "g[1]": G_STATE[effect],
        "after": AFTER_STATE[effect],
    }
    assert "g" not in scheduler.executed_tasks()


@pytest.mark.parametrize("effect", EFFECTS)
def test_expanded_at_run_time(session, effect):
    """The siblings that the scheduler makes at expansion are gated too."""
    scheduler = play(session, producing(), {"g": effect}, results={"produce": ["x", "y", "z"]})
    assert scheduler.states("d") == {
        "produce": "success",
        # a held one is expanded when it is let go
        **({"g": G_STATE[effect]} if effect == "hold" else {f"g[{index}]": G_STATE[effect] for index in range(3)}),
        "after": AFTER_STATE[effect],
    }
    assert scheduler.executed_tasks() == ["produce"] + (["after"] if effect == "run" else [])


@pytest.mark.parametrize("effect", EFFECTS)
def test_expanded_over_nothing(session, effect):
    scheduler = play(session, producing(), {"g": effect}, results={"produce": []})
    if effect == "hold":
        assert scheduler.states("d")["g"] == "up_for_retry"
        existing_instances.release(session, [("d", "g")], "run")
        session.commit()
        scheduler.run_to_end("d")
    assert scheduler.states("d")["g"] == "skipped"


def test_released_before_it_is_expanded(session):
    """Once started, all instances run: also those that are expanded afterwards in a run made while it was held."""
    dag = producing()
    scheduler = play(session, dag, {"g": "hold"}, results={"produce": ["x", "y", "z"]}, rounds=0)
    scheduler.schedule("d")
    session.commit()
    assert existing_instances.release(session, [("d", "g")], "run") == 1
    session.commit()
    assert scheduler.run_to_end("d") == "success"
    assert scheduler.executed_tasks() == ["produce", "g", "g", "g", "after"]


@pytest.mark.parametrize("effect", EFFECTS)
def test_cleared_before_it_is_expanded_again(session, effect):
    """A cleared mapped task runs with all its instances, also with those that are new."""
    scheduler = play(session, producing(), {"g": effect}, results={"produce": ["x"]})
    scheduler.results["produce"] = ["x", "y", "z"]
    scheduler.executed.clear()
    serialized("d", session).clear(run_id="run_1", session=session)
    session.commit()
    scheduler.start_queued("d")
    assert scheduler.run_to_end("d") == "success"
    assert scheduler.executed_tasks() == ["produce", "g", "g", "g", "after"]


@pytest.mark.parametrize("effect", EFFECTS)
def test_consumer_mapped_over_a_gated_task(session, effect):
    """There is no XCom to expand over: with ``run`` the consumer fails, as where a task returns nothing."""
    with DAG("d", schedule=None) as dag:
        g = task("g")
        BashOperator.partial(task_id="consumer").expand(bash_command=g.output) >> task("after")
    scheduler = play(session, dag, {"g": effect})
    expected = {"skip": "skipped", "run": "upstream_failed", "fail": "upstream_failed", "hold": None}[effect]
    assert scheduler.states("d") == {"g": G_STATE[effect], "consumer": expected, "after": expected}
    assert scheduler.executed_tasks() == []


def test_gated_consumer_of_a_gated_task_succeeds_with_run(session):
    """Two tasks deleted with ``run``, the second mapped over the first: neither fails the run."""
    with DAG("d", schedule=None) as dag:
        g = task("g")
        first = BashOperator.partial(task_id="first").expand(bash_command=g.output)
        second = BashOperator.partial(task_id="second").expand(bash_command=first.output)
        second >> task("after")
    scheduler = play(session, dag, {"g": "run", "first": "run", "second": "run"})
    assert scheduler.states("d") == {"g": "success", "first": "success", "second": "success", "after": "success"}
    assert scheduler.executed_tasks() == ["after"]


@pytest.mark.parametrize("effect", EFFECTS)
def test_consumer_mapped_over_a_gated_mapped_task(session, effect):
    with DAG("d", schedule=None) as dag:
        producer = task("produce")
        g = BashOperator.partial(task_id="g").expand(bash_command=producer.output)
        BashOperator.partial(task_id="consumer").expand(bash_command=g.output)
    scheduler = play(session, dag, {"g": effect}, results={"produce": ["x", "y"]})
    expected = {"skip": "skipped", "run": "skipped", "fail": "upstream_failed", "hold": None}[effect]
    assert scheduler.states("d")["consumer"] == expected


@pytest.mark.parametrize("effect", EFFECTS)
def test_plain_consumer_and_reducer_of_a_gated_task(session, effect):
    with DAG("d", schedule=None) as dag:

        @sdk_task
        def consume(value):
            return value

        consume(mapped("g").output)
    scheduler = play(session, dag, {"g": effect})
    assert scheduler.states("d")["consume"] == AFTER_STATE[effect]


def grouped(source) -> DAG:
    with DAG("d", schedule=None) as dag:
        producer = task("produce")

        @task_group
        def section(item):
            BashOperator(task_id="a", bash_command=item) >> task("g") >> task("b")

        section.expand(item=producer.output if source == "xcom" else ["x", "y"]) >> task("after")
        producer >> dag.get_task("section.a")
    return dag


def _of_g(effect: str, source: str) -> dict[str, str]:
    """A held task is expanded with its run, or when it is let go."""
    if effect == "hold" and source == "xcom":
        return {"section.g": G_STATE[effect]}
    return {f"section.g[{i}]": G_STATE[effect] for i in range(2)}


@pytest.mark.parametrize("source", ["literal", "xcom"])
@pytest.mark.parametrize("effect", EFFECTS)
def test_in_a_mapped_task_group(session, effect, source):
    scheduler = play(session, grouped(source), {"section.g": effect}, results={"produce": ["x", "y"]})
    states = scheduler.states("d")
    # whether b is expanded before it ends is Airflow's affair
    assert {state for name, state in states.items() if name.startswith("section.b")} == {AFTER_STATE[effect]}
    assert {name: state for name, state in states.items() if not name.startswith("section.b")} == {
        "produce": "success",
        **{f"section.a[{i}]": "success" for i in range(2)},
        **_of_g(effect, source),
        "after": AFTER_STATE[effect],
    }
    assert "section.g" not in scheduler.executed_tasks()


@pytest.mark.parametrize("effect", EFFECTS)
def test_failure_in_one_branch_of_a_mapped_task_group(session, effect):
    """What fails at one index stays at that index."""
    write_dags([grouped("literal")], session)
    scheduler = Failing(session, settle=settle)
    gate(session, "d", "section.g", effect)
    scheduler.create_run("d")
    scheduler.run_to_end("d")
    states = scheduler.states("d")
    assert states["section.a[0]"] == "success"
    assert states["section.a[1]"] == "failed"
    assert states["section.g[0]"] == G_STATE[effect]
    assert states["section.g[1]"] == "upstream_failed"
    assert states["section.b[0]"] == AFTER_STATE[effect]
    assert states["section.b[1]"] == "upstream_failed"


class Failing(Scheduler):
    """Fails ``section.a`` at index 1."""

    def before_finish(self, ti):
        self.outcomes["section.a"] = "failed" if ti.map_index == 1 else "success"


@pytest.mark.parametrize("source", ["literal", "xcom"])
@pytest.mark.parametrize("effect", EFFECTS)
def test_empty_operator_in_a_mapped_task_group(session, effect, source):
    """It pays no heed to pools: it is the state in which it waits that keeps it from being run."""
    with DAG("d", schedule=None) as dag:
        producer = task("produce")

        @task_group
        def section(item):
            BashOperator(task_id="a", bash_command=item) >> EmptyOperator(task_id="g")

        section.expand(item=producer.output if source == "xcom" else ["x", "y"]) >> task("after")
        producer >> dag.get_task("section.a")
    scheduler = play(session, dag, {"section.g": effect}, results={"produce": ["x", "y"]})
    states = scheduler.states("d")
    assert {name: states[name] for name in states if name.startswith("section.g")} == _of_g(effect, source)
    assert states["after"] == AFTER_STATE[effect]


def test_mapped_group_over_a_gated_task_succeeds_with_run(session):
    with DAG("d", schedule=None) as dag:
        g = task("g")

        @task_group
        def section(item):
            BashOperator(task_id="a", bash_command=item) >> task("b")

        section.expand(item=g.output) >> task("after")
    scheduler = play(session, dag, {"g": "run", "section.a": "run", "section.b": "run"})
    assert scheduler.states("d") == {"g": "success", "section.a": "success", "section.b": "success", "after": "success"}
