"""One workflow, one task, with all that is shown of it: the same on every surface."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from taskops_provider.models import Workflow
from taskops_provider.services.actor import Actor
from taskops_provider.services.development import development_urls
from taskops_provider.services.distributions import distributions
from taskops_provider.services.records import RecordFilter, list_operations
from taskops_provider.services.run_history import run_history
from taskops_provider.services.tasks import get_task
from taskops_provider.services.workflows import WorkflowRow, get_workflow

#: operations that are told of
LAST = 5


def workflow_details(session: Session, actor: Actor, dag_id: str, now: datetime) -> dict[str, Any]:
    """Return a workflow's row, what the list has not, its last runs, and the last operations on it.

    A constant number of queries.

    :raises NotFound: when there is none, or the Dag may not be read
    """
    return details_of(session, actor, get_workflow(session, actor, dag_id, now))


def details_of(session: Session, actor: Actor, row: WorkflowRow) -> dict[str, Any]:
    """The same of a workflow that was read already."""
    dag_id = row.dag_id
    of_tasks = distributions(session, dag_id)
    history = run_history(session, actor, dag_id, of_tasks.periods)
    more = select(Workflow.timezone, Workflow.effective_from, Workflow.effective_to)
    return {
        **row.as_json(),
        "display_name": row.display_name,
        "is_present": row.is_present,
        "is_deleted": row.is_deleted,
        **session.execute(more.where(Workflow.dag_id == dag_id)).one()._mapping,
        "bundle_url": development_urls(session, actor, [dag_id]).get(dag_id),
        "type_counts": of_tasks.types,
        "period_counts": of_tasks.periods,
        "runs": None if history.runs is None else [run.as_json() for run in history.runs],
        "runs_not_shown": history.not_shown,
        "last_operations": _last(session, actor, dag_id),
    }


def task_details(session: Session, actor: Actor, dag_id: str, task_id: str, now: datetime) -> dict[str, Any]:
    """Return a task's row, what the list has not, and the last operations on it.

    :raises NotFound: when there is no such task, or the Dag may not be read
    """
    row = get_task(session, actor, dag_id, task_id, now)
    return {
        **row.as_json(),
        "display_name": row.display_name,
        "state": row.state,
        "ticket": row.ticket,
        "is_present": row.is_present,
        "last_operations": _last(session, actor, dag_id, task_id),
    }


def _last(session: Session, actor: Actor, dag_id: str, task_id: str = "") -> list[dict[str, Any]]:
    return list_operations(session, actor, RecordFilter(dag_id=dag_id, task_id=task_id), limit=LAST).rows
