"""The writes behind an operation: states, gate intervals, owners."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, insert, update
from sqlalchemy.orm import Session

from taskops_provider.domain.states import GATED_STATES, Downstream, TaskState
from taskops_provider.models import Owner, Task, Workflow
from taskops_provider.services.gate.intervals import Gate, close_gates, open_gates
from taskops_provider.services.shared.task_keys import TaskKey, chunks, is_one_of


@dataclass(frozen=True, slots=True)
class NewState:
    """A state for tasks, with what goes with it.

    :param downstream: the effect of a gated state; counts as ``skip`` when there is none
    """

    state: TaskState
    downstream: Downstream | None = None
    reason: str | None = None
    ticket: str | None = None
    resume_at: datetime | None = None
    #: see :class:`taskops_provider.services.gate.intervals.Gate`
    terminates: bool = False
    #: what becomes of held instances when tasks are started: ``run`` or ``skip``
    held: str = "run"


def set_state(session: Session, pairs: Collection[TaskKey], new: NewState, *, operation_id: int, now: datetime) -> None:
    """Give tasks a state, and close and open their gate intervals accordingly."""
    gated = new.state in GATED_STATES
    values = {
        "state": new.state.value,
        "downstream": new.downstream.value if gated and new.downstream else None,
        "reason": new.reason,
        "ticket": new.ticket,
        "resume_at": new.resume_at,
        "state_operation_id": operation_id,
    }
    for chunk in chunks(pairs):
        session.execute(
            update(Task)
            .where(is_one_of(Task.dag_id, Task.task_id, chunk))
            .values(values)
            .execution_options(synchronize_session=False)
        )
    close_gates(session, pairs, now, held=new.held)
    if gated:
        gate = Gate(new.state, new.downstream or Downstream.SKIP, new.resume_at, new.terminates)
        open_gates(session, pairs, gate, operation_id=operation_id, now=now)


def set_owners(
    session: Session, pairs: Collection[TaskKey], owners: Iterable[str], *, operation_id: int | None
) -> None:
    """Replace the owners of tasks, or of workflows (``task_id`` empty).

    :param operation_id: None gives the owners back to the Dag file, which the next index refresh reads
    """
    for chunk in chunks(pairs):
        session.execute(
            delete(Owner)
            .where(is_one_of(Owner.dag_id, Owner.task_id, chunk))
            .execution_options(synchronize_session=False)
        )
        tasks = [pair for pair in chunk if pair[1]]
        if tasks:
            session.execute(
                update(Task)
                .where(is_one_of(Task.dag_id, Task.task_id, tasks))
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
    rows = [{"dag_id": dag_id, "task_id": task_id, "owner": owner} for dag_id, task_id in pairs for owner in names]
    if rows:
        session.execute(insert(Owner), rows)
