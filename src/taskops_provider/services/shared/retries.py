"""Doing a whole transaction again that the database gave up because of another one.

Deadlocks, serialization failures, a lock that is not free, SQLite's "database is locked": nothing is wrong with what
was asked, so nobody is shown it, unless it happens again and again.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, wraps
from typing import Concatenate, ParamSpec, TypeVar

import tenacity
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session
from sqlalchemy.orm.exc import StaleDataError

from taskops_provider.exceptions import TaskOpsError
from taskops_provider.services.shared import reporting

P = ParamSpec("P")
T = TypeVar("T")

ATTEMPTS = 8
LONGEST_SECONDS = 30.0

#: SQLSTATEs: serialization failure, deadlock, lock not available
_SQL_STATES = frozenset({"40001", "40P01", "55P03"})
#: MySQL's and MariaDB's lock wait timeout, deadlock, NOWAIT
_MYSQL_CODES = frozenset({1205, 1213, 3572})


def is_transient(error: BaseException) -> bool:
    """Whether doing the same again may succeed: the database gave up this transaction in favour of another one."""
    if isinstance(error, StaleDataError):
        return True
    if not isinstance(error, DBAPIError) or error.orig is None:
        return False
    cause = error.orig
    state = getattr(cause, "sqlstate", None) or getattr(cause, "pgcode", None)
    code = cause.args[0] if cause.args else None
    return state in _SQL_STATES or code in _MYSQL_CODES or "database is locked" in str(cause)


class NotFirstInTransaction(RuntimeError):
    """Something was written before in the transaction of a use case that may roll it back: a fault of the caller."""


def retried(do: Callable[Concatenate[Session, P], T]) -> Callable[Concatenate[Session, P], T]:
    """Have a use case done again, from its beginning, if the database gave it up.

    Its session is rolled back if it fails, so what its caller wrote before in the same transaction would be lost: call
    it first. It is flushed at the end, so that what can be given up is given up here and not in the caller's commit.

    :raises NotFirstInTransaction: if its caller wrote, or locked rows, before in the same transaction
    """

    @wraps(do)
    def do_with_retries(session: Session, /, *args: P.args, **kwargs: P.kwargs) -> T:
        if _has_written(session):
            raise NotFirstInTransaction(
                f"{do.__name__} may roll its transaction back and begin again: commit what was written before"
            )
        reporting.begin(session)
        for attempt in tenacity.Retrying(
            retry=tenacity.retry_if_exception(is_transient),
            wait=tenacity.wait_random_exponential(multiplier=0.05, max=2),
            stop=tenacity.stop_after_attempt(ATTEMPTS) | tenacity.stop_after_delay(LONGEST_SECONDS),
            reraise=True,
        ):
            with attempt:
                done = _or_nothing(session, partial(do, session, *args, **kwargs))
        return done

    return _counted(do_with_retries)


def _counted(do: Callable[Concatenate[Session, P], T]) -> Callable[Concatenate[Session, P], T]:
    """Have a use case counted that ends with an error; of others their record is."""

    @wraps(do)
    def counted(session: Session, /, *args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return do(session, *args, **kwargs)
        except Exception as error:
            reporting.count_failed(refused=isinstance(error, TaskOpsError))
            raise

    return counted


def _or_nothing(session: Session, do: Callable[[], T]) -> T:
    """Do something whole, or nothing of it: a use case that was refused keeps no lock either."""
    try:
        done = do()
        session.flush()
    except BaseException:
        session.rollback()
        raise
    return done


def _has_written(session: Session) -> bool:
    """Whether a rollback of the session would lose anything. One query on PostgreSQL.

    What SQL statements wrote is not seen on MySQL and MariaDB, which do not tell.
    """
    if session.new or session.deleted or any(map(session.is_modified, session.dirty)):
        return True
    if not session.in_transaction():
        return False
    if session.in_nested_transaction():
        return True
    connection = session.connection()
    if connection.dialect.name == "postgresql":
        # a transaction gets its number with its first write or row lock
        return connection.scalar(text("SELECT txid_current_if_assigned()")) is not None
    # sqlite3 begins a transaction with the first write
    return bool(getattr(connection.connection.dbapi_connection, "in_transaction", False))
