"""What comes after a history: everybody goes on, in a friendly order, until nothing moves any more."""

from __future__ import annotations

from collections.abc import Callable

from tests.simulation.ledger import Ledger
from tests.simulation.script import Event
from tests.simulation.snapshot import FINISHED, Snapshot
from tests.simulation.world import World

#: rounds after which a history that still moves is left
_ROUNDS = 60

_ALL = 10_000

#: what brings runs on, and what happens to the rest now and then
_ONWARDS = (
    {"do": "start_queued"},
    {"do": "look"},
    {"do": "queue"},
)
_WORKING = (
    {"do": "work", "n": _ALL},
    {"do": "finish", "n": _ALL},
    {"do": "fire"},
    {"do": "heed_executor"},
)


def _several(*deeds: Event, dt: float) -> Event:
    return {"do": "several", "deeds": [{**deed, "dt": 0.0} for deed in deeds], "dt": dt}


def come_to_rest(world: World, ledger: Ledger, step: Callable[[Event], bool]) -> bool:
    """Play rounds until nothing changes, not in a minute and with all files parsed again either; tell whether to go on.

    In a round Airflow goes as far as it can, then the monitor has a turn: most of a history's time goes here, and most
    turns of the monitor between two steps of Airflow's would change nothing.
    """
    is_still = False
    for _ in range(_ROUNDS):
        before = ledger.last.signature()
        if is_still and not _time_passes(world, step):
            return False
        if not _airflow_goes_on(ledger, step) or not step({"do": "monitor", "steps": _due(ledger.last), "dt": 0.2}):
            return False
        has_changed = ledger.last.signature() != before
        if is_still and not has_changed:
            break
        is_still = not has_changed
    return True


def _due(last: Snapshot) -> list[str]:
    """The steps of the monitor that may find something to do; all of them have their turn when time passes."""
    waits = any(ti.pool.startswith("taskops_") and ti.state not in FINISHED for ti in last.tis.values())
    goes_on = len(last.over) < len(last.replenishments) or bool(last.unpaused_for_now)
    has_end = any(claim.resume_at is not None for claim in last.claims.values())
    due = {"settle": waits, "replenishments": goes_on, "drain": True, "resume": has_end}
    return [name for name, is_due in due.items() if is_due]


def _airflow_goes_on(ledger: Ledger, step: Callable[[Event], bool]) -> bool:
    for _ in range(_ROUNDS):
        before = ledger.last.signature()
        if not (all(step({**deed, "dt": 1.0}) for deed in _ONWARDS) and step(_several(*_WORKING, dt=0.2))):
            return False
        if ledger.last.signature() == before:
            break
    return True


def _time_passes(world: World, step: Callable[[Event], bool]) -> bool:
    # nothing of a Dag without a schedule comes from parsing it again
    parsing: list[Event] = [{"do": "parse", "dag": dag_id} for dag_id in world.dags if world.spec(dag_id).schedule]
    making: tuple[Event, ...] = ({"do": "complete_backfills"}, {"do": "create_runs"})
    return step(_several(*parsing, *making, dt=65.0)) and step({"do": "monitor", "dt": 0.2})


def release_everything(world: World, ledger: Ledger, step: Callable[[Event], bool]) -> bool:
    """Nobody holds anything any more: held tasks start, people unpause, what waits for a person is cancelled."""
    for number, state in sorted(ledger.last.replenishments.items(), reverse=True):
        if number not in ledger.last.over and state in ("queued", "running", "paused"):
            which = sorted(ledger.last.replenishments, reverse=True).index(number)
            if not step({"do": "control", "verb": "cancel", "which": which}):
                return False
    for (dag_id, task_id), claim in sorted(ledger.last.claims.items()):
        is_held = claim.is_gated and claim.effect == "hold"
        if is_held and not step({"do": "operate", "verb": "start", "dag": dag_id, "tasks": [task_id]}):
            return False
    paused = {*ledger.pauses.by_person, *ledger.pauses.waiting(ledger.last)}
    return all(step({"do": "unpause_dag", "dag": dag_id}) for dag_id in sorted(paused))
