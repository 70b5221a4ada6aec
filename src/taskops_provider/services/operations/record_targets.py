"""What operations touched: the targets of one, and what a list says of many."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from taskops_provider.domain.instances import InstanceVerb, RunVerb
from taskops_provider.domain.operations.answers import HIDDEN, BlockingTask, OperationRecord, RecordedOutcome
from taskops_provider.domain.operations.outcomes import Outcome
from taskops_provider.models import OperationItem
from taskops_provider.services.catalog.filters import check_choices
from taskops_provider.services.shared.actor import Actor
from taskops_provider.services.shared.paging import Page, check_page

#: what can come of a target; side effects are for undo alone
OUTCOMES = tuple(outcome.value for outcome in Outcome if outcome is not Outcome.SIDE_EFFECT)
#: verbs of operations on single instances and whole runs, as records have them
ON_INSTANCES = frozenset(f"instances-{verb.value}" for verb in InstanceVerb)
ON_RUNS = frozenset(f"runs-{verb.value}" for verb in RunVerb)
#: operations on more targets than this are not looked through for their names
NAMED_UP_TO = 1000


def all_targets(session: Session, actor: Actor, record: OperationRecord) -> list[RecordedOutcome]:
    """Return what came of each target of an operation that the actor may read.

    :param record: the operation, as records show it
    """
    return [_shown(item, actor, record) for item in session.scalars(_targets(actor, record.operation_id))]


def list_targets(
    session: Session,
    actor: Actor,
    record: OperationRecord,
    outcome: str = "",
    *,
    limit: int,
    offset: int = 0,
) -> Page[RecordedOutcome]:
    """Return one page of what :func:`all_targets` returns.

    :param outcome: the targets with this one alone
    :raises BadInput: for a page or an outcome that cannot be
    """
    check_page(limit, offset)
    check_choices("outcome", [outcome] if outcome else [], OUTCOMES)
    query = _targets(actor, record.operation_id)
    if outcome:
        query = query.where(OperationItem.outcome == outcome)
    items = session.scalars(query.limit(limit).offset(offset)).all()
    total = session.scalar(query.with_only_columns(func.count()).order_by(None)) or 0
    return Page([_shown(item, actor, record) for item in items], total, limit, offset)


def _targets(actor: Actor, operation_id: int) -> Select[OperationItem]:
    query = (
        select(OperationItem)
        .where(OperationItem.operation_id == operation_id, OperationItem.outcome != Outcome.SIDE_EFFECT.value)
        .order_by(OperationItem.id)
    )
    readable = actor.permissions.readable()
    return query if readable is None else query.where(OperationItem.dag_id.in_(readable))


def _shown(item: OperationItem, actor: Actor, record: OperationRecord) -> RecordedOutcome:
    before = after = None
    if item.restore and "owners" in item.restore:
        before = item.restore["owners"]
        # an undo gives back what it found in the record that it undoes
        given = item.restore.get("to", record.options)
        after = given.get("owners", [])
    # what was undone says it of an undo
    verb = record.options.get("verb") if record.verb == "undo" else record.verb
    hides_instance = (verb in ON_INSTANCES and not actor.may_read_instances(item.dag_id)) or (
        verb in ON_RUNS and not actor.may_read_runs(item.dag_id)
    )
    blockers = [BlockingTask.recorded(by) for by in item.blocked_by or []]
    return RecordedOutcome(
        item.dag_id,
        item.task_id or None,
        item.outcome,
        # of an operation on instances these are their states, and the reason says in which run
        None if hides_instance else item.before,
        None if hides_instance else item.after,
        None if hides_instance else item.reason,
        _blockers_shown(item.dag_id, blockers, actor),
        owners_before=before,
        owners_after=after,
    )


def _blockers_shown(dag_id: str, blockers: Sequence[BlockingTask], actor: Actor) -> list[BlockingTask]:
    """What blocked a task of a Dag: one without a name stands for all that may not be seen, for who applied it too."""
    named = [by for by in blockers if by.dag_id is not None and actor.may_follow(dag_id, by.dag_id)]
    return [*named, HIDDEN] if len(named) < len(blockers) else named


@dataclass(frozen=True)
class Touched:
    """What an operation touched, as far as the actor may read it.

    :param targets: tasks, instances of one, or workflows as such
    :param dag_id: the workflow; empty where there are several
    :param task_id: the task; empty where there are several, or the operation was on the workflow as such
    """

    workflows: int
    targets: int
    dag_id: str = ""
    task_id: str = ""


def touched(session: Session, actor: Actor, records: Sequence[OperationRecord]) -> dict[int, Touched]:
    """Return what operations touched, without those on very many targets: one query of bounded cost."""
    numbers = [record.operation_id for record in records if 0 < record.counts.total <= NAMED_UP_TO]
    if not numbers:
        return {}
    query = (
        select(
            OperationItem.operation_id,
            func.count(OperationItem.dag_id.distinct()),
            func.count(),
            func.min(OperationItem.dag_id),
            func.min(OperationItem.task_id),
            func.max(OperationItem.task_id),
        )
        .where(OperationItem.operation_id.in_(numbers), OperationItem.outcome != Outcome.SIDE_EFFECT.value)
        .group_by(OperationItem.operation_id)
    )
    readable = actor.permissions.readable()
    if readable is not None:
        query = query.where(OperationItem.dag_id.in_(readable))
    found = {}
    for number, workflows, targets, dag_id, first, last in session.execute(query):
        one = workflows == 1
        found[number] = Touched(workflows, targets, dag_id if one else "", first if one and first == last else "")
    return found
