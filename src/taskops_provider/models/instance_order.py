"""What people ordered for single task instances, or for whole runs: hold them, or force one."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, Index, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from taskops_provider.models.base import Base, BigKey, StringID, UtcDateTime


class InstanceOrder(Base):
    """One order. It is in force while its row is there.

    A run is known by its id together with when it was created: a run that is deleted and created again is another one.
    """

    __tablename__ = "taskops_instance_order"

    id: Mapped[int] = mapped_column(BigKey, primary_key=True, autoincrement=True)
    #: hold or force
    kind: Mapped[str] = mapped_column(String(8), nullable=False)
    dag_id: Mapped[str] = mapped_column(StringID(), nullable=False)
    run_id: Mapped[str] = mapped_column(StringID(), nullable=False)
    run_created_at: Mapped[datetime] = mapped_column(UtcDateTime, nullable=False)
    #: empty: the whole run
    task_id: Mapped[str] = mapped_column(StringID(), nullable=False)
    #: -1: whatever instances the task has in the run
    map_index: Mapped[int] = mapped_column(Integer, nullable=False)
    operation_id: Mapped[int | None] = mapped_column(BigInteger, nullable=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime, nullable=False)
    #: force: ``max_tries`` of the instance. Whoever clears it later raises that, and ends the order
    max_tries: Mapped[int | None] = mapped_column(Integer, nullable=True)
    #: force: what ``max_active_tasks`` of the Dag was and became, while the instance needs more room
    saved_limit: Mapped[int | None] = mapped_column(Integer, nullable=True)
    raised_limit: Mapped[int | None] = mapped_column(Integer, nullable=True)
    #: force: the priority of the instance before it was put in front
    saved_priority: Mapped[int | None] = mapped_column(Integer, nullable=True)

    __table_args__ = (Index(None, "dag_id", "run_id"), Index(None, "operation_id"))
