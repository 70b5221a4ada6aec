"""Starting tasks again at their ``resume_at`` (the monitor's step)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from taskops_provider.domain.operations import Options, Request, Scope
from taskops_provider.domain.states import TaskState, Verb
from taskops_provider.models import Task
from taskops_provider.services.actor import MONITOR
from taskops_provider.services.operations import apply
from taskops_provider.services.planning import targets_of


def step(session: Session, now: datetime) -> bool:
    """Start the tasks whose time has come, as one operation; tell whether there were any. The caller commits."""
    query = (
        select(Task.dag_id, Task.task_id)
        .where(Task.resume_at <= now, Task.state == TaskState.PAUSED.value, Task.is_present.is_(True))
        .order_by(Task.dag_id, Task.task_id)
    )
    due = [(row.dag_id, row.task_id) for row in session.execute(query)]
    if not due:
        return False
    request = Request(Verb.START, Scope.TASK, targets_of(due), Options(reason="resume_at has come"))
    apply(session, MONITOR, request)
    return True
