"""What the details of a task have beyond the lists: its workflow, its executor, the operation behind its state."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from taskops_provider.adapter.compatibility import drains_in_airflow
from taskops_provider.models import Operation, Task, Workflow


@dataclass(frozen=True)
class TaskFacts:
    """One task's facts.

    :param operation_id: the operation that brought the present state; None where none did, or its record is gone
    """

    workflow_name: str
    workflow_is_present: bool
    draining_since: datetime | None
    drains_in_airflow: bool
    timezone: str | None
    executor: str | None
    is_mapped: bool
    operation_id: int | None
    verb: str | None
    actor: str | None
    at: datetime | None


def task_facts(session: Session, dag_id: str, task_id: str) -> TaskFacts:
    """Return the facts of a task that exists and that the actor may read. One query."""
    row: Any = session.execute(
        select(
            Workflow.display_name,
            Workflow.is_present,
            Workflow.draining_since,
            drains_in_airflow(Workflow.dag_id),
            Workflow.timezone,
            Task.executor,
            Task.is_mapped,
            Operation.id,
            Operation.verb,
            Operation.actor,
            Operation.at,
        )
        .select_from(Task)
        .join(Workflow, Workflow.dag_id == Task.dag_id)
        .outerjoin(Operation, Operation.id == Task.state_operation_id)
        .where(Task.dag_id == dag_id, Task.task_id == task_id)
    ).one()
    return TaskFacts(*row)
