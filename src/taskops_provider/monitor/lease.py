"""Which of any number of monitors works: the one that holds the lease."""

from __future__ import annotations

import os
import socket
import uuid
from datetime import datetime, timedelta

from sqlalchemy import delete, insert, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from taskops_provider.models import Lease
from taskops_provider.services.shared.monitor_life import MONITOR_LEASE

#: an unrenewed lease is anybody's after this many seconds, or this many rounds where those are longer
_SECONDS = 30.0
_ROUNDS = 5


def new_holder() -> str:
    """Return a name for this monitor that no other has: ``host:pid:uuid``."""
    return f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:12]}"[:250]


def lifetime(interval: float) -> timedelta:
    """Return how long a lease lasts without being renewed.

    :param interval: seconds between two rounds of the monitor
    """
    return timedelta(seconds=max(_SECONDS, _ROUNDS * interval))


def acquire(
    session: Session,
    holder: str,
    now: datetime,
    lasts: timedelta,
    note: str | None = None,
    *,
    name: str = MONITOR_LEASE,
) -> bool:
    """Take the lease, or renew it; tell whether ``holder`` has it now. The caller commits.

    The clocks of the machines are taken to agree within the lease's lifetime.

    :param note: one line for people about what the monitor last did
    :param name: of the lease: there is one for each thing that one process at a time does
    """
    values = {"holder": holder, "renewed_at": now, "expires_at": now + lasts, "note": note}
    taken = session.execute(
        update(Lease)
        .where(Lease.name == name, or_(Lease.holder == holder, Lease.expires_at <= now))
        .values(values)
        .execution_options(synchronize_session=False)
    )
    if taken.rowcount:  # type: ignore[attr-defined]
        return True
    if session.scalar(select(Lease.name).where(Lease.name == name)):
        return False
    try:
        with session.begin_nested():
            session.execute(insert(Lease).values(name=name, **values))
    except IntegrityError:  # another monitor was first
        return False
    return True


def release(session: Session, holder: str, *, name: str = MONITOR_LEASE) -> None:
    """Give the lease back, so that another monitor need not wait for its end. The caller commits."""
    session.execute(
        delete(Lease).where(Lease.name == name, Lease.holder == holder).execution_options(synchronize_session=False)
    )
