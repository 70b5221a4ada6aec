"""The intervals in which tasks do not run: what the cluster policy asks."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from taskops_provider.models.base import Base, BigKey, StringID, UtcDateTime


class GateInterval(Base):
    """From ``from_at`` (inclusive) until ``to_at`` (exclusive, NULL: still) runs created then do not run the task.

    An empty ``task_id`` is the workflow's own row: it covers the tasks of an offline or deleted workflow that
    have no row of their own, those that a later Dag version brings.
    """

    __tablename__ = "taskops_gate_interval"

    id: Mapped[int] = mapped_column(BigKey, primary_key=True, autoincrement=True)
    dag_id: Mapped[str] = mapped_column(StringID(), nullable=False)
    task_id: Mapped[str] = mapped_column(StringID(), nullable=False)
    #: paused, offline or deleted
    state: Mapped[str] = mapped_column(String(12), nullable=False)
    #: skip, run, fail or hold
    downstream: Mapped[str] = mapped_column(String(8), nullable=False)
    from_at: Mapped[datetime] = mapped_column(UtcDateTime, nullable=False)
    to_at: Mapped[datetime | None] = mapped_column(UtcDateTime, nullable=True)
    operation_id: Mapped[int | None] = mapped_column(BigInteger, nullable=True)

    __table_args__ = (Index(None, "dag_id", "to_at"), Index(None, "dag_id", "task_id"))
