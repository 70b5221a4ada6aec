"""The writes behind an operation: states, gate intervals, owners."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import delete, insert, update
from sqlalchemy.orm import Session

from taskops_provider.domain.states import GATED_STATES, Downstream, TaskState
from taskops_provider.models import GateInterval, Owner, Task, Workflow
from taskops_provider.services.pairs import Pair, chunks, matches


def set_state(
    session: Session,
    pairs: Collection[Pair],
    state: TaskState,
    *,
    operation_id: int,
    now: datetime,
    downstream: Downstream | None = None,
    reason: str | None = None,
    ticket: str | None = None,
    resume_at: datetime | None = None,
) -> None:
    """Give tasks a state, and close and open their gate intervals accordingly."""
    gated = state in GATED_STATES
    values = {
        "state": state.value,
        "downstream": downstream.value if gated and downstream else None,
        "reason": reason,
        "ticket": ticket,
        "resume_at": resume_at,
        "state_operation_id": operation_id,
    }
    for chunk in chunks(pairs):
        session.execute(
            update(Task)
            .where(matches(Task.dag_id, Task.task_id, chunk))
            .values(values)
            .execution_options(synchronize_session=False)
        )
    close_gates(session, pairs, now)
    if gated:
        open_gates(session, pairs, state, downstream or Downstream.SKIP, operation_id=operation_id, now=now)


def close_gates(session: Session, pairs: Collection[Pair], now: datetime) -> None:
    """Runs created from now on are no longer gated for these tasks."""
    for chunk in chunks(pairs):
        session.execute(
            update(GateInterval)
            .where(matches(GateInterval.dag_id, GateInterval.task_id, chunk), GateInterval.to_at.is_(None))
            .values(to_at=now)
            .execution_options(synchronize_session=False)
        )


def open_gates(
    session: Session,
    pairs: Collection[Pair],
    state: TaskState,
    downstream: Downstream,
    *,
    operation_id: int | None,
    now: datetime,
) -> None:
    """Runs created from now on do not run these tasks."""
    common = {"state": state.value, "downstream": downstream.value, "from_at": now, "operation_id": operation_id}
    rows = [{"dag_id": dag_id, "task_id": task_id, **common} for dag_id, task_id in pairs]
    if rows:
        session.execute(insert(GateInterval.__table__), rows)  # type: ignore[arg-type]


def set_owners(session: Session, pairs: Collection[Pair], owners: Iterable[str], *, operation_id: int | None) -> None:
    """Replace the owners of tasks, or of workflows (``task_id`` empty).

    :param operation_id: None gives the owners back to the Dag file, which the next index refresh reads
    """
    for chunk in chunks(pairs):
        session.execute(
            delete(Owner)
            .where(matches(Owner.dag_id, Owner.task_id, chunk))
            .execution_options(synchronize_session=False)
        )
        tasks = [pair for pair in chunk if pair[1]]
        if tasks:
            session.execute(
                update(Task)
                .where(matches(Task.dag_id, Task.task_id, tasks))
                .values(owners_operation_id=operation_id)
                .execution_options(synchronize_session=False)
            )
        workflows = [dag_id for dag_id, task_id in chunk if not task_id]
        if workflows:
            session.execute(
                update(Workflow)
                .where(Workflow.dag_id.in_(workflows))
                .values(owners_set=operation_id is not None, owners_operation_id=operation_id)
                .execution_options(synchronize_session=False)
            )
    names = list(owners)
    rows: list[dict[str, Any]] = [
        {"dag_id": dag_id, "task_id": task_id, "owner": owner} for dag_id, task_id in pairs for owner in names
    ]
    if rows:
        session.execute(insert(Owner), rows)
