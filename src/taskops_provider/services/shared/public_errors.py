"""What everybody may read of an error."""

from __future__ import annotations

import os
from collections.abc import Iterator

from sqlalchemy.exc import SQLAlchemyError

from taskops_provider.exceptions import TaskOpsError


def error_kind(error: BaseException) -> str:
    """Return the kind of an error, and the number that the other side or the system gave.

    Its text is for the log: it may have the secret path of a URL, a host, or which connections there are.
    """
    for each in _chain(error):  # hooks raise their own error where the library's has the number
        code = getattr(each, "smtp_code", None) or getattr(getattr(each, "response", None), "status_code", None)
        if isinstance(code, int):
            return f"{type(each).__name__}: {code}"
    kind = type(error).__name__
    return f"{kind}: {os.strerror(error.errno)}" if isinstance(error, OSError) and error.errno else kind


def public_error_line(error: Exception) -> str:
    """Return an error on one line: its text if it is one of ours, else :func:`error_kind`."""
    return " ".join(str(error).split())[:500] if isinstance(error, TaskOpsError) else error_kind(error)


def is_of_network(error: BaseException) -> bool:
    """Whether an error tells that the other side was not reached: one that answered with a number was."""
    return any(isinstance(each, OSError) and getattr(each, "response", None) is None for each in _chain(error))


def public_cause(error: Exception) -> str:
    """Return the kind and the text of an error of Airflow or of a Dag, on one line; of the database or the network,
    whose text may have hosts, :func:`error_kind`.
    """
    if isinstance(error, TaskOpsError):
        return str(error)
    if any(isinstance(each, SQLAlchemyError | OSError) for each in _chain(error)):
        return error_kind(error)
    return f"{type(error).__name__}: {' '.join(str(error).split())}"


def _chain(error: BaseException) -> Iterator[BaseException]:
    """An error, and those that it was raised for or in the handling of."""
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        seen = seen.__cause__ or seen.__context__
