"""Windows: what is laid ahead as gate intervals, and asked for by operations and replenishments."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import JSON, Boolean, Index, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from taskops_provider.domain.answers import Json
from taskops_provider.models.base import Base, BigKey, UtcDateTime


class Window(Base):
    """One window: what it is about, when it is open, and what it does while it is."""

    __tablename__ = "taskops_window"

    id: Mapped[int] = mapped_column(BigKey, primary_key=True, autoincrement=True)
    name: Mapped[str] = mapped_column(String(250), nullable=False)
    #: window, skip_next or hold_all
    purpose: Mapped[str] = mapped_column(String(12), nullable=False)
    pauses: Mapped[bool] = mapped_column(Boolean, nullable=False)
    stops_replenishments: Mapped[bool] = mapped_column(Boolean, nullable=False)
    freezes: Mapped[bool] = mapped_column(Boolean, nullable=False)
    #: of one that pauses: skip, run, fail or hold
    downstream: Mapped[str | None] = mapped_column(String(8), nullable=True)
    #: scope and times
    body: Mapped[Json] = mapped_column(JSON, nullable=False)
    reason: Mapped[str | None] = mapped_column(Text, nullable=True)
    enabled: Mapped[bool] = mapped_column(Boolean, nullable=False)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, nullable=False)
    created_by: Mapped[str] = mapped_column(String(250), nullable=False)
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime, nullable=False)
    changed_by: Mapped[str] = mapped_column(String(250), nullable=False)
    #: counts the changes
    version: Mapped[int] = mapped_column(Integer, nullable=False, default=1)
    #: it is no more; the row stays as long as records do, for notes name it
    deleted_at: Mapped[datetime | None] = mapped_column(UtcDateTime, nullable=True)
    #: when more of it has to be laid ahead; NULL: nothing is left to lay
    lay_again_at: Mapped[datetime | None] = mapped_column(UtcDateTime, nullable=True)
    #: digest of the Dags and tasks that it was laid for
    laid_for: Mapped[str | None] = mapped_column(String(64), nullable=True)

    __table_args__ = (Index(None, "deleted_at"),)
