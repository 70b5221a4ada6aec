"""The errors TaskOps raises for people: one clear line each, with the HTTP status and exit code they map to."""

from __future__ import annotations

from typing import Any


class TaskOpsError(Exception):
    """Base of all errors that are meant for a person. Nothing was changed when one is raised."""

    http_status = 400
    exit_code = 1


class BadInput(TaskOpsError):
    """The request cannot be understood or is not allowed in this form."""

    http_status = 422


class NotFound(TaskOpsError):
    """A named Dag, task, operation or project does not exist (or may not be seen)."""

    http_status = 404


class Forbidden(TaskOpsError):
    """The acting user lacks the permission for the whole request."""

    http_status = 403


class Conflict(TaskOpsError):
    """The state does not allow it."""

    http_status = 409


class PlanChanged(Conflict):
    """The state changed since the preview whose plan hash was given.

    :param difference: one dict per changed target: ``dag_id``, ``task_id``, ``now`` (shown status), ``why``.
    """

    def __init__(self, message: str, difference: list[dict[str, Any]]):
        super().__init__(message)
        self.difference = difference


class NotMigrated(TaskOpsError):
    """Our tables are missing or old."""

    http_status = 503
