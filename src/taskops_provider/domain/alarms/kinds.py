"""What alarm rules watch and wait for."""

from __future__ import annotations

from enum import StrEnum

LEVELS = (1, 2, 3)


class AlarmScope(StrEnum):
    """What a rule watches."""

    TASK = "task"
    WORKFLOW = "workflow"
    PROJECT = "project"


class Kind(StrEnum):
    """What a rule waits for."""

    FAILED = "failed"
    SUCCEEDED = "succeeded"
    RUNNING_LONGER_THAN = "running_longer_than"
    NOT_FINISHED_BY = "not_finished_by"
    NOT_STARTED_BY = "not_started_by"
    REPLENISHMENT_FAILED = "replenishment_failed"
    REPLENISHMENT_SUCCEEDED = "replenishment_succeeded"


DEADLINES = (Kind.NOT_FINISHED_BY, Kind.NOT_STARTED_BY)
REPLENISHMENTS = (Kind.REPLENISHMENT_FAILED, Kind.REPLENISHMENT_SUCCEEDED)


class FailedOn(StrEnum):
    """Which failure a ``failed`` rule waits for."""

    FIRST_FAILURE = "first_failure"
    RETRIES_EXHAUSTED = "retries_exhausted"
