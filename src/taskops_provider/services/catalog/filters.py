"""The filters of the lists, the same on every surface."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, SQLColumnExpression, and_, exists, false, func, or_, select

from taskops_provider.adapter.any_case import holds
from taskops_provider.adapter.dag_state import dag_table
from taskops_provider.domain.states import TaskState, TaskStatus, WorkflowStatus
from taskops_provider.exceptions import NotAllowed
from taskops_provider.models import AssetRef, Owner, Task, Workflow
from taskops_provider.services.catalog.status import has_status
from taskops_provider.services.shared.actor import Actor
from taskops_provider.services.shared.filter_size import check_number, check_size


@dataclass(frozen=True)
class WorkflowFilter:
    """What workflows to list. Several values of one field mean any of them; several fields mean all of them.

    :param search: part of the name or id; several separated by ``|``
    :param folders: ``bundle/dir``: the folder and what is below it
    """

    search: str = ""
    dag_ids: tuple[str, ...] = ()
    owners: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    projects: tuple[str, ...] = ()
    periods: tuple[str, ...] = ()
    statuses: tuple[str, ...] = ()
    deleted: bool = False
    absent: bool = False


@dataclass(frozen=True)
class TaskFilter:
    """What tasks to list (see :class:`WorkflowFilter`).

    :param search: part of the task's name or id
    :param workflows: part of the workflow's name or id, any of them
    :param source_table: part of an inlet's URI; who may not read assets finds nothing by it, nor by the next
    :param target_table: part of an outlet's URI
    """

    search: str = ""
    dag_ids: tuple[str, ...] = ()
    workflows: tuple[str, ...] = ()
    owners: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    projects: tuple[str, ...] = ()
    periods: tuple[str, ...] = ()
    statuses: tuple[str, ...] = ()
    task_types: tuple[str, ...] = ()
    source_table: str = ""
    target_table: str = ""
    deleted: bool = False
    absent: bool = False


def check_choices(name: str, chosen: Sequence[str], allowed: Sequence[str]) -> None:
    """Refuse a value that a field cannot have.

    :raises NotAllowed: naming what is allowed
    """
    for value in chosen:
        if value not in allowed:
            raise NotAllowed(name, value, ", ".join(allowed))


def _holds(column: SQLColumnExpression[str], part: str) -> ColumnElement[bool]:
    return holds(column, part)


def named(id_: Any, name: Any, part: str) -> ColumnElement[bool]:
    """Whether an id or the name shown for it has a part in it. Most names are the id: no need to look twice."""
    return or_(_holds(id_, part), and_(name != id_, _holds(name, part)))


def _terms(search: str) -> list[str]:
    """Split at ``|``; a name that has one in it is found by the whole."""
    parts = [part.strip() for part in search.split("|")]
    found = [part for part in dict.fromkeys([search.strip(), *parts]) if part]
    check_number(found)
    return found


def _workflow_conditions(where: WorkflowFilter | TaskFilter) -> list[ColumnElement[bool]]:
    """What both lists share: folder, project, period."""
    found: list[ColumnElement[bool]] = []
    if where.folders:
        below = [
            or_(Workflow.folder == folder, Workflow.folder.startswith(f"{folder}/", autoescape=True))
            for folder in (f.rstrip("/") for f in where.folders)
        ]
        found.append(or_(*below))
    if where.projects:
        found.append(Workflow.project.in_(where.projects))
    if where.periods:
        found.append(Workflow.period.in_(where.periods))
    return found


def _owned(column_dag: Any, column_task: Any, owners: Sequence[str]) -> ColumnElement[bool]:
    return exists().where(Owner.dag_id == column_dag, Owner.task_id == column_task, Owner.owner.in_(owners))


def readable_only(query: Select[*tuple[Any, ...]], column: Any, actor: Actor) -> Select[*tuple[Any, ...]]:
    """Keep the Dags that the acting user may read."""
    readable = actor.permissions.readable()
    return query if readable is None else query.where(column.in_(readable))


def filter_workflows(query: Select[*tuple[Any, ...]], where: WorkflowFilter, actor: Actor) -> Select[*tuple[Any, ...]]:
    """Apply all but the status filter (that one needs the tasks).

    :raises BadInput: for a status that does not exist, a filter that is too large
    """
    check_size(where)
    check_choices("status", where.statuses, [s.value for s in WorkflowStatus])
    conditions = _workflow_conditions(where)
    if where.search:
        conditions.append(or_(*(named(Workflow.dag_id, Workflow.display_name, t) for t in _terms(where.search))))
    if where.dag_ids:
        conditions.append(Workflow.dag_id.in_(where.dag_ids))
    if where.owners:
        conditions.append(_owned(Workflow.dag_id, "", where.owners))
    if not where.deleted and WorkflowStatus.DELETED.value not in where.statuses:
        conditions.append(Workflow.default_state != TaskState.DELETED.value)
    if not where.absent:
        conditions.append(Workflow.is_present.is_(True))
    return readable_only(query.where(and_(True, *conditions)), Workflow.dag_id, actor)


def filter_tasks(
    query: Select[*tuple[Any, ...]], where: TaskFilter, actor: Actor, now: datetime
) -> Select[*tuple[Any, ...]]:
    """Apply a filter to a query that joins Task, Workflow and Airflow's ``dag``.

    :raises BadInput: for a status that does not exist, a filter that is too large
    """
    return _filter_tasks(query, where, actor, now, Workflow.is_present.is_(True))


def counting_tasks(where: TaskFilter, actor: Actor, now: datetime) -> Select[tuple[int]]:
    """The query of how many tasks a filter lets through, which joins no table that the filter does not ask.

    :raises BadInput: for a status that does not exist
    """
    query = select(func.count()).select_from(Task)
    in_present = Workflow.is_present.is_(True)
    if where.statuses:
        query = join_for_tasks(query)
    elif where.folders or where.projects or where.periods or where.workflows:
        query = query.join(Workflow, Workflow.dag_id == Task.dag_id)
    else:
        in_present = Task.dag_id.not_in(select(Workflow.dag_id).where(Workflow.is_present.is_(False)))
    return _filter_tasks(query, where, actor, now, in_present)


def _filter_tasks(
    query: Select[*tuple[Any, ...]],
    where: TaskFilter,
    actor: Actor,
    now: datetime,
    in_present_workflow: ColumnElement[bool],
) -> Select[*tuple[Any, ...]]:
    check_size(where)
    check_choices("status", where.statuses, [s.value for s in TaskStatus])
    conditions = _workflow_conditions(where)
    if where.search:
        conditions.append(named(Task.task_id, Task.display_name, where.search))
    if where.dag_ids:
        conditions.append(Task.dag_id.in_(where.dag_ids))
    if where.workflows:
        conditions.append(or_(*(named(Workflow.dag_id, Workflow.display_name, w) for w in where.workflows)))
    if where.owners:
        conditions.append(_owned(Task.dag_id, Task.task_id, where.owners))
    if where.task_types:
        conditions.append(Task.task_type.in_(where.task_types))
    conditions += [
        _uses_asset(direction, part) if actor.permissions.may_read_assets() else false()
        for part, direction in ((where.source_table, "inlet"), (where.target_table, "outlet"))
        if part
    ]
    if where.statuses:
        conditions.append(has_status(where.statuses, now))
    if not where.deleted and TaskStatus.DELETED.value not in where.statuses:
        conditions.append(Task.state != TaskState.DELETED.value)
    if not where.absent:
        conditions += [Task.is_present.is_(True), in_present_workflow]
    return readable_only(query.where(and_(True, *conditions)), Task.dag_id, actor)


def _uses_asset(direction: str, part: str) -> ColumnElement[bool]:
    return exists().where(
        AssetRef.dag_id == Task.dag_id,
        AssetRef.task_id == Task.task_id,
        AssetRef.direction == direction,
        _holds(AssetRef.asset, part),
    )


def join_for_tasks(query: Select[*tuple[Any, ...]]) -> Select[*tuple[Any, ...]]:
    """Join what :func:`filter_tasks` and ``status.task_status`` need."""
    dag = dag_table()
    return query.join(Workflow, Workflow.dag_id == Task.dag_id).outerjoin(dag, dag.c.dag_id == Task.dag_id)
