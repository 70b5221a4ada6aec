"""Gate intervals: from when to when runs do not execute a task."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import insert, update
from sqlalchemy.orm import Session

from taskops_provider.adapter.dag_state import highest_run_ids
from taskops_provider.domain.states import Downstream, TaskState
from taskops_provider.models import GateInterval
from taskops_provider.services.shared.task_keys import TaskKey, chunks, is_one_of


@dataclass(frozen=True, slots=True)
class Gate:
    """What an interval says of the runs that are created while it is open.

    :param terminates: instances of the runs that exist already were ended, so those in the making are too
    """

    state: TaskState
    downstream: Downstream
    resume_at: datetime | None = None
    terminates: bool = False


def close_gates(session: Session, pairs: Collection[TaskKey], now: datetime, *, held: str = "run") -> None:
    """Runs created from now on are no longer gated for these tasks.

    :param held: what becomes of held instances, also of those that are only being created now: ``run`` or ``skip``
    """
    for chunk in chunks(pairs):
        session.execute(
            update(GateInterval)
            .where(is_one_of(GateInterval.dag_id, GateInterval.task_id, chunk), GateInterval.to_at.is_(None))
            .values(to_at=now, held=held, seen_run_id=None)
            .execution_options(synchronize_session=False)
        )


def open_gates(
    session: Session, pairs: Collection[TaskKey], gate: Gate, *, operation_id: int | None, now: datetime
) -> None:
    """Runs created from now on do not run these tasks."""
    if not pairs:
        return
    common = {
        "state": gate.state.value,
        "downstream": gate.downstream.value,
        "resume_at": gate.resume_at,
        "terminates": gate.terminates,
        "from_at": now,
        "operation_id": operation_id,
    }
    seen = highest_run_ids(session, {dag_id for dag_id, _ in pairs})
    rows = [
        {"dag_id": dag_id, "task_id": task_id, "seen_run_id": seen.get(dag_id, 0), **common}
        for dag_id, task_id in pairs
    ]
    session.execute(insert(GateInterval.__table__), rows)  # type: ignore[arg-type]
