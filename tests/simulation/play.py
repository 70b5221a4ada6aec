"""Play a script, and judge it."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

from tests.simulation import operating, people, scheduling, working
from tests.simulation.actors import DEEDS, PROCESS
from tests.simulation.database import Database
from tests.simulation.interleaving import play_during
from tests.simulation.ledger import Ledger
from tests.simulation.oracles import Violation, judge_end, judge_event
from tests.simulation.quiescence import come_to_rest, release_everything
from tests.simulation.script import Event, Script
from tests.simulation.snapshot import told
from tests.simulation.world import World

#: the modules whose functions are events
ACTORS = (operating, people, scheduling, working)


@dataclass
class Verdict:
    """What came of a history.

    :param violations: of the oracles, in the order in which they were noticed
    :param trace: a line for each event
    """

    script: Script
    violations: list[Violation] = field(default_factory=list)
    trace: list[str] = field(default_factory=list)

    @property
    def kinds(self) -> set[str]:
        """The names of the oracles that were broken."""
        return {violation.oracle for violation in self.violations}


def perform(world: World, event: Event) -> None:
    """Do one event that is no interleaving."""
    arguments = {key: value for key, value in event.items() if key not in ("do", "dt")}
    world.clock.advance(event.get("dt", 0.1))
    try:
        DEEDS[event["do"]](world, **arguments)
    except Exception as error:
        kind = "person" if PROCESS[event["do"]] == "api" else "airflow"
        world.errors.append((kind, f"{event['do']}: {type(error).__name__}: {error}"[:300]))


def play(database: Database, script: Script, *, traces: bool = False, stop_at: str = "", rests: bool = True) -> Verdict:
    """Play a script to its end, and then until nothing moves any more.

    :param traces: keep what each event did, for people
    :param stop_at: an oracle: the first time that it is broken is enough
    :param rests: False: the script's own events are enough
    """
    verdict = Verdict(script)
    # Airflow puts some letters by chance behind the ids of some runs
    random.seed(script.seed)
    world = World(database, list(script.dags), dict(script.skews), script.seed)
    try:
        _play(world, script, verdict, traces=traces, stop_at=stop_at, rests=rests)
    finally:
        world.close()
    return verdict


def _play(world: World, script: Script, verdict: Verdict, *, traces: bool, stop_at: str, rests: bool) -> None:
    scheduling.write(world, list(script.dags))
    operating.monitor(world, steps=["index"])
    ledger = Ledger(world)

    def step(event: Event) -> bool:
        """Play an event and look at what it did; tell whether to go on."""
        world.event += 1
        if _has_nothing_to_do(world, ledger, event):
            world.clock.advance(event.get("dt", 0.1))
            return True
        _do(world, event)
        seen = ledger.observe(event)
        verdict.violations += judge_event(world, ledger, event, seen)
        if traces:
            changed = told(seen.before, seen.after) + _errors(seen.errors)
            verdict.trace.append(f"{world.event:3} +{event.get('dt', 0.1):<6} {_told(event)}{changed}")
        return not (stop_at and stop_at in verdict.kinds)

    for event in script.events:
        if not step(event):
            return
    if not rests or not come_to_rest(world, ledger, step):
        return
    verdict.violations += judge_end(world, ledger, released=False)
    if stop_at and stop_at in verdict.kinds:
        return
    rested = world.event
    if not release_everything(world, ledger, step):
        return
    if world.event > rested and not come_to_rest(world, ledger, step):
        return
    verdict.violations += judge_end(world, ledger, released=True)


def _has_nothing_to_do(world: World, ledger: Ledger, event: Event) -> bool:
    """Whether an event of Airflow's would not find what it looks for: most of the time of a history goes there."""
    last, name = ledger.last, event["do"]
    if name == "several":
        return all(_has_nothing_to_do(world, ledger, deed) for deed in event["deeds"])
    if name == "look":
        return all(run.state != "running" for run in last.runs.values())
    if name == "start_queued":
        return all(run.state != "queued" for run in last.runs.values())
    if name in ("queue", "fire"):
        state = "scheduled" if name == "queue" else "deferred"
        return all(ti.state != state for ti in last.tis.values())
    if name in ("work", "take"):
        return not world.executor.handed
    if name == "finish":
        return not world.running
    return name == "heed_executor" and not world.executor.event_buffer


def _do(world: World, event: Event) -> None:
    if event["do"] == "during":
        world.clock.advance(event.get("dt", 0.1))
        play_during(world, perform, event["first"], event["at"], event["then"])
    elif event["do"] == "several":
        world.clock.advance(event.get("dt", 0.1))
        for deed in event["deeds"]:
            perform(world, deed)
    else:
        perform(world, event)


def _errors(errors: list[tuple[str, str]]) -> str:
    return "".join(f"\n        ! {kind}: {text}" for kind, text in errors)


def _told(event: Event) -> str:
    if event["do"] == "during":
        then = "; ".join(_told(each) for each in event["then"])
        return f"({_told(event['first'])}) stopped before statement {event['at']}: {then}; and goes on"
    if event["do"] == "several":
        return ", ".join(_told(each) for each in event["deeds"])
    arguments: dict[str, Any] = {key: value for key, value in event.items() if key not in ("do", "dt")}
    return f"{event['do']} " + " ".join(f"{key}={value}" for key, value in arguments.items())
