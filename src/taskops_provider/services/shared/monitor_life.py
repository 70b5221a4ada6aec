"""Whether the monitor runs, told by its lease."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from taskops_provider.models import Lease

#: the name of the monitor's lease
MONITOR_LEASE = "monitor"
#: and of the lease of the sender of messages
SENDER_LEASE = "alarm sender"
#: who holds both when TaskOps is being uninstalled: no monitor works any more
UNINSTALLED = "airflow taskops uninstall"


@dataclass(frozen=True, slots=True)
class MonitorLife:
    """The monitor that runs, or the last one that did not end properly."""

    holder: str
    renewed_at: datetime
    runs: bool
    note: str


def monitor_life(session: Session, now: datetime) -> MonitorLife | None:
    """Return the sign of life of the monitor; None if there never was one, or the last one ended properly."""
    query = select(Lease.holder, Lease.renewed_at, Lease.expires_at, Lease.note).where(Lease.name == MONITOR_LEASE)
    row = session.execute(query).first()
    return None if row is None else MonitorLife(row.holder, row.renewed_at, row.expires_at > now, row.note or "")
