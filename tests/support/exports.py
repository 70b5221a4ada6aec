"""Downloads as the monitor prepares them."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy.orm import Session

from taskops_provider.services.exports import prepare as export_prepare


def prepare(session: Session, now: datetime | None = None) -> int:
    """The monitor's rounds, until nothing is left to do."""
    rounds = 0
    while export_prepare.prepare_next(session, now or datetime.now(UTC)):
        session.commit()
        rounds += 1
        assert rounds < 1000
    session.commit()
    return rounds
