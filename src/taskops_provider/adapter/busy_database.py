"""Waiting for SQLite, which has one writer at a time and gives up on the others after five seconds."""

from __future__ import annotations

from airflow.utils.retries import run_with_db_retries
from sqlalchemy.exc import OperationalError
from tenacity import Retrying, retry_if_exception


def while_locked() -> Retrying:
    """Return attempts at one statement: as many as ``[database] max_db_retries`` says, while SQLite is locked.

    Such a statement did nothing and the transaction goes on. On other databases an error would end it, so no other
    error is tried again.

    :raises OperationalError: in the last attempt
    """
    attempts: Retrying = run_with_db_retries()
    return attempts.copy(retry=retry_if_exception(_is_locked))


def _is_locked(error: BaseException) -> bool:
    return isinstance(error, OperationalError) and "database is locked" in str(error.orig)
