"""The list of workflows."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Select, SQLColumnExpression, func, or_, select
from sqlalchemy.orm import Session

from taskops_provider.adapter.compatibility import drains_in_airflow
from taskops_provider.adapter.dag_state import unfinished_run_counts
from taskops_provider.domain.answers import INTERNAL, field_names
from taskops_provider.domain.states import TaskState, TaskStatus, workflow_status
from taskops_provider.exceptions import ResourceNotFound
from taskops_provider.models import Workflow
from taskops_provider.services.catalog.filters import WorkflowFilter, filter_workflows
from taskops_provider.services.catalog.status import TaskCounts
from taskops_provider.services.shared.actor import Actor
from taskops_provider.services.shared.owners import owners_by_key
from taskops_provider.services.shared.paging import Page, check_page, order

CHUNK = 500


@dataclass(frozen=True)
class WorkflowRow:
    """One row of the workflow list; the fields are those of the JSON of ``workflows list`` (requirements 8).

    ``draining_runs`` is None for a workflow that is not draining, and for who may not read its runs.
    """

    dag_id: str
    status: str
    task_count: int
    status_counts: dict[str, int]
    owners: list[str]
    project: str
    folder: str
    schedule: str | None
    period: str
    draining_runs: int | None
    first_submitted_at: datetime | None
    last_submitted_at: datetime | None
    # beyond the list's JSON, for pages and details
    display_name: str = field(metadata=INTERNAL)
    is_present: bool = field(metadata=INTERNAL)
    is_deleted: bool = field(metadata=INTERNAL)
    deleted_tasks: int = field(metadata=INTERNAL)
    is_draining: bool = field(metadata=INTERNAL)


#: the columns of exports
WORKFLOW_FIELDS = field_names(WorkflowRow)

_COLUMNS = (
    Workflow.dag_id,
    Workflow.display_name,
    Workflow.project,
    Workflow.folder,
    Workflow.schedule,
    Workflow.period,
    or_(Workflow.draining_since.is_not(None), drains_in_airflow(Workflow.dag_id)).label("is_draining"),
    Workflow.default_state,
    Workflow.is_present,
    Workflow.first_submitted_at,
    Workflow.last_submitted_at,
)

_SORTABLE: Mapping[str, SQLColumnExpression[Any]] = {
    "dag_id": Workflow.dag_id,
    "folder": Workflow.folder,
    "period": Workflow.period,
    "first_submitted_at": Workflow.first_submitted_at,
    "last_submitted_at": Workflow.last_submitted_at,
}


def _matching(
    where: WorkflowFilter, actor: Actor, now: datetime, *, order_by: str = "dag_id"
) -> Select[*tuple[Any, ...]]:
    """The query of the workflows that match, sorted; joined to the counts of tasks only where they are needed."""
    query = filter_workflows(select(*_COLUMNS).select_from(Workflow), where, actor)
    counts = TaskCounts(now)
    by_tasks = {"status": counts.workflow_status(), "task_count": counts.total}
    if where.statuses or order_by.removeprefix("-") in by_tasks:
        query = counts.join(query)
        if where.statuses:
            query = query.where(counts.workflow_status().in_(where.statuses))
    return order(query, order_by, {**_SORTABLE, **by_tasks}, (Workflow.dag_id,))


def list_workflows(
    session: Session,
    actor: Actor,
    where: WorkflowFilter,
    now: datetime,
    *,
    limit: int,
    offset: int = 0,
    order_by: str = "dag_id",
) -> Page[WorkflowRow]:
    """Return one page of the workflows that match, in a constant number of queries.

    The tasks of all workflows are counted only when the list is filtered or sorted by what they say, and then once.

    :raises BadInput: for a page, a column or a status that cannot be
    """
    check_page(limit, offset)
    query = _matching(where, actor, now, order_by=order_by).limit(limit).offset(offset)
    if where.statuses:
        query = query.add_columns(func.count().over().label("total_entries"))
    found = session.execute(query).all()
    total = found[0].total_entries if where.statuses and found else _count(session, where, actor, now)
    return Page(_rows(session, actor, found, now), total, limit, offset)


def _count(session: Session, where: WorkflowFilter, actor: Actor, now: datetime) -> int:
    query = _matching(where, actor, now).with_only_columns(func.count(), maintain_column_froms=True).order_by(None)
    return session.scalar(query) or 0


def walk_workflows(
    session: Session, actor: Actor, where: WorkflowFilter, now: datetime, *, order_by: str = "dag_id"
) -> Iterator[WorkflowRow]:
    """Yield all workflows that match in bounded memory.

    :raises BadInput: for a column or a status that cannot be
    """
    query = _matching(where, actor, now, order_by=order_by)
    for chunk in session.execute(query.execution_options(yield_per=CHUNK)).partitions(CHUNK):
        yield from _rows(session, actor, chunk, now)


def workflows_after(
    session: Session, actor: Actor, where: WorkflowFilter, now: datetime, after: str | None, limit: int
) -> list[WorkflowRow]:
    """Return the next workflows that match behind one, by ``dag_id``; for walks that pause in between.

    :raises BadInput: for a status that cannot be
    """
    query = _matching(where, actor, now)
    if after is not None:
        query = query.where(Workflow.dag_id > after)
    return _rows(session, actor, session.execute(query.limit(limit)).all(), now)


def get_workflow(session: Session, actor: Actor, dag_id: str, now: datetime) -> WorkflowRow:
    """Return one workflow, also a deleted one or one whose Dag is gone.

    :raises ResourceNotFound: when there is none, or the Dag may not be read
    """
    where = WorkflowFilter(dag_ids=(dag_id,), deleted=True, absent=True)
    rows = _rows(session, actor, session.execute(_matching(where, actor, now)).all(), now)
    if not rows:
        raise ResourceNotFound(f"Workflow {dag_id!r} does not exist")
    return rows[0]


def matching_workflows(
    session: Session, actor: Actor, where: WorkflowFilter, now: datetime, *, deleted: bool
) -> list[str]:
    """Return the ``dag_id`` of all workflows that match.

    :param deleted: take deleted ones too (submit does)
    """
    where = replace(where, deleted=where.deleted or deleted)
    return [row.dag_id for row in session.execute(_matching(where, actor, now))]


def _status_counts(session: Session, dag_ids: Collection[str], now: datetime) -> dict[str, tuple[dict[str, int], int]]:
    """Per Dag: how many tasks of each shown status, and how many deleted ones."""
    counts = TaskCounts(now, dag_ids)
    query = counts.join(select(Workflow.dag_id, counts.deleted, *counts.of.values()).select_from(Workflow))
    return {
        dag_id: ({status.value: int(number) for status, number in zip(counts.of, numbers, strict=True)}, int(deleted))
        for dag_id, deleted, *numbers in session.execute(query.where(Workflow.dag_id.in_(dag_ids)))
    }


def _rows(session: Session, actor: Actor, found: Sequence[Any], now: datetime) -> list[WorkflowRow]:
    """Add what the tasks say, owners and runs left to the rows of a page: three queries at most."""
    dag_ids = [row.dag_id for row in found]
    if not dag_ids:
        return []
    counts = _status_counts(session, dag_ids, now)
    owners = owners_by_key(session, {(dag_id, "") for dag_id in dag_ids})
    draining = [row.dag_id for row in found if row.is_draining and actor.may_read_runs(row.dag_id)]
    runs_left = unfinished_run_counts(session, draining) if draining else {}
    rows = []
    for row in found:
        by_status, deleted_tasks = counts[row.dag_id]
        is_deleted = row.default_state == TaskState.DELETED.value
        rows.append(
            WorkflowRow(
                dag_id=row.dag_id,
                status=workflow_status({TaskStatus(s): n for s, n in by_status.items()}, is_deleted=is_deleted).value,
                task_count=sum(by_status.values()),
                status_counts=by_status,
                owners=owners.get((row.dag_id, ""), []),
                project=row.project,
                folder=row.folder,
                schedule=row.schedule,
                period=row.period,
                draining_runs=runs_left.get(row.dag_id, 0) if row.dag_id in draining else None,
                first_submitted_at=row.first_submitted_at,
                last_submitted_at=row.last_submitted_at,
                display_name=row.display_name,
                is_present=row.is_present,
                is_deleted=is_deleted,
                deleted_tasks=deleted_tasks,
                is_draining=row.is_draining,
            )
        )
    return rows
