"""Whose pause of a Dag it is, as people were told."""

from __future__ import annotations

from tests.simulation.script import Event
from tests.simulation.seen import Seen, deeds, overlaps
from tests.simulation.snapshot import RunKey


class Pauses:
    """Follows who paused which Dag."""

    def __init__(self) -> None:
        #: Dag -> event at which a person paused it
        self.by_person: dict[str, int] = {}
        #: Dags whose pause by a person an operation has lifted
        self.lifted: set[str] = set()
        #: Dag -> the runs that were not over when it was last paused
        self.frozen: dict[str, set[RunKey]] = {}

    def note(self, event: Event, seen: Seen, number: int) -> None:
        """Look at what an event did.

        :param number: of the event
        """
        for dag_id in _newly_paused(seen):
            self.frozen[dag_id] = {
                run for run, row in seen.before.runs.items() if run[0] == dag_id and row.state in ("queued", "running")
            }
        for deed in sorted(deeds(event), key=lambda each: each["do"] == "pause_dag"):
            if deed["do"] == "pause_dag":
                if seen.after.paused.get(deed["dag"]) and (not seen.before.paused.get(deed["dag"]) or overlaps(event)):
                    self.by_person[deed["dag"]] = number
            elif deed["do"] == "unpause_dag":
                self.by_person.pop(deed["dag"], None)
            elif deed["do"] == "operate" and deed["verb"] in ("start", "submit"):
                self._start(deed["dag"], seen)
            elif deed["do"] == "undo":
                # the start that lifted a person's pause is taken back
                self.by_person.update(dict.fromkeys(self.lifted.intersection(_newly_paused(seen)), number))

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


def _newly_paused(seen: Seen) -> list[str]:
    return [dag_id for dag_id, paused in seen.after.paused.items() if paused and not seen.before.paused.get(dag_id)]
