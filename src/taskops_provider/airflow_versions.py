"""With which versions of Airflow TaskOps was tried, and what it says if it cannot work with the one that is there.

Imports nothing of Airflow but its version: where a name that TaskOps needs is missing, this still works.
"""

from __future__ import annotations

import logging

#: minor versions whose tests pass, oldest first; ``pyproject.toml`` asks for them
TRIED = ("3.3", "3.4")

#: what is raised if Airflow lacks a name, or has another thing under it
MISSING_NAME = (ImportError, AttributeError)


def airflow_version() -> str:
    """Return the version of Airflow in this process."""
    from airflow import __version__

    return __version__


def is_tried(version: str | None = None) -> bool:
    """Whether TaskOps was tried with a version of Airflow, by default with the one in this process."""
    return ".".join((version or airflow_version()).split(".")[:2]) in TRIED


def version_problem() -> str | None:
    """Say that this version of Airflow was not tried; None if it was."""
    version = airflow_version()
    return (
        None if is_tried(version) else f"Airflow {version} is not tried: TaskOps was tried with {' and '.join(TRIED)}"
    )


def unavailable(what: str, error: BaseException) -> str:
    """Return the line that says what of TaskOps does not work, with this version of Airflow and why."""
    version = airflow_version()
    tried = "" if is_tried(version) else f", which is not tried (TaskOps was tried with {' and '.join(TRIED)})"
    return f"TaskOps: {what} does not work with Airflow {version}{tried}: {_one_line(error)}"


_told: set[str] = set()


def log_unavailable(log: logging.Logger, what: str, error: BaseException) -> None:
    """Log that something of TaskOps does not work: one line, once in a process; the traceback only for debugging."""
    line = unavailable(what, error)
    if line not in _told:
        _told.add(line)
        log.error("%s", line)
        log.debug("%s cannot be loaded", what, exc_info=error)


def _one_line(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"
