"""The simulation itself: it is the same each time, its oracles see planted faults, its shrinker shrinks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from airflow.models.dag import DagModel
from airflow.models.taskinstance import TaskInstance as TI
from sqlalchemy import update

from taskops_provider.services.replenishments import execute
from tests.simulation import actors, product
from tests.simulation.dags import DagSpec, TaskSpec
from tests.simulation.database import Database
from tests.simulation.generate import generate
from tests.simulation.play import Verdict, play
from tests.simulation.script import Event, Script
from tests.simulation.shrink import shrink
from tests.simulation.world import World

CHAIN = DagSpec("d", (TaskSpec("up"), TaskSpec("g", upstream=("up",)), TaskSpec("after", upstream=("g",))))
SCRIPTS = Path(__file__).parent / "scripts"
ONWARDS: tuple[Event, ...] = ({"do": "start_queued"}, {"do": "look"}, {"do": "queue"})
TRIGGER: Event = {"do": "trigger", "dag": "d"}


@pytest.fixture(scope="module")
def database() -> Iterator[Database]:
    """The worker's own database, emptied at the end."""
    opened = Database()
    yield opened
    opened.close()


@pytest.fixture
def plant(monkeypatch):
    """Make an event of a fault: ``plant(do)`` is called with the world and a session."""

    def planted(do):
        def deed(world: World) -> None:
            with world.session() as session:
                do(world, session)

        monkeypatch.setitem(actors.DEEDS, "fault", deed)

    return planted


def script(*events: Event, dag: DagSpec = CHAIN) -> Script:
    """A script of one Dag."""
    return Script(1, (dag,), events)


def pause(effect: str, task: str = "g", **more: object) -> Event:
    """Pause a task."""
    return {"do": "operate", "verb": "pause", "dag": "d", "tasks": [task], "downstream": effect, **more}


def told(verdict: Verdict) -> list[str]:
    """What broke, for messages of tests."""
    return [str(violation) for violation in verdict.violations]


@pytest.mark.parametrize("effect", ["skip", "run", "fail", "hold"])
def test_a_friendly_history_breaks_nothing(database, effect):
    verdict = play(database, script(pause(effect), TRIGGER, *ONWARDS, {"do": "work"}, {"do": "monitor"}))
    assert told(verdict) == []


@pytest.mark.parametrize("seed", [7, 8])
def test_a_seed_is_one_history(database, seed):
    """Whatever this process did before: the first one ended a round after the first of two replenishments."""
    execute._of_thread.last = 1
    first, second = (play(database, generate(seed), traces=True) for _ in range(2))
    assert generate(seed) == generate(seed)
    assert first.trace == second.trace
    assert told(first) == told(second)


def test_a_script_survives_being_written(database):
    drawn = generate(11)
    assert Script.loads(drawn.dumps()) == drawn


@pytest.mark.parametrize("path", sorted(SCRIPTS.iterdir()), ids=lambda path: path.stem)
def test_what_once_looked_broken_is_not(database, path):
    """Short histories of which the oracles, or the reports that they read, once told too little."""
    assert told(play(database, Script.read(path))) == []


def test_what_is_gated_must_not_execute(database, plant):
    let_go = update(TI).where(TI.task_id == "g").values(pool="default_pool", state=None)
    plant(lambda world, session: session.execute(let_go))
    verdict = play(database, script(pause("run"), TRIGGER, {"do": "fault"}))
    assert verdict.kinds >= {"gated executes"}


def test_what_is_gated_ends_by_its_effect(database, plant):
    plant(lambda world, session: session.execute(update(TI).where(TI.task_id == "g").values(state="success")))
    verdict = play(database, script(pause("fail"), TRIGGER, {"do": "fault"}))
    assert "effect" in verdict.kinds


def test_other_tasks_end_as_without_the_gate(database, plant):
    plant(lambda world, session: session.execute(update(TI).where(TI.task_id == "after").values(state="skipped")))
    verdict = play(database, script(pause("run"), TRIGGER, {"do": "fault"}))
    assert verdict.kinds == {"ends otherwise"}


def test_every_run_ends(database, plant):
    plant(lambda world, session: session.execute(update(TI).where(TI.task_id == "after").values(pool="gone")))
    verdict = play(database, script(pause("run"), TRIGGER, {"do": "fault"}))
    assert verdict.kinds == {"never ends"}


def test_a_persons_pause_stays(database, plant):
    plant(lambda world, session: session.execute(update(DagModel).values(is_paused=False)))
    verdict = play(database, script({"do": "pause_dag", "dag": "d"}, {"do": "fault"}))
    assert verdict.kinds == {"pause lifted"}


def test_no_step_of_the_monitor_raises(database, monkeypatch):
    def stumble(session, now):
        raise RuntimeError("a bad row")

    monkeypatch.setattr(product, "STEPS", (*product.STEPS, product.Step("stumbles", 0, stumble)))
    assert play(database, script(TRIGGER, {"do": "monitor"})).kinds == {"monitor step"}


def test_the_shrinker_leaves_what_is_needed(database, plant):
    plant(lambda world, session: session.execute(update(TI).where(TI.task_id == "g").values(state="success")))
    noise: tuple[Event, ...] = ({"do": "parse", "dag": "d"}, {"do": "monitor", "steps": ["resume"]})
    long = script(*noise, pause("fail"), *noise, TRIGGER, *noise, {"do": "fault"}, *noise)

    small = shrink(long, lambda candidate: "effect" in play(database, candidate, stop_at="effect", rests=False).kinds)

    assert [event["do"] for event in small.events] == ["operate", "trigger", "fault"]
    assert [task.id for task in small.dags[0].tasks] == ["g"]


def test_an_event_in_the_middle_of_another(database):
    """A trigger that stops before its first statement sees what was committed meanwhile."""
    first = {"do": "during", "first": TRIGGER, "at": 1, "then": [pause("skip")]}
    verdict = play(database, script(first), traces=True)
    made = next(line for line in verdict.trace if "stopped before" in line)
    assert "g:up_for_retry/taskops_skip" in made
    assert told(verdict) == []


def test_a_killed_monitor_leaves_nothing_behind(database):
    """Whatever statement is the last: the transaction is gone, and the next monitor does all of it."""
    for statement in (3, 9, 15):
        killed: Event = {"do": "monitor", "kill": statement}
        verdict = play(database, script(pause("skip"), TRIGGER, *ONWARDS, {"do": "work"}, killed))
        assert told(verdict) == []
