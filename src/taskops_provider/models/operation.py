"""Operation records: who changed what, when, from where, why, and what came of it."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import JSON, BigInteger, Index, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from taskops_provider.domain.answers import Json
from taskops_provider.models.base import Base, BigKey, StringID, UtcDateTime


class Operation(Base):
    """One change, whichever surface asked for it."""

    __tablename__ = "taskops_operation"

    id: Mapped[int] = mapped_column(BigKey, primary_key=True, autoincrement=True)
    verb: Mapped[str] = mapped_column(String(32), nullable=False)
    #: task or workflow
    scope: Mapped[str] = mapped_column(String(16), nullable=False)
    at: Mapped[datetime] = mapped_column(UtcDateTime, nullable=False)
    actor: Mapped[str] = mapped_column(String(250), nullable=False)
    #: ui, cli, api, operator or monitor
    source: Mapped[str] = mapped_column(String(16), nullable=False)
    options: Mapped[Json] = mapped_column(JSON, nullable=False)
    reason: Mapped[str | None] = mapped_column(Text, nullable=True)
    ticket: Mapped[str | None] = mapped_column(String(250), nullable=True)
    #: success, part_success or refused
    outcome: Mapped[str] = mapped_column(String(16), nullable=False)
    applied: Mapped[int] = mapped_column(Integer, nullable=False)
    left_alone: Mapped[int] = mapped_column(Integer, nullable=False)
    blocked: Mapped[int] = mapped_column(Integer, nullable=False)
    #: instances ended or gated by ``terminate_instances``
    instances_ended: Mapped[int] = mapped_column(Integer, nullable=False, default=0)
    undoes_id: Mapped[int | None] = mapped_column(BigInteger, nullable=True)
    undone_by_id: Mapped[int | None] = mapped_column(BigInteger, nullable=True)

    __table_args__ = (Index(None, "at"), Index(None, "actor"), Index(None, "verb"))


class OperationItem(Base):
    """What came of one operation for one target. ``task_id`` is empty for a workflow as such (its owners)."""

    __tablename__ = "taskops_operation_item"

    id: Mapped[int] = mapped_column(BigKey, primary_key=True, autoincrement=True)
    operation_id: Mapped[int] = mapped_column(BigInteger, nullable=False)
    dag_id: Mapped[str] = mapped_column(StringID(), nullable=False)
    task_id: Mapped[str] = mapped_column(StringID(), nullable=False)
    #: applied, left_alone or blocked
    outcome: Mapped[str] = mapped_column(String(12), nullable=False)
    #: shown statuses
    before: Mapped[str | None] = mapped_column(String(24), nullable=True)
    after: Mapped[str | None] = mapped_column(String(24), nullable=True)
    reason: Mapped[str | None] = mapped_column(Text, nullable=True)
    #: what undo restores, of the row before the change
    restore: Mapped[Json | None] = mapped_column(JSON(none_as_null=True), nullable=True)
    blocked_by: Mapped[list[Json] | None] = mapped_column(JSON(none_as_null=True), nullable=True)

    __table_args__ = (Index(None, "operation_id"), Index(None, "dag_id", "task_id", "operation_id"))
