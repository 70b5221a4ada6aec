"""What can go wrong between a task and the REST API, one line each.

Those that no repetition mends are an ``AirflowFailException`` too, so that a task that lets one pass fails at once,
whatever retries it has left. The others fail the try and leave the rest to the task's retries.
"""

from __future__ import annotations

from airflow.sdk.exceptions import AirflowException, AirflowFailException

MAX_LENGTH = 600


def one_line(text: object) -> str:
    """Return a text on one line, cut where it is endless."""
    line = " ".join(str(text).split())
    return line if len(line) <= MAX_LENGTH else f"{line[:MAX_LENGTH]}..."


class TaskOpsHookError(AirflowException):
    """Base of all errors of the hook. The message is one line for the task's log."""

    def __init__(self, message: object):
        super().__init__(one_line(message))


class BadConnection(TaskOpsHookError, AirflowFailException):
    """The Airflow connection lacks something or holds something that cannot be."""


class LoginRefused(TaskOpsHookError, AirflowFailException):
    """401: a wrong user name or password, or a token that is not valid (any more)."""


class PermissionMissing(TaskOpsHookError, AirflowFailException):
    """403: the connection's user may not do this."""


class NotFound(TaskOpsHookError, AirflowFailException):
    """404: no such Dag or task, or not one that the connection's user may see."""


class RequestRefused(TaskOpsHookError, AirflowFailException):
    """422 or another 4xx: the request cannot be understood or is not allowed in this form."""


class StateConflict(TaskOpsHookError):
    """409: the state does not allow it, or is not that of the preview any more. Nothing was changed."""


class TargetsRefused(TaskOpsHookError):
    """The change does not apply to some targets, or they are blocked. Nothing was changed."""


class ReplenishmentFailed(TaskOpsHookError):
    """A replenishment is over and not every cell succeeded."""


class ServerUnavailable(TaskOpsHookError):
    """Nobody answers at that address, or the server says that it cannot work now. Nothing was changed."""


class NoAnswer(TaskOpsHookError):
    """A change was sent and no answer to it came: it was carried out whole, or not at all."""


class UnexpectedAnswer(TaskOpsHookError):
    """The answer is not one of TaskOps: a page of a proxy, a redirection, broken JSON."""


class Stopped(TaskOpsHookError):
    """The task was told to end while the hook was about to try again."""
