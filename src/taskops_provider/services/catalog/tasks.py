"""The list of tasks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Select, SQLColumnExpression, and_, case, or_, select
from sqlalchemy.orm import Session

from taskops_provider.domain.answers import INTERNAL, OMIT_NONE, field_names
from taskops_provider.exceptions import ResourceNotFound
from taskops_provider.models import AssetRef, Task, Workflow
from taskops_provider.services.catalog.filters import TaskFilter, counting_tasks, filter_tasks, join_for_tasks
from taskops_provider.services.catalog.status import task_status
from taskops_provider.services.shared.actor import Actor
from taskops_provider.services.shared.owners import owners_by_key
from taskops_provider.services.shared.paging import Page, check_page, order
from taskops_provider.services.shared.task_keys import queries_by_key
from taskops_provider.services.shared.window_pauses import window_pauses

#: rows fetched at once when a whole list is walked
CHUNK = 2000


@dataclass(frozen=True)
class TaskRow:
    """One row of the task list; the fields are those of the JSON of ``tasks list`` (requirements 8).

    :param first_run_at: None also for who may not read the Dag's task instances
    :param source_tables: empty, like ``target_tables``, for who may not read assets
    """

    dag_id: str
    task_id: str
    status: str
    owners: list[str]
    project: str
    folder: str
    task_type: str
    period: str
    schedule: str | None
    pool: str | None
    queue: str | None
    downstream: str | None
    reason: str | None
    resume_at: datetime | None
    first_submitted_at: datetime | None
    last_submitted_at: datetime | None
    first_run_at: datetime | None
    effective_from: datetime | None
    effective_to: datetime | None
    source_tables: list[str]
    target_tables: list[str]
    #: the window that it is in: ``night until 2026-01-12 06:00:00 UTC``
    window: str | None = field(metadata=OMIT_NONE)
    # beyond the list's JSON, for pages and details
    display_name: str = field(metadata=INTERNAL)
    state: str = field(metadata=INTERNAL)
    ticket: str | None = field(metadata=INTERNAL)
    is_present: bool = field(metadata=INTERNAL)
    workflow_name: str = field(metadata=INTERNAL)
    executor: str | None = field(metadata=INTERNAL)


#: the columns of exports
TASK_FIELDS = field_names(TaskRow)


def _columns(now: datetime) -> Select[*tuple[Any, ...]]:
    query = select(
        Task.dag_id,
        Task.task_id,
        task_status(now).label("status"),
        Workflow.project,
        Workflow.folder,
        Task.task_type,
        Workflow.period,
        Workflow.schedule,
        Task.pool,
        Task.queue,
        Task.downstream,
        Task.reason,
        Task.resume_at,
        Task.first_submitted_at,
        Task.last_submitted_at,
        Task.first_run_at,
        Task.effective_from,
        Task.effective_to,
        Task.display_name,
        Workflow.display_name.label("workflow_name"),
        Task.executor,
        Task.ticket,
        Task.state,
        Task.is_present,
    ).select_from(Task)
    return join_for_tasks(query)


def _sortable(actor: Actor, now: datetime) -> Mapping[str, SQLColumnExpression[Any]]:
    return {
        "dag_id": Task.dag_id,
        "task_id": Task.task_id,
        "status": task_status(now),
        "folder": Workflow.folder,
        "task_type": Task.task_type,
        "period": Workflow.period,
        "pool": Task.pool,
        "first_submitted_at": Task.first_submitted_at,
        "last_submitted_at": Task.last_submitted_at,
        "first_run_at": _first_run_at(actor),
        "effective_from": Task.effective_from,
        "effective_to": Task.effective_to,
    }


def _first_run_at(actor: Actor) -> SQLColumnExpression[Any]:
    """When tasks were first executed; nothing of those whose instances the actor may not read, for the order tells."""
    readable = actor.permissions.instances_readable()
    return Task.first_run_at if readable is None else case((Task.dag_id.in_(sorted(readable)), Task.first_run_at))


def list_tasks(
    session: Session,
    actor: Actor,
    where: TaskFilter,
    now: datetime,
    *,
    limit: int,
    offset: int = 0,
    order_by: str = "dag_id",
) -> Page[TaskRow]:
    """Return one page of the tasks that match, in a constant number of queries.

    :raises BadInput: for a page, a column or a status that cannot be
    """
    check_page(limit, offset)
    query = filter_tasks(_columns(now), where, actor, now)
    query = order(query, order_by, _sortable(actor, now), (Task.dag_id, Task.task_id))
    found = session.execute(query.limit(limit).offset(offset)).all()
    return Page(_rows(session, actor, found, now), count_tasks(session, actor, where, now), limit, offset)


def count_tasks(session: Session, actor: Actor, where: TaskFilter, now: datetime) -> int:
    """Count the tasks that match."""
    return session.scalar(counting_tasks(where, actor, now)) or 0


def walk_tasks(
    session: Session, actor: Actor, where: TaskFilter, now: datetime, *, order_by: str = "dag_id"
) -> Iterator[TaskRow]:
    """Yield all tasks that match in bounded memory.

    :raises BadInput: for a column or a status that cannot be
    """
    query = filter_tasks(_columns(now), where, actor, now)
    query = order(query, order_by, _sortable(actor, now), (Task.dag_id, Task.task_id))
    for chunk in session.execute(query.execution_options(yield_per=CHUNK)).partitions(CHUNK):
        yield from _rows(session, actor, chunk, now)


def tasks_after(
    session: Session, actor: Actor, where: TaskFilter, now: datetime, after: tuple[str, str] | None, limit: int
) -> list[TaskRow]:
    """Return the next tasks that match behind one, by (dag_id, task_id); for walks that pause in between.

    :raises BadInput: for a status that cannot be
    """
    query = filter_tasks(_columns(now), where, actor, now).order_by(Task.dag_id, Task.task_id).limit(limit)
    if after is not None:
        dag_id, task_id = after
        query = query.where(or_(Task.dag_id > dag_id, and_(Task.dag_id == dag_id, Task.task_id > task_id)))
    return _rows(session, actor, session.execute(query).all(), now)


def get_task(session: Session, actor: Actor, dag_id: str, task_id: str, now: datetime) -> TaskRow:
    """Return one task, also a deleted one or one that is no longer in its Dag.

    :raises ResourceNotFound: when there is no such task, or the Dag may not be read
    """
    where = TaskFilter(dag_ids=(dag_id,), deleted=True, absent=True)
    query = filter_tasks(_columns(now), where, actor, now).where(Task.task_id == task_id)
    rows = _rows(session, actor, session.execute(query).all(), now)
    if not rows:
        raise ResourceNotFound(f"Task {task_id!r} of Dag {dag_id!r} does not exist")
    return rows[0]


def _rows(session: Session, actor: Actor, found: Sequence[Any], now: datetime) -> list[TaskRow]:
    """Add owners, tables and windows to the rows of a page, as the actor may see them: three queries at most."""
    keys = {(row.dag_id, row.task_id) for row in found}
    owners = owners_by_key(session, keys)
    tables: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    columns = select(AssetRef.dag_id, AssetRef.task_id, AssetRef.direction, AssetRef.asset)
    # which tables there are is what Airflow shows of its assets
    of_assets = keys if actor.permissions.may_read_assets() else set()
    for query in queries_by_key(columns, AssetRef.dag_id, AssetRef.task_id, of_assets, order_by="asset"):
        for dag_id, task_id, direction, asset in session.execute(query):
            tables[dag_id, task_id, direction].append(asset)
    windows = window_pauses(session, keys, now)
    return [
        TaskRow(
            **{**row._mapping, "first_run_at": row.first_run_at if actor.may_read_instances(row.dag_id) else None},
            window=windows[key][0].words if (key := (row.dag_id, row.task_id)) in windows else None,
            owners=owners.get((row.dag_id, row.task_id), []),
            source_tables=tables.get((row.dag_id, row.task_id, "inlet"), []),
            target_tables=tables.get((row.dag_id, row.task_id, "outlet"), []),
        )
        for row in found
    ]


def matching_targets(
    session: Session, actor: Actor, where: TaskFilter, now: datetime, *, deleted: bool
) -> list[tuple[str, str]]:
    """Return the (dag_id, task_id) of all tasks that match.

    :param deleted: take deleted ones too (submit does)
    """
    where = replace(where, deleted=where.deleted or deleted)
    query = join_for_tasks(select(Task.dag_id, Task.task_id).select_from(Task))
    query = filter_tasks(query, where, actor, now).order_by(Task.dag_id, Task.task_id)
    return [(row.dag_id, row.task_id) for row in session.execute(query)]
