"""Held instances of tasks that left their Dag: in a versioned bundle the run keeps the task, so it needs a way on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from taskops_provider.services.operations import resume
from tests.support.gates import settle
from tests.support.scheduling import Scheduler
from tests.support.warehouse import chain, install, later, operate, outcomes, stored


@pytest.fixture
def scheduler(session) -> Scheduler:
    """A run of the first version of d, in which b is held; the version after has no b."""
    install(session, [chain("d", "a", "b", "c")], bundle_version="one")
    operate(session, "pause", "d.b", downstream="hold")
    scheduler = Scheduler(session, settle=settle)
    scheduler.create_run("d")
    assert scheduler.run_to_end("d") == "running"
    install(session, [chain("d", "a", "c")], bundle_version="two")
    assert scheduler.run_to_end("d") == "running"
    assert scheduler.executed_tasks() == ["a"]
    return scheduler


@pytest.mark.parametrize("target", ["d.b", "d"])
def test_starting_it_lets_it_execute(session, scheduler, target):
    if target == "d":
        operate(session, "pause", "d.a")
    assert outcomes(operate(session, "start", target))["d.b"] == "applied"
    assert scheduler.run_to_end("d") == "success"
    assert scheduler.executed_tasks() == ["a", "b", "c"]


def test_starting_it_may_skip_what_is_held(session, scheduler):
    operate(session, "start", "d.b", held="skip")
    assert scheduler.run_to_end("d") == "success"
    assert scheduler.states("d") == {"a": "success", "b": "skipped", "c": "skipped"}


def test_starting_it_fills_no_gap_of_cycles_that_do_not_have_it(session, scheduler):
    plan = operate(session, "start", "d.b", fill_gap=True)
    assert (outcomes(plan), plan.gap.cells) == ({"d.b": "applied"}, 0)
    assert scheduler.run_to_end("d") == "success"


@pytest.mark.parametrize("target", ["d.b", "d"])
def test_taking_it_offline_ends_what_is_held(session, scheduler, target):
    assert outcomes(operate(session, "offline", target, downstream="run"))["d.b"] == "applied"
    assert scheduler.run_to_end("d") == "success"
    assert scheduler.states("d")["b"] == "success"
    assert "b" not in scheduler.executed_tasks()


def test_its_planned_end_comes(session):
    install(session, [chain("d", "a", "b", "c")], bundle_version="one")
    operate(session, "pause", "d.b", downstream="hold", resume_at=later(minutes=1))
    scheduler = Scheduler(session, settle=settle)
    scheduler.create_run("d")
    scheduler.run_to_end("d")
    install(session, [chain("d", "a", "c")], bundle_version="two")
    in_time = datetime.now(UTC) + timedelta(minutes=2)
    assert resume.due_dags(session, in_time) == ["d"]
    resume.resume_dag(session, "d", in_time)
    session.commit()
    assert resume.due_dags(session, in_time) == []
    assert scheduler.run_to_end("d") == "success"
    assert scheduler.executed_tasks() == ["a", "b", "c"]


def test_what_would_stop_it_or_bring_it_back_is_refused(session, scheduler):
    install(session, [chain("d", "a")], bundle_version="three")
    for verb in ("pause", "offline"):
        assert outcomes(operate(session, verb, "d.c")) == {"d.c": "left_alone"}
    assert stored(session, "d") == {"a": "scheduling", "b": "paused", "c": "scheduling"}
