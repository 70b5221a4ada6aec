"""What an event did: the database before and after it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.simulation.script import Event
from tests.simulation.snapshot import RunKey, Snapshot
from tests.simulation.world import Execution


@dataclass
class Seen:
    """What an event did."""

    before: Snapshot
    after: Snapshot
    executions: list[Execution]
    errors: list[tuple[str, str]]
    new_runs: list[RunKey] = field(default_factory=list)


def deeds(event: Event) -> Iterator[Event]:
    """The single events of an event."""
    if event["do"] == "during":
        yield event["first"]
        yield from event["then"]
    elif event["do"] == "several":
        yield from event["deeds"]
    else:
        yield event


def overlaps(event: Event) -> bool:
    """Whether transactions of it overlapped."""
    return event["do"] == "during"
