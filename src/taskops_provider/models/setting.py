"""Settings per project, and the marks and leases by which processes agree."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import String, Text
from sqlalchemy.orm import Mapped, mapped_column

from taskops_provider.models.base import Base, StringID, UtcDateTime


class Setting(Base):
    """A setting of a project (``strict_mode``), or one of the whole installation (``project`` empty)."""

    __tablename__ = "taskops_setting"

    project: Mapped[str] = mapped_column(StringID(), primary_key=True)
    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    value: Mapped[str] = mapped_column(Text, nullable=False)
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime, nullable=False)
    changed_by: Mapped[str] = mapped_column(String(250), nullable=False)


class Lease(Base):
    """A name that one process holds at a time: the monitor's steps, and the one writer of our tables."""

    __tablename__ = "taskops_lease"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    holder: Mapped[str] = mapped_column(String(250), nullable=False)
    renewed_at: Mapped[datetime] = mapped_column(UtcDateTime, nullable=False)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime, nullable=False)
    #: what the holder last reported, one line
    note: Mapped[str | None] = mapped_column(Text, nullable=True)
