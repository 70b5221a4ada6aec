"""What comes of operations."""

from __future__ import annotations

from enum import StrEnum


class Outcome(StrEnum):
    """What comes of an operation for one target."""

    APPLIED = "applied"
    LEFT_ALONE = "left_alone"
    BLOCKED = "blocked"
    #: a task that keeps its shown status although its row changes (requirements 2: "leaves the other tasks paused
    #: individually"); recorded for undo, not counted
    SIDE_EFFECT = "side_effect"


class OperationOutcome(StrEnum):
    """What came of a whole operation."""

    SUCCESS = "success"
    PART_SUCCESS = "part_success"
    REFUSED = "refused"
