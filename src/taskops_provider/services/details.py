"""One workflow, one task, with all that is shown of it: the same on every surface."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from taskops_provider.domain.answers import copy_as
from taskops_provider.domain.operations.answers import OperationRecord
from taskops_provider.models import Workflow
from taskops_provider.services.catalog.code_links import development_urls
from taskops_provider.services.catalog.distributions import distributions
from taskops_provider.services.catalog.runs import RunHistoryRow, run_history
from taskops_provider.services.catalog.tasks import TaskRow, get_task
from taskops_provider.services.catalog.workflows import WorkflowRow, get_workflow
from taskops_provider.services.operations.records import RecordFilter, list_operations
from taskops_provider.services.shared.actor import Actor

#: operations that are told of
LAST = 5


@dataclass(frozen=True)
class WorkflowDetails(WorkflowRow):
    """A workflow's row, what the list has not, its last runs, and the last operations on it.

    :param timezone: of its schedule
    :param bundle_url: where the Dag bundle shows its code
    :param type_counts: tasks by type; ``period_counts``: tasks by period
    :param runs: the oldest first; None where ``runs_not_shown`` says why
    :param last_operations: the newest first
    """

    # the page's fields of the row belong to the answer here
    display_name: str
    is_present: bool
    is_deleted: bool
    timezone: str | None
    effective_from: datetime | None
    effective_to: datetime | None
    bundle_url: str | None
    type_counts: dict[str, int]
    period_counts: dict[str, int]
    runs: list[RunHistoryRow] | None
    runs_not_shown: str | None
    last_operations: list[OperationRecord]


@dataclass(frozen=True)
class TaskDetails(TaskRow):
    """A task's row, what the list has not, and the last operations on it, the newest first."""

    display_name: str
    state: str
    ticket: str | None
    is_present: bool
    last_operations: list[OperationRecord]


def workflow_details(session: Session, actor: Actor, dag_id: str, now: datetime) -> WorkflowDetails:
    """Return a workflow's row, what the list has not, its last runs, and the last operations on it.

    A constant number of queries.

    :raises ResourceNotFound: when there is none, or the Dag may not be read
    """
    return details_of(session, actor, get_workflow(session, actor, dag_id, now))


def details_of(session: Session, actor: Actor, row: WorkflowRow) -> WorkflowDetails:
    """The same of a workflow that was read already."""
    dag_id = row.dag_id
    of_tasks = distributions(session, dag_id)
    # deleted tasks are not counted, but the runs that they were in are still there to be seen
    periods = of_tasks.periods or ({row.period: row.deleted_tasks} if row.deleted_tasks else {})
    history = run_history(session, actor, dag_id, periods)
    more = select(Workflow.timezone, Workflow.effective_from, Workflow.effective_to)
    return copy_as(
        WorkflowDetails,
        row,
        **session.execute(more.where(Workflow.dag_id == dag_id)).one()._mapping,
        bundle_url=development_urls(session, actor, [dag_id]).get(dag_id),
        type_counts=of_tasks.types,
        period_counts=of_tasks.periods,
        runs=history.runs,
        runs_not_shown=history.not_shown,
        last_operations=_last(session, actor, dag_id),
    )


def task_details(session: Session, actor: Actor, dag_id: str, task_id: str, now: datetime) -> TaskDetails:
    """Return a task's row, what the list has not, and the last operations on it.

    :raises ResourceNotFound: when there is no such task, or the Dag may not be read
    """
    row = get_task(session, actor, dag_id, task_id, now)
    return copy_as(TaskDetails, row, last_operations=_last(session, actor, dag_id, task_id))


def _last(session: Session, actor: Actor, dag_id: str, task_id: str = "") -> list[OperationRecord]:
    return list_operations(session, actor, RecordFilter(dag_id=dag_id, task_id=task_id), limit=LAST).rows
