"""The index of tasks, their state, their owners and their tables."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, Boolean, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from taskops_provider.models.base import Base, BigKey, StringID, UtcDateTime


class Task(Base):
    """One task of a Dag's latest version, or one that was there once (``is_present`` False)."""

    __tablename__ = "taskops_task"

    dag_id: Mapped[str] = mapped_column(StringID(), primary_key=True)
    task_id: Mapped[str] = mapped_column(StringID(), primary_key=True)

    # the index
    display_name: Mapped[str] = mapped_column(String(2000), nullable=False)
    #: what the task type resolver makes of the operator
    task_type: Mapped[str] = mapped_column(String(250), nullable=False)
    pool: Mapped[str | None] = mapped_column(String(256), nullable=True)
    queue: Mapped[str | None] = mapped_column(String(256), nullable=True)
    executor: Mapped[str | None] = mapped_column(String(256), nullable=True)
    #: ``start_date`` / ``end_date`` of the task, else of its Dag
    effective_from: Mapped[datetime | None] = mapped_column(UtcDateTime, nullable=True)
    effective_to: Mapped[datetime | None] = mapped_column(UtcDateTime, nullable=True)
    first_submitted_at: Mapped[datetime | None] = mapped_column(UtcDateTime, nullable=True)
    last_submitted_at: Mapped[datetime | None] = mapped_column(UtcDateTime, nullable=True)
    first_run_at: Mapped[datetime | None] = mapped_column(UtcDateTime, nullable=True)
    is_present: Mapped[bool] = mapped_column(Boolean, nullable=False, default=True)
    is_root: Mapped[bool] = mapped_column(Boolean, nullable=False, default=False)
    is_leaf: Mapped[bool] = mapped_column(Boolean, nullable=False, default=False)
    is_mapped: Mapped[bool] = mapped_column(Boolean, nullable=False, default=False)
    #: digest of the task's own definition; a new one means a new submission of this task
    definition_hash: Mapped[str] = mapped_column(String(64), nullable=False)

    # the state
    state: Mapped[str] = mapped_column(String(12), nullable=False, default="scheduling")
    downstream: Mapped[str | None] = mapped_column(String(8), nullable=True)
    reason: Mapped[str | None] = mapped_column(Text, nullable=True)
    ticket: Mapped[str | None] = mapped_column(String(250), nullable=True)
    resume_at: Mapped[datetime | None] = mapped_column(UtcDateTime, nullable=True)
    #: the operation that brought the present state; what undo compares with
    state_operation_id: Mapped[int | None] = mapped_column(BigInteger, nullable=True)
    #: the operation that set the owners; NULL while they follow the Dag file
    owners_operation_id: Mapped[int | None] = mapped_column(BigInteger, nullable=True)

    __table_args__ = (
        Index(None, "state", "dag_id"),
        Index(None, "task_type"),
        Index(None, "task_id"),
        Index(None, "resume_at"),
        Index(None, "last_submitted_at"),
    )


class Owner(Base):
    """An owner of a task, or of a workflow (``task_id`` empty)."""

    __tablename__ = "taskops_owner"

    dag_id: Mapped[str] = mapped_column(StringID(), primary_key=True)
    task_id: Mapped[str] = mapped_column(StringID(), primary_key=True)
    owner: Mapped[str] = mapped_column(String(190), primary_key=True)

    __table_args__ = (Index(None, "owner", "dag_id"),)


class AssetRef(Base):
    """A task's inlet or outlet, or an asset that a Dag is scheduled by (``task_id`` empty)."""

    __tablename__ = "taskops_asset_ref"

    id: Mapped[int] = mapped_column(BigKey, primary_key=True, autoincrement=True)
    dag_id: Mapped[str] = mapped_column(StringID(), nullable=False)
    task_id: Mapped[str] = mapped_column(StringID(), nullable=False)
    #: inlet, outlet or schedule
    direction: Mapped[str] = mapped_column(String(8), nullable=False)
    #: the asset's URI, its name where it has no other
    asset: Mapped[str] = mapped_column(String(1500), nullable=False)

    __table_args__ = (
        Index(None, "dag_id", "task_id"),
        Index(None, "asset", "direction", mysql_length={"asset": 500}),
    )
