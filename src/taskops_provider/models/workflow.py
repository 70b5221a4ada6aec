"""The index of workflows (Dags) and what TaskOps knows of each."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, Boolean, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from taskops_provider.models.base import Base, StringID, UtcDateTime


class Workflow(Base):
    """One Dag. The index columns are refreshed from the serialized Dag; the rest is ours alone."""

    __tablename__ = "taskops_workflow"

    dag_id: Mapped[str] = mapped_column(StringID(), primary_key=True)
    display_name: Mapped[str] = mapped_column(String(2000), nullable=False)
    #: the Dag bundle's name
    project: Mapped[str] = mapped_column(StringID(), nullable=False)
    #: ``bundle/dir/sub``: the directory of the Dag file inside its bundle
    folder: Mapped[str] = mapped_column(String(700), nullable=False)
    schedule: Mapped[str | None] = mapped_column(Text, nullable=True)
    timezone: Mapped[str | None] = mapped_column(String(64), nullable=True)
    period: Mapped[str] = mapped_column(String(16), nullable=False)
    effective_from: Mapped[datetime | None] = mapped_column(UtcDateTime, nullable=True)
    effective_to: Mapped[datetime | None] = mapped_column(UtcDateTime, nullable=True)
    first_submitted_at: Mapped[datetime | None] = mapped_column(UtcDateTime, nullable=True)
    last_submitted_at: Mapped[datetime | None] = mapped_column(UtcDateTime, nullable=True)
    #: the Dag exists and is not stale
    is_present: Mapped[bool] = mapped_column(Boolean, nullable=False, default=True)
    #: what the index was made from: ``version number:dag_hash:id of the version``. The id tells which Dag it is of
    #: those that have had the name
    source_mark: Mapped[str | None] = mapped_column(String(80), nullable=True)

    #: the state of tasks that have no record yet: scheduling, offline or deleted
    default_state: Mapped[str] = mapped_column(String(12), nullable=False, default="scheduling")
    #: owners were set here and no longer follow the Dag file
    owners_set: Mapped[bool] = mapped_column(Boolean, nullable=False, default=False)
    #: the operation that set them
    owners_operation_id: Mapped[int | None] = mapped_column(BigInteger, nullable=True)
    #: since when new runs are stopped while old ones run to their end; NULL when not draining
    draining_since: Mapped[datetime | None] = mapped_column(UtcDateTime, nullable=True)
    #: since when its Dag, which is paused for people, is unpaused for a replenishment; NULL when it is not
    woken_at: Mapped[datetime | None] = mapped_column(UtcDateTime, nullable=True)
    #: its Dag's pause is ours (a drained workflow) and no person's
    paused_by_us: Mapped[bool] = mapped_column(Boolean, nullable=False, default=False)
    #: Airflow's ``next_dagrun_create_after``, taken away while draining or woken and given back by start
    saved_create_after: Mapped[datetime | None] = mapped_column(UtcDateTime, nullable=True)

    __table_args__ = (
        Index(None, "project"),
        Index(None, "folder", mysql_length=255),
        Index(None, "is_present", "default_state"),
        Index(None, "draining_since"),
        Index(None, "woken_at"),
    )
