"""One writer at a time.

Operations, the index and the monitor change many rows of our tables in one transaction. They are seldom and
short, so they queue for one row instead of each ordering its row locks: nothing deadlocks, no update is lost,
and it holds on every database that has row locks or (SQLite) one writer anyway.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeVar, cast

from sqlalchemy import CursorResult, insert, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from taskops_provider.adapter.busy_database import while_locked
from taskops_provider.models import Lease

T = TypeVar("T")

WRITER = "writer"


def take_writer_lock(session: Session, who: str) -> None:
    """Wait until this transaction is the one that writes; it stays so until it ends.

    Call it before reading what the change depends on: what is read before may be old.
    """
    # what this transaction changed before must not be forgotten with what is old
    session.flush()
    now = datetime.now(UTC)
    values = {"holder": who[:250], "renewed_at": now, "expires_at": now}
    for attempt in while_locked():
        with attempt:
            found = session.execute(update(Lease).where(Lease.name == WRITER).values(values))
    if not cast("CursorResult[Any]", found).rowcount:
        try:
            with session.begin_nested():
                session.execute(insert(Lease).values(name=WRITER, **values))
        except IntegrityError:  # another process made the row meanwhile
            session.execute(update(Lease).where(Lease.name == WRITER).values(values))
    # rows that were loaded before the wait may have changed under it
    session.expire_all()


def lock_if_allowed(session: Session, who: str, look: Callable[[], T]) -> T:
    """Wait for the writer lock as :func:`take_writer_lock` does, but only on behalf of somebody who may do it.

    Whoever could wait for it could keep everybody else waiting.

    :param look: reads what the act is about and raises what refuses it; asked once more under the lock, for it may be
        otherwise then
    :return: what it found under the lock
    """
    look()
    take_writer_lock(session, who)
    return look()
