"""The intervals in which tasks do not run: what the cluster policy asks."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, Boolean, Index, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from taskops_provider.models.base import Base, BigKey, StringID, UtcDateTime


class GateInterval(Base):
    """While an interval is open, runs that are created do not run the task.

    It is open as a fact of the row: ``to_at`` is NULL. Which clock wrote ``from_at`` and ``to_at`` does not decide.
    They tell people when, and which gate was in force for a task that a later Dag version brings to an older run.

    An empty ``task_id`` is the workflow's own row: it covers the tasks of an offline or deleted workflow that
    have no row of their own, those that a later Dag version brings.

    A window's intervals are laid ahead, with both ends, so that nobody need open or close them: such a row covers the
    runs that are created from ``from_at`` to just before ``to_at``. Its ``task_id`` may be empty for every task of the
    Dag, its ``dag_id`` too for every Dag.
    """

    __tablename__ = "taskops_gate_interval"

    id: Mapped[int] = mapped_column(BigKey, primary_key=True, autoincrement=True)
    dag_id: Mapped[str] = mapped_column(StringID(), nullable=False)
    task_id: Mapped[str] = mapped_column(StringID(), nullable=False)
    #: paused, offline or deleted; of a window paused, or held where replenishments are held too
    state: Mapped[str] = mapped_column(String(12), nullable=False)
    #: skip, run, fail or hold
    downstream: Mapped[str] = mapped_column(String(8), nullable=False)
    from_at: Mapped[datetime] = mapped_column(UtcDateTime, nullable=False)
    to_at: Mapped[datetime | None] = mapped_column(UtcDateTime, nullable=True)
    #: its planned end: it covers no run that is created from then on, whoever closes it when
    resume_at: Mapped[datetime | None] = mapped_column(UtcDateTime, nullable=True)
    operation_id: Mapped[int | None] = mapped_column(BigInteger, nullable=True)
    #: what became of held instances when it was closed (run or skip), for those that appear later
    held: Mapped[str | None] = mapped_column(String(8), nullable=True)
    #: the highest id of the Dag's runs that the operation saw; while it is not NULL the monitor looks for runs that
    #: were being created meanwhile
    seen_run_id: Mapped[int | None] = mapped_column(BigInteger, nullable=True)
    #: when the monitor first looked for them
    watched_since: Mapped[datetime | None] = mapped_column(UtcDateTime, nullable=True)
    #: the highest id of the Dag's runs once that was over: the gate should have been asked for all later ones, so an
    #: ungated instance in one of them comes from a process without it
    after_run_id: Mapped[int | None] = mapped_column(BigInteger, nullable=True)
    #: the operation ended instances of existing runs, so those that were being created end too
    terminates: Mapped[bool] = mapped_column(Boolean, nullable=False, default=False)

    #: the window that it is of; NULL: an operation opened it
    window_id: Mapped[int | None] = mapped_column(BigInteger, nullable=True)
    #: it covers runs of the schedule by when they are due (``run_after``), not by when they are created
    by_cycle: Mapped[bool] = mapped_column(Boolean, nullable=False, default=False)

    __table_args__ = (
        Index(None, "dag_id", "to_at"),
        Index(None, "dag_id", "task_id"),
        Index(None, "seen_run_id"),
        Index(None, "window_id", "to_at"),
        Index(None, "to_at", "after_run_id"),
    )


class CoveredScheduler(Base):
    """A scheduler that has the gate: it writes this row in the transaction that writes its row in Airflow's ``job``."""

    __tablename__ = "taskops_covered_scheduler"

    job_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    host: Mapped[str] = mapped_column(String(500), nullable=False)
    #: of our package
    version: Mapped[str] = mapped_column(String(64), nullable=False)
    #: why its gate does not work, or may not; empty: it does
    trouble: Mapped[str] = mapped_column(String(1000), nullable=False)
    started_at: Mapped[datetime] = mapped_column(UtcDateTime, nullable=False)


class EscapedRun(Base):
    """A run that a process without the gate created, with instances of tasks that were not scheduling."""

    __tablename__ = "taskops_escaped_run"

    dag_id: Mapped[str] = mapped_column(StringID(), primary_key=True)
    run_id: Mapped[str] = mapped_column(StringID(), primary_key=True)
    found_at: Mapped[datetime] = mapped_column(UtcDateTime, nullable=False)
    #: ``scheduler on HOST``, or how it was triggered: ``ui``, ``cli``
    created_by: Mapped[str] = mapped_column(String(600), nullable=False)
    #: instances that were gated before they executed, and that had begun
    gated: Mapped[int] = mapped_column(Integer, nullable=False)
    executed: Mapped[int] = mapped_column(Integer, nullable=False)

    __table_args__ = (Index(None, "found_at"),)
