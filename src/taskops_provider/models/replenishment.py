"""Replenishments: what was asked for, its runs in their order, and its cells, task by cycle."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import JSON, BigInteger, Boolean, Index, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from taskops_provider.domain.answers import Json
from taskops_provider.models.base import Base, BigKey, StringID, UtcDateTime


class Replenishment(Base):
    """One replenishment and how it goes."""

    __tablename__ = "taskops_replenishment"

    id: Mapped[int] = mapped_column(BigKey, primary_key=True, autoincrement=True)
    #: its record
    operation_id: Mapped[int] = mapped_column(BigInteger, nullable=False)
    name: Mapped[str] = mapped_column(String(250), nullable=False)
    #: queued, running, paused, success, part_success, failed or cancelled
    state: Mapped[str] = mapped_column(String(16), nullable=False)
    actor: Mapped[str] = mapped_column(String(250), nullable=False)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, nullable=False)
    started_at: Mapped[datetime | None] = mapped_column(UtcDateTime, nullable=True)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime, nullable=True)
    #: the inputs, as every surface shows them
    inputs: Mapped[Json] = mapped_column(JSON, nullable=False)
    max_active_runs: Mapped[int] = mapped_column(Integer, nullable=False)
    newest_first: Mapped[bool] = mapped_column(Boolean, nullable=False)
    #: ``HH:MM-HH:MM`` UTC, when runs may start; NULL: at any time
    window: Mapped[str | None] = mapped_column(String(16), nullable=True)
    #: of the runs that it makes
    conf: Mapped[Json] = mapped_column(JSON, nullable=False)
    #: whether existing runs in which cells execute get the conf too
    override_conf: Mapped[bool] = mapped_column(Boolean, nullable=False, default=False)
    #: none, inside or all
    wait_for: Mapped[str] = mapped_column(String(8), nullable=False, default="inside")
    #: whether what is cleared executes by the newest version of its Dag; NULL: as Airflow's own clearing decides
    run_on_latest_version: Mapped[bool | None] = mapped_column(Boolean, nullable=True)
    #: ``[dag_id, task_id]`` of tasks that count as success; NULL: none
    excluded: Mapped[list[list[str]] | None] = mapped_column(JSON(none_as_null=True), nullable=True)
    estimated_seconds: Mapped[int | None] = mapped_column(Integer, nullable=True)
    #: Dags that people had paused and that it may unpause meanwhile, as its plan said; NULL: any
    wakes: Mapped[list[str] | None] = mapped_column(JSON(none_as_null=True), nullable=True)
    #: why it does not go on, or what it could not execute; NULL: nothing is wrong
    problem: Mapped[str | None] = mapped_column(String(1000), nullable=True)

    __table_args__ = (Index(None, "state"), Index(None, "created_at"), Index(None, "operation_id"))


class ReplenishmentRole(Base):
    """What a task does in the runs that a replenishment makes: the gate asks when such a run is being made."""

    __tablename__ = "taskops_replenishment_role"

    replenishment_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    dag_id: Mapped[str] = mapped_column(StringID(), primary_key=True)
    task_id: Mapped[str] = mapped_column(StringID(), primary_key=True)
    #: execute, done, pass, follow or skip
    role: Mapped[str] = mapped_column(String(8), nullable=False)


class ReplenishmentRun(Base):
    """One run in which something is to execute."""

    __tablename__ = "taskops_replenishment_run"

    id: Mapped[int] = mapped_column(BigKey, primary_key=True, autoincrement=True)
    replenishment_id: Mapped[int] = mapped_column(BigInteger, nullable=False)
    dag_id: Mapped[str] = mapped_column(StringID(), nullable=False)
    #: NULL while the run has not been made
    run_id: Mapped[str | None] = mapped_column(StringID(), nullable=True)
    logical_date: Mapped[datetime] = mapped_column(UtcDateTime, nullable=False)
    interval_start: Mapped[datetime] = mapped_column(UtcDateTime, nullable=False)
    interval_end: Mapped[datetime] = mapped_column(UtcDateTime, nullable=False)
    run_after: Mapped[datetime] = mapped_column(UtcDateTime, nullable=False)
    #: its workflow's turn: 0 at first, 1 after all those, ...
    stage: Mapped[int] = mapped_column(Integer, nullable=False)
    #: the order inside a workflow
    ordinal: Mapped[int] = mapped_column(Integer, nullable=False)
    #: of the cells that execute now
    wave: Mapped[int] = mapped_column(Integer, nullable=False, default=0)
    #: waiting, active, done or cancelled
    state: Mapped[str] = mapped_column(String(12), nullable=False)
    #: Airflow's backfill that made the run; NULL for runs that were there. The gate knows the run by it and its date.
    backfill_id: Mapped[int | None] = mapped_column(Integer, nullable=True)

    __table_args__ = (
        Index(None, "replenishment_id", "state", "dag_id", "ordinal"),
        Index(None, "dag_id", "run_id"),
        Index(None, "backfill_id"),
    )


class ReplenishmentCell(Base):
    """One task in one cycle that is to execute."""

    __tablename__ = "taskops_replenishment_cell"

    id: Mapped[int] = mapped_column(BigKey, primary_key=True, autoincrement=True)
    replenishment_id: Mapped[int] = mapped_column(BigInteger, nullable=False)
    #: ``ReplenishmentRun.id``
    of_run_id: Mapped[int] = mapped_column(BigInteger, nullable=False)
    task_id: Mapped[str] = mapped_column(StringID(), nullable=False)
    #: what had become of it when the replenishment was planned
    was: Mapped[str] = mapped_column(String(16), nullable=False)
    wave: Mapped[int] = mapped_column(Integer, nullable=False, default=0)
    #: waiting, active, success, failed, skipped or cancelled
    state: Mapped[str] = mapped_column(String(12), nullable=False)
    #: of one that was done: the highest try of its instances
    tries: Mapped[int | None] = mapped_column(Integer, nullable=True)
    #: of one that was done: when the last of its instances had begun; NULL: no instance ever had
    began_at: Mapped[datetime | None] = mapped_column(UtcDateTime, nullable=True)

    __table_args__ = (Index(None, "replenishment_id", "state"), Index(None, "of_run_id"))
