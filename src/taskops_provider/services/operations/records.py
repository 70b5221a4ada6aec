"""Operation records, for reading."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, and_, case, exists, func, or_, select, tuple_
from sqlalchemy.orm import Session

from taskops_provider.adapter.any_case import holds
from taskops_provider.domain.answers import Json, copy_as, to_plain_data
from taskops_provider.domain.operations.answers import (
    Counts,
    ExportProgress,
    Notified,
    OperationDetails,
    OperationRecord,
)
from taskops_provider.domain.operations.outcomes import OperationOutcome, Outcome
from taskops_provider.domain.operations.targets import Scope
from taskops_provider.exceptions import ResourceNotFound
from taskops_provider.models import Export, Operation, OperationItem, Task, Workflow
from taskops_provider.services.alarms.owner_notices import NOTIFIED
from taskops_provider.services.catalog.filter_choices import FilterChoices, capped
from taskops_provider.services.catalog.filters import check_choices, named
from taskops_provider.services.operations.apply import PAUSED_BEFORE, PAUSED_BY_US_BEFORE
from taskops_provider.services.operations.record_targets import all_targets
from taskops_provider.services.replenishments.progress import VERB as REPLENISH
from taskops_provider.services.replenishments.recorded import readable_inputs
from taskops_provider.services.shared.actor import Actor
from taskops_provider.services.shared.filter_size import check_size
from taskops_provider.services.shared.in_whose_name import ASKED_BY
from taskops_provider.services.shared.json_texts import json_texts
from taskops_provider.services.shared.paging import Page, check_page, order

#: from where operations come
SOURCES = ("ui", "cli", "api", "operator", "monitor")
#: the verb of downloads
EXPORT = "export"
#: how verbs on alarm rules begin
OF_RULES = "alarm-"
#: and those on strict mode
OF_STRICT_MODE = "strict-mode-"
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


def _matching(query: Select[*tuple[Any, ...]], where: RecordFilter, actor: Actor) -> Select[*tuple[Any, ...]]:
    for column, values in (
        (Operation.verb, where.verbs),
        (Operation.actor, where.actors),
        (Operation.source, where.sources),
        (_outcome(actor.permissions.readable()), where.outcomes),
    ):
        if values:
            query = query.where(column.in_(values))
    if where.ticket:
        query = query.where(holds(Operation.ticket, where.ticket))
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


#: what there is among the targets of an operation, as bits: those that may be read, and whether there are others
_APPLIED, _REFUSED, _LEFT_ALONE, _HIDDEN = 1, 2, 4, 8
#: the outcome that a reader sees of an operation with hidden targets: that of the targets they may read
_OUTCOME_OF_PART = {
    _HIDDEN | seen: (
        (OperationOutcome.PART_SUCCESS if seen & _REFUSED else OperationOutcome.SUCCESS)
        # side effects alone are no refusal
        if seen & _APPLIED or not seen
        else OperationOutcome.REFUSED
    ).value
    for seen in range(_HIDDEN)
}


def _bit(readable: frozenset[str]) -> ColumnElement[int]:
    """The bit of a target; those of an operation make the key of :data:`_OUTCOME_OF_PART`."""
    outcome = OperationItem.outcome
    # as a plan has it: tasks that the whole-workflow form leaves alone are not refused
    is_asked_for = or_(Operation.scope == Scope.TASK.value, OperationItem.task_id == "")
    is_refused = or_(outcome == Outcome.BLOCKED.value, and_(outcome == Outcome.LEFT_ALONE.value, is_asked_for))
    return case(
        (outcome == Outcome.SIDE_EFFECT.value, 0),
        (OperationItem.dag_id.not_in(readable), _HIDDEN),
        (outcome == Outcome.APPLIED.value, _APPLIED),
        (is_refused, _REFUSED),
        else_=_LEFT_ALONE,
    )


def _outcome(readable: frozenset[str] | None) -> ColumnElement[str]:
    """What somebody is told that came of an operation."""
    if readable is None:
        return Operation.outcome.expression
    of_operation = OperationItem.operation_id == Operation.id
    bits = select(func.sum(_bit(readable).distinct())).select_from(OperationItem).where(of_operation)
    return case(_OUTCOME_OF_PART, value=bits.correlate(Operation).scalar_subquery(), else_=Operation.outcome)


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

    Operations without targets are of settings and of rules on projects, which are seen with a workflow of the project;
    and downloads, whose filter may name anything: those are seen by who asked for them, and by who may read everything.
    """
    readable = actor.permissions.readable()
    if readable is None:
        return query
    any_item = exists().where(OperationItem.operation_id == Operation.id)
    touched = any_item.where(OperationItem.dag_id.in_(readable))
    projects = select(Workflow.project).where(Workflow.dag_id.in_(readable))
    is_of_rule = Operation.verb.startswith(OF_RULES)
    is_of_settings = Operation.verb.startswith(OF_STRICT_MODE)
    # of other verbs it may be anything
    named_projects = json_texts(case((is_of_settings, Operation.options["projects"]))).table_valued("value")
    others = or_(
        Operation.actor == actor.recorded_name,
        and_(Operation.verb != EXPORT, ~is_of_rule, ~is_of_settings),
        select(named_projects.c.value).where(named_projects.c.value.in_(projects)).exists(),
        and_(is_of_rule, Operation.options["projects"][0].as_string().in_(projects)),
    )
    return query.where(or_(touched, and_(~any_item, others)))


def list_operations(
    session: Session,
    actor: Actor,
    where: RecordFilter,
    *,
    limit: int,
    offset: int = 0,
    order_by: str = NEWEST_FIRST,
) -> Page[OperationRecord]:
    """Return one page of operations: only those that touched a Dag the actor may read.

    :raises BadInput: for a page, an order, a source or an outcome that cannot be, a filter that is too large
    """
    check_page(limit, offset)
    check_size(where)
    check_choices("source", where.sources, SOURCES)
    check_choices("outcome", where.outcomes, [outcome.value for outcome in OperationOutcome])
    query = order(_matching(select(Operation), where, actor), order_by, ORDERS, [Operation.id.desc()])
    rows = _shown(session, actor, session.scalars(query.limit(limit).offset(offset)).all())
    total = session.scalar(_matching(select(func.count()).select_from(Operation), where, actor)) or 0
    return Page(rows, total, limit, offset)


def list_actors(session: Session, actor: Actor) -> FilterChoices:
    """The people and programs behind the operations that the actor may know of."""
    return capped(session, visible(select(Operation.actor).distinct(), actor).order_by(Operation.actor))


def get_operation(session: Session, actor: Actor, operation_id: int) -> OperationDetails:
    """Return one operation with what came of each target that the actor may read.

    :raises ResourceNotFound: when there is none, or none that the actor may see
    """
    record = get_record(session, actor, operation_id)
    return copy_as(OperationDetails, record, items=all_targets(session, actor, record))


def get_record(session: Session, actor: Actor, operation_id: int) -> OperationRecord:
    """Return one operation without its targets.

    :raises ResourceNotFound: when there is none, or none that the actor may see
    """
    operation = session.scalar(_matching(select(Operation).where(Operation.id == operation_id), RecordFilter(), actor))
    if operation is None:
        raise ResourceNotFound(f"operation {operation_id} does not exist")
    return _shown(session, actor, [operation])[0]


def _shown(session: Session, actor: Actor, operations: Sequence[Operation]) -> list[OperationRecord]:
    """Operations as the actor may see them: one query more where there are downloads, two for limited readers."""
    exports = _exports(session, [operation.id for operation in operations if operation.verb == EXPORT])
    readable = actor.permissions.readable()
    seen = _readable_part(session, actor, readable, operations) if readable is not None and operations else {}
    ended = _ended(session, actor, operations)
    return [
        _record(
            actor, operation, seen.get(operation.id), exports.get(operation.id), instances_ended=ended[operation.id]
        )
        for operation in operations
    ]


def _ended(session: Session, actor: Actor, operations: Sequence[Operation]) -> dict[int, int]:
    """How many instances operations ended: one query at most.

    They are not counted by Dag. Who may not read the instances of each Dag that was touched is told of none.
    """
    ended = {operation.id: operation.instances_ended for operation in operations}
    readable = actor.permissions.instances_readable()
    asked = [number for number, count in ended.items() if count]
    if readable is None or not asked:
        return ended
    query = select(OperationItem.operation_id).where(
        OperationItem.operation_id.in_(asked), OperationItem.dag_id.not_in(sorted(readable))
    )
    return {**ended, **dict.fromkeys(session.scalars(query.distinct()), 0)}


def _record(
    actor: Actor,
    operation: Operation,
    part: _ReadablePart | None,
    export: ExportProgress | None,
    *,
    instances_ended: int,
) -> OperationRecord:
    """
    :param part: what a limited reader may see of it; None for who may read everything
    """
    options = _options(operation, actor)
    if kept := operation.options.get(NOTIFIED):
        notified = Notified.recorded(kept)
        reads = actor.permissions.may_read_addresses()
        options[NOTIFIED] = to_plain_data(notified if reads else notified.without_addresses())
    counts = Counts(operation.applied, operation.left_alone, operation.blocked)
    return OperationRecord(
        operation_id=operation.id,
        verb=operation.verb,
        scope=operation.scope,
        at=operation.at,
        actor=operation.actor,
        source=operation.source,
        outcome=part.outcome if part else operation.outcome,
        counts=part.counts if part else counts,
        instances_ended=instances_ended,
        options=part.options if part else options,
        reason=operation.reason,
        ticket=operation.ticket,
        undoes=operation.undoes_id,
        undone_by=operation.undone_by_id,
        export=export,
    )


#: of the options, what undo needs and what is shown elsewhere
_INTERNAL = (PAUSED_BEFORE, PAUSED_BY_US_BEFORE, NOTIFIED, ASKED_BY)


def _options(operation: Operation, actor: Actor) -> Json:
    """What was chosen with an operation, without what only undo and who may read everything want."""
    options = {key: value for key, value in operation.options.items() if key not in _INTERNAL}
    return readable_inputs(actor, options) if operation.verb == REPLENISH else options


def _exports(session: Session, operation_ids: Sequence[int]) -> dict[int, ExportProgress]:
    """How far the downloads behind operations are."""
    if not operation_ids:
        return {}
    query = select(Export.operation_id, Export.id, Export.state, Export.row_count, Export.byte_count, Export.error)
    return {
        row.operation_id: ExportProgress(row.id, row.state, row.row_count, row.byte_count, row.error)
        for row in session.execute(query.where(Export.operation_id.in_(operation_ids)))
    }


class _ReadablePart(NamedTuple):
    """What somebody who may not read every Dag sees of an operation."""

    counts: Counts
    outcome: str
    options: Json


def _readable_part(
    session: Session, actor: Actor, readable: frozenset[str], operations: Sequence[Operation]
) -> dict[int, _ReadablePart]:
    """Count only targets, and name only projects and targets, of Dags that may be read."""
    numbers = [operation.id for operation in operations]
    counts, outcomes = _readable_counts(session, readable, numbers)
    projects: set[str] = set()
    if any("projects" in operation.options for operation in operations):
        projects = set(session.scalars(select(Workflow.project).where(Workflow.dag_id.in_(readable)).distinct()))
    parts: dict[int, _ReadablePart] = {}
    for operation in operations:
        options = _options(operation, actor)
        every = Counts(operation.applied, operation.left_alone, operation.blocked)
        count = counts.get(operation.id, every)
        if count.total < every.total:
            # they would tell how many there are on Dags that the reader may not read
            options.pop("rule_ids", None)
        if "projects" in options:
            options["projects"] = [project for project in options["projects"] if project in projects]
            count = replace(count, applied=len(options["projects"]))
        parts[operation.id] = _ReadablePart(count, outcomes.get(operation.id, operation.outcome), options)
    return parts


def _readable_counts(
    session: Session, readable: frozenset[str], numbers: Sequence[int]
) -> tuple[dict[int, Counts], dict[int, str]]:
    """Count the targets that may be read of each operation that has any; return what came of those that have others
    too: one query.
    """
    query = (
        select(
            OperationItem.operation_id, OperationItem.outcome, _bit(readable).label("bit"), func.count().label("count")
        )
        .join(Operation, Operation.id == OperationItem.operation_id)
        .where(OperationItem.operation_id.in_(numbers))
        .group_by(OperationItem.operation_id, OperationItem.outcome, "bit")
    )
    found: dict[int, Counter[str]] = defaultdict(Counter)
    bits: Counter[int] = Counter()
    for number, outcome, bit, count in session.execute(query):
        bits[number] |= bit
        if bit != _HIDDEN:
            found[number][outcome] += count
    counts = {
        number: Counts(of[Outcome.APPLIED.value], of[Outcome.LEFT_ALONE.value], of[Outcome.BLOCKED.value])
        for number, of in found.items()
    }
    return counts, {number: _OUTCOME_OF_PART[seen] for number, seen in bits.items() if seen in _OUTCOME_OF_PART}
