"""Watermarks: what the monitor's steps note for their next time, as settings of no project."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from taskops_provider.models import Setting


def read_watermark(session: Session, name: str) -> str | None:
    """Return what was noted; None where nothing was yet."""
    return session.scalar(select(Setting.value).where(Setting.project == "", Setting.name == name))


def write_watermark(session: Session, name: str, value: str, by: str, now: datetime) -> None:
    """Note something. The caller commits."""
    values = {"value": value, "changed_at": now, "changed_by": by}
    change = update(Setting).where(Setting.project == "", Setting.name == name).values(values)
    change = change.execution_options(synchronize_session=False)
    if session.execute(change).rowcount:  # type: ignore[attr-defined]
        return
    try:
        with session.begin_nested():
            session.execute(insert(Setting).values(project="", name=name, **values))
    except IntegrityError:  # another process was first; what it noted is as good
        session.execute(change)
