"""A task in a loop has instances with the same map index, one or more in each iteration: told apart everywhere."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from taskops_provider.adapter.compatibility import HAS_REGIONS
from taskops_provider.exceptions import BadInput
from taskops_provider.inputs.operation import ReasonAndTicket
from taskops_provider.services.catalog.instances import InstanceSearch, list_instances
from taskops_provider.services.operations.on_instances import (
    InstanceRequest,
    InstanceVerb,
    Ref,
    apply_on_instances,
    preview_on_instances,
)
from tests.support.alarming import alarms, look, rule
from tests.support.gates import settle
from tests.support.scheduling import Scheduler
from tests.support.warehouse import ALICE, install, operate

pytestmark = pytest.mark.skipif(not HAS_REGIONS, reason="loops come with Airflow 3.4")


@pytest.fixture
def session(session):
    from tests.support.loops import looped

    install(session, [looped()])
    return session


def play(session, rounds: int = 60, **outcomes: str) -> Scheduler:
    from tests.support.loops import RESULTS

    named = {name.replace("__", "."): outcome for name, outcome in outcomes.items()}
    scheduler = Scheduler(session, outcomes=named, settle=settle, results=RESULTS)
    scheduler.create_run("looped")
    scheduler.run_to_end("looped", rounds=rounds)
    return scheduler


def listed(session, task_id: str = "batch.work"):
    search = InstanceSearch("looped", task_id)
    return list_instances(session, ALICE, search, datetime.now(UTC), limit=50)


def request(verb: InstanceVerb, *refs: Ref, task_id: str = "batch.work") -> InstanceRequest:
    return InstanceRequest("looped", task_id, verb, refs, ReasonAndTicket())


def test_the_list_tells_iterations_apart(session):
    scheduler = play(session)
    assert scheduler.run_state("looped") == "success"
    rows = listed(session)
    assert [row.iteration for row in rows] == ["0[0]", "1[0]", "2[0]", "0[1]", "1[1]", "2[1]"]
    assert len({(row.region_id, row.map_index) for row in rows}) == 6
    chosen = listed(session, "batch.choose")
    assert sorted(row.iteration for row in chosen) == ["0", "1", "2"]
    (outside,) = listed(session, "before")
    assert (outside.iteration, outside.region_id) == (None, None)


def test_an_operation_changes_the_instance_of_one_iteration(session):
    play(session)
    second = next(row for row in listed(session) if row.iteration == "1[0]")
    ref = Ref("run_1", second.map_index, second.region_id)
    done = apply_on_instances(session, ALICE, request(InstanceVerb.SET_FAILED, ref))
    session.commit()
    assert done.plan.counts().applied == 1
    states = {row.iteration: row.state for row in listed(session)}
    assert [name for name, state in states.items() if state == "failed"] == ["1[0]"]
    apply_on_instances(session, ALICE, request(InstanceVerb.RERUN, ref))
    session.commit()
    states = {row.iteration: row.state for row in listed(session)}
    assert [name for name, state in states.items() if state is None] == ["1[0]"]


def test_a_map_index_alone_is_refused_where_iterations_share_it(session):
    play(session)
    with pytest.raises(BadInput, match="region_id"):
        preview_on_instances(session, ALICE, request(InstanceVerb.RERUN, Ref("run_1", 0)))
    # a task that is not mapped has its iteration as index
    plan = preview_on_instances(session, ALICE, request(InstanceVerb.RERUN, Ref("run_1", 1), task_id="batch.choose"))
    assert plan.plan.counts().applied == 1


@pytest.mark.parametrize("effect", ["skip", "run"])
def test_a_gated_task_executes_in_no_iteration_and_the_loop_ends(session, effect):
    operate(session, "pause", "looped.batch.choose", downstream=effect)
    scheduler = play(session)
    assert "batch.choose" not in scheduler.executed_tasks()
    assert scheduler.run_state("looped") in ("success", "failed")
    assert all(row.gated for row in listed(session, "batch.choose"))


def test_each_failed_instance_has_its_alarm_once(session):
    rule(session, "looped.batch.work")
    play(session, batch__work="failed")
    look(session)
    look(session)
    rows = [row for row in listed(session) if row.state == "failed"]
    found = alarms(session)
    assert len(found) == len(rows) > 1
    assert sorted(one.facts["iteration"] for one in found) == sorted(row.iteration for row in rows)


def test_each_success_of_each_iteration_has_its_alarm_once(session):
    rule(session, "looped.batch.work", "succeeded")
    play(session)
    look(session)
    look(session)
    assert sorted(one.facts["iteration"] for one in alarms(session)) == [
        "0[0]", "0[1]", "1[0]", "1[1]", "2[0]", "2[1]",
    ]  # fmt: skip


def test_a_replenishment_of_one_task_executes_its_whole_loop(session):
    """Without the gate there is one iteration, and each is made of what the one before it returned."""
    from tests.support.loops import RESULTS
    from tests.support.replenishing import World, days

    world = World(session, results=RESULTS)
    number = world.create("looped.batch.choose", ranges=[days(1, 1)])
    world.play(number)
    done = {task_id: times for (_, task_id), times in world.executed.items()}
    gates = {task_id: done.pop(task_id) for task_id in list(done) if "choose" not in task_id and "work" not in task_id}
    assert done == {"batch.choose": 3, "batch.work": 6}
    assert list(gates.values()) == [3]
    assert {row.state for row in listed(session, "before")} == {"success"}


def test_a_replenishment_of_an_existing_run_executes_every_iteration_again(session):
    from tests.support.loops import RESULTS
    from tests.support.replenishing import World, days

    world = World(session, results=RESULTS)
    first = world.create("looped", ranges=[days(1, 1)])
    world.play(first)
    again = world.create("looped.batch.work", ranges=[days(1, 1)], cells="all")
    world.play(again)
    done = {task_id: times for (_, task_id), times in world.executed.items()}
    # what the others of the loop returned is there already
    assert (done["batch.choose"], done["batch.work"]) == (3, 12)
    assert done["before"] == 1
