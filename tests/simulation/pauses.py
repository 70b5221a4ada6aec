"""Whose pause of a Dag it is, as people were told."""

from __future__ import annotations

from collections.abc import Iterator

from tests.simulation.script import Event
from tests.simulation.seen import Seen, deeds, overlaps
from tests.simulation.snapshot import RunKey, Snapshot


class Pauses:
    """Follows who paused which Dag."""

    def __init__(self) -> None:
        #: Dag -> event at which a person paused it
        self.by_person: dict[str, int] = {}
        #: Dags whose pause by a person an operation has lifted
        self.lifted: set[str] = set()
        #: Dag -> the runs that were not over when it was last paused
        self.frozen: dict[str, set[RunKey]] = {}
        #: runs of Dags that were unpaused for a while only: they wait until it is unpaused for everybody
        self.foreign: set[RunKey] = set()

    def note(self, event: Event, seen: Seen, number: int) -> None:
        """Look at what an event did.

        :param number: of the event
        """
        self.foreign |= _foreign(seen)
        # one that was awake stays paused for people: its runs stand still again
        for dag_id in (dag_id for dag_id in _newly_paused(seen) if dag_id not in seen.before.awake):
            self.frozen[dag_id] = {run for run in _unfinished(seen.before, dag_id) if run not in self.foreign}
        for deed in sorted(deeds(event), key=lambda each: each["do"] == "pause_dag"):
            if deed["do"] == "pause_dag":
                is_new = not seen.before.paused.get(deed["dag"]) or _may_unpause(event)
                if seen.after.paused.get(deed["dag"]) and is_new:
                    self.by_person[deed["dag"]] = number
                elif overlaps(event) and _starts(event, deed["dag"]):
                    self.lifted.add(deed["dag"])  # what had begun before the pause goes on after it
            elif deed["do"] == "unpause_dag":
                self.by_person.pop(deed["dag"], None)
            elif deed["do"] == "operate" and _starts(deed, deed["dag"]):
                self._start(deed["dag"], seen)
            elif deed["do"] == "undo":
                # the start that lifted a person's pause is taken back
                self.by_person.update(dict.fromkeys(self.lifted.intersection(_newly_paused(seen)), number))

    def waiting(self, snapshot: Snapshot) -> set[str]:
        """Paused Dags with runs that wait until they are unpaused for everybody."""
        paused = (dag_id for dag_id, is_paused in snapshot.paused.items() if is_paused)
        return {dag_id for dag_id in paused if not self.foreign.isdisjoint(_unfinished(snapshot, dag_id))}

    def _start(self, dag_id: str, seen: Seen) -> None:
        started = False
        for pair, claim in seen.after.claims.items():
            before = seen.before.claims.get(pair)
            if pair[0] == dag_id and claim.state == "scheduling" != (before.state if before else None):
                started = True
        if not started and seen.after.paused.get(dag_id):
            return
        if self.by_person.pop(dag_id, None) is not None:
            self.lifted.add(dag_id)


def _starts(event: Event, dag_id: str) -> bool:
    """Whether an event has an operation that starts something of a Dag."""
    return any(
        deed["do"] == "operate" and deed["verb"] in ("start", "submit") and deed["dag"] == dag_id
        for deed in deeds(event)
    )


def _may_unpause(event: Event) -> bool:
    """Whether something else of an event may have unpaused a Dag before somebody paused it."""
    return overlaps(event) and any(
        deed["do"] in ("operate", "undo", "unpause_dag", "monitor", "several") for deed in deeds(event)
    )


def _foreign(seen: Seen) -> set[RunKey]:
    for_now = seen.before.unpaused_for_now | seen.after.unpaused_for_now
    new = (run for run in seen.after.runs if run not in seen.before.runs and run not in seen.after.made_by)
    return {run for run in new if run[0] in for_now}


def _unfinished(snapshot: Snapshot, dag_id: str) -> Iterator[RunKey]:
    for run, row in snapshot.runs.items():
        if run[0] == dag_id and row.state in ("queued", "running"):
            yield run


def _newly_paused(seen: Seen) -> list[str]:
    return [dag_id for dag_id, paused in seen.after.paused.items() if paused and not seen.before.paused.get(dag_id)]
