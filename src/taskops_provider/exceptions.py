"""The errors TaskOps raises for people: one clear line each, with the HTTP status and exit code they map to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


class TaskOpsError(Exception):
    """Base of all errors that are meant for a person. Nothing was changed when one is raised."""

    http_status = 400
    exit_code = 1


class BadInput(TaskOpsError):
    """The request cannot be understood or is not allowed in this form."""

    http_status = 422


class NotAllowed(BadInput):
    """A value that a field cannot have.

    :param name: of the field, as services and REST call it
    :param allowed: what it may be
    """

    def __init__(self, name: str, value: object, allowed: str):
        self.name = name
        self.problem = f"is {value!r}; allowed are {allowed}"
        super().__init__(f"{name} {self.problem}")


class ResourceNotFound(TaskOpsError):
    """A named Dag, task, operation or project does not exist (or may not be seen)."""

    http_status = 404


class Forbidden(TaskOpsError):
    """The acting user lacks the permission for the whole request."""

    http_status = 403


class Conflict(TaskOpsError):
    """The state does not allow it."""

    http_status = 409


class UnreadableDag(Conflict):
    """Airflow's stored form of a Dag cannot be read: it was written by another version, or is damaged."""


class GapRefused(BadInput):
    """The cycles that tasks have missed are not to be filled in, so the tasks were not started either.

    :param why: it may not be
    """

    def __init__(self, why: str):
        super().__init__(f"the gap is not filled, and nothing was started: {why}")
        self.why = why


class PlanChanged(Conflict):
    """What was planned is not any more what was looked at.

    :param difference: an answer for each target that is not as it was; empty if something else made the difference
    """

    def __init__(self, message: str, difference: Sequence[Any]):
        super().__init__(message)
        self.difference = difference


@dataclass(frozen=True, slots=True)
class ChangedTarget:
    """A target that is not any more as the preview showed it.

    :param now: its shown status
    """

    dag_id: str
    task_id: str | None
    now: str | None
    why: str

    def __str__(self) -> str:
        return f"{' '.join(filter(None, (self.dag_id, self.task_id)))} is now {self.now}: {self.why}"


class OperationPlanChanged(PlanChanged):
    """The plan of an operation is not the one whose plan hash was given."""

    #: what else may have made the difference
    OTHERWISE = "a Dag, a schedule or a setting changed outside these targets' operations, or the options differ"

    def __init__(self, difference: Sequence[ChangedTarget]):
        more = f" and {len(difference) - 1} more" if len(difference) > 1 else ""
        what = f"{difference[0]}{more}" if difference else self.OTHERWISE
        super().__init__(
            f"the plan has changed since the preview, nothing was done ({what}); preview again", difference
        )
        self.targets = difference


class NotMigrated(TaskOpsError):
    """Our tables are missing or old."""

    http_status = 503
