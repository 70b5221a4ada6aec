"""Operation records, for reading."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, exists, func, or_, select, tuple_
from sqlalchemy.orm import Session

from taskops_provider.domain.operations import OperationOutcome
from taskops_provider.exceptions import NotFound
from taskops_provider.models import Export, Operation, OperationItem, Task, Workflow
from taskops_provider.services.actor import Actor
from taskops_provider.services.choices import CAP, Choices
from taskops_provider.services.filters import check_choices, named
from taskops_provider.services.operations import NOTIFIED, PAUSED_BEFORE
from taskops_provider.services.paging import Page, check_page, order
from taskops_provider.services.records_targets import all_targets
from taskops_provider.services.replenishment_shown import VERB as REPLENISH
from taskops_provider.services.replenishment_shown import readable_inputs

#: from where operations come
SOURCES = ("ui", "cli", "api", "operator", "monitor")
#: the verb of downloads
EXPORT = "export"
NEWEST_FIRST = "-operation_id"
ORDERS = {
    "operation_id": Operation.id,
    "at": Operation.at,
    "verb": Operation.verb,
    "actor": Operation.actor,
}


@dataclass(frozen=True)
class RecordFilter:
    """What operations to list. Several values of one field mean any of them; several fields mean all of them.

    :param workflow: part of the name or id of a workflow that was touched
    :param task: part of the name or id of a task that was touched
    :param ticket: part of the ticket
    :param until: this moment included
    """

    verbs: tuple[str, ...] = ()
    actors: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    outcomes: tuple[str, ...] = ()
    dag_id: str = ""
    task_id: str = ""
    workflow: str = ""
    task: str = ""
    ticket: str = ""
    since: datetime | None = None
    until: datetime | None = None


def record_json(operation: Operation) -> dict[str, Any]:
    """An operation as every surface shows it."""
    return {
        "operation_id": operation.id,
        "verb": operation.verb,
        "scope": operation.scope,
        "at": operation.at,
        "actor": operation.actor,
        "source": operation.source,
        "outcome": operation.outcome,
        "counts": {
            "applied": operation.applied,
            "left_alone": operation.left_alone,
            "blocked": operation.blocked,
        },
        "instances_ended": operation.instances_ended,
        "options": {key: value for key, value in operation.options.items() if key not in (PAUSED_BEFORE, NOTIFIED)},
        "reason": operation.reason,
        "ticket": operation.ticket,
        "undoes": operation.undoes_id,
        "undone_by": operation.undone_by_id,
    }


def _matching(query: Select[*tuple[Any, ...]], where: RecordFilter, actor: Actor) -> Select[*tuple[Any, ...]]:
    for column, values in (
        (Operation.verb, where.verbs),
        (Operation.actor, where.actors),
        (Operation.source, where.sources),
        (Operation.outcome, where.outcomes),
    ):
        if values:
            query = query.where(column.in_(values))
    if where.ticket:
        query = query.where(Operation.ticket.icontains(where.ticket, autoescape=True))
    if where.since:
        query = query.where(Operation.at >= where.since)
    if where.until:
        query = query.where(Operation.at <= where.until)
    if touching := _touching(where):
        readable = actor.permissions.readable()
        if readable is not None:
            # that an operation touched a Dag which may not be read is not to be found out by asking
            touching.append(OperationItem.dag_id.in_(readable))
        query = query.where(Operation.id.in_(select(OperationItem.operation_id).where(*touching)))
    return visible(query, actor)


def _touching(where: RecordFilter) -> list[ColumnElement[bool]]:
    """What one target of an operation must be: names are looked up in the index, so that items are found by theirs."""
    conditions: list[ColumnElement[bool]] = []
    if where.dag_id:
        conditions.append(OperationItem.dag_id == where.dag_id)
    if where.task_id:
        conditions.append(OperationItem.task_id == where.task_id)
    if where.workflow:
        of = select(Workflow.dag_id).where(named(Workflow.dag_id, Workflow.display_name, where.workflow))
        conditions.append(OperationItem.dag_id.in_(of))
    if where.task:
        found = select(Task.dag_id, Task.task_id).where(named(Task.task_id, Task.display_name, where.task))
        conditions.append(tuple_(OperationItem.dag_id, OperationItem.task_id).in_(found))
    return conditions


def visible(query: Select[*tuple[Any, ...]], actor: Actor) -> Select[*tuple[Any, ...]]:
    """Keep the operations that the actor may know of: those that touched a Dag they may read.

    Operations without targets are of settings, which everyone may see who may read at all, and downloads, whose
    filter may name anything: those are seen by who asked for them, and by who may read everything.
    """
    readable = actor.permissions.readable()
    if readable is None:
        return query
    any_item = exists().where(OperationItem.operation_id == Operation.id)
    touched = any_item.where(OperationItem.dag_id.in_(readable))
    own = or_(Operation.verb != EXPORT, Operation.actor == actor.name[:250])
    return query.where(or_(touched, and_(~any_item, own)))


def list_operations(
    session: Session,
    actor: Actor,
    where: RecordFilter,
    *,
    limit: int,
    offset: int = 0,
    order_by: str = NEWEST_FIRST,
) -> Page[dict[str, Any]]:
    """Return one page of operations: only those that touched a Dag the actor may read.

    :raises BadInput: for a page, an order, a source or an outcome that cannot be
    """
    check_page(limit, offset)
    check_choices("source", where.sources, SOURCES)
    check_choices("outcome", where.outcomes, [outcome.value for outcome in OperationOutcome])
    query = order(_matching(select(Operation), where, actor), order_by, ORDERS, [Operation.id.desc()])
    rows = _shown(session, actor, session.scalars(query.limit(limit).offset(offset)).all())
    total = session.scalar(_matching(select(func.count()).select_from(Operation), where, actor)) or 0
    return Page(rows, total, limit, offset)


def list_actors(session: Session, actor: Actor) -> Choices:
    """The people and programs behind the operations that the actor may know of."""
    query = visible(select(Operation.actor).distinct(), actor).order_by(Operation.actor).limit(CAP + 1)
    found = session.scalars(query).all()
    return Choices(tuple(found[:CAP]), len(found) > CAP)


def get_operation(session: Session, actor: Actor, operation_id: int) -> dict[str, Any]:
    """Return one operation with what came of each target that the actor may read.

    :raises NotFound: when there is none, or none that the actor may see
    """
    record = get_record(session, actor, operation_id)
    return {**record, "items": all_targets(session, actor, record)}


def get_record(session: Session, actor: Actor, operation_id: int) -> dict[str, Any]:
    """Return one operation without its targets.

    :raises NotFound: when there is none, or none that the actor may see
    """
    operation = session.scalar(_matching(select(Operation).where(Operation.id == operation_id), RecordFilter(), actor))
    if operation is None:
        raise NotFound(f"operation {operation_id} does not exist")
    return _shown(session, actor, [operation])[0]


def _shown(session: Session, actor: Actor, operations: Sequence[Operation]) -> list[dict[str, Any]]:
    """Operations as the actor may see them: one query more where there are downloads, two for limited readers."""
    shown = [record_json(operation) for operation in operations]
    exports = _exports(session, [operation.id for operation in operations if operation.verb == EXPORT])
    for record in shown:
        if record["operation_id"] in exports:
            record["export"] = exports[record["operation_id"]]
    readable = actor.permissions.readable()
    if readable is None:
        for record, operation in zip(shown, operations, strict=True):
            if NOTIFIED in operation.options:
                record["options"][NOTIFIED] = operation.options[NOTIFIED]
    elif shown:
        _hide(session, readable, shown)
        for record in shown:
            if record["verb"] == REPLENISH:
                record["options"] = readable_inputs(actor, record["options"])
    return shown


def _exports(session: Session, operation_ids: Sequence[int]) -> dict[int, dict[str, Any]]:
    """How far the downloads behind operations are."""
    if not operation_ids:
        return {}
    query = select(Export.operation_id, Export.id, Export.state, Export.row_count, Export.byte_count, Export.error)
    return {
        row.operation_id: {
            "export_id": row.id,
            "state": row.state,
            "rows": row.row_count,
            "size": row.byte_count,
            "error": row.error,
        }
        for row in session.execute(query.where(Export.operation_id.in_(operation_ids)))
    }


def _hide(session: Session, readable: frozenset[str], shown: Sequence[dict[str, Any]]) -> None:
    """Count only targets, and name only projects, of Dags that may be read."""
    counts: dict[int, dict[str, int]] = defaultdict(dict)
    numbers = [record["operation_id"] for record in shown]
    with_items = set()
    query = select(OperationItem.operation_id, OperationItem.outcome, func.count()).where(
        OperationItem.operation_id.in_(numbers), OperationItem.dag_id.in_(readable)
    )
    for number, outcome, count in session.execute(query.group_by(OperationItem.operation_id, OperationItem.outcome)):
        with_items.add(number)
        counts[number][outcome] = count
    for record in shown:
        number = record["operation_id"]
        if number in with_items:
            record["counts"] = {outcome: counts[number].get(outcome, 0) for outcome in record["counts"]}
    settings = [record for record in shown if "projects" in record["options"]]
    if settings:
        projects = set(session.scalars(select(Workflow.project).where(Workflow.dag_id.in_(readable)).distinct()))
        for record in settings:
            named = [project for project in record["options"]["projects"] if project in projects]
            record["options"] = {**record["options"], "projects": named}
            record["counts"] = {**record["counts"], "applied": len(named)}
