"""Undo: restore what an operation changed where nothing newer did (SPEC 5)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Select, func, select, update
from sqlalchemy.orm import Session

from taskops_provider.adapter import dag_state
from taskops_provider.domain.operations import Item, Outcome, Plan, Scope
from taskops_provider.domain.states import Downstream, TaskState, Verb
from taskops_provider.exceptions import Conflict, NotFound
from taskops_provider.models import Operation, OperationItem, Owner, Task, Workflow
from taskops_provider.services import changes, gating
from taskops_provider.services.actor import Actor
from taskops_provider.services.follow import follow
from taskops_provider.services.locks import take_writer_lock
from taskops_provider.services.operations import PAUSED_BEFORE, keep_others_paused
from taskops_provider.services.pairs import Pair, chunks, matches
from taskops_provider.services.planning import NOT_EDITABLE
from taskops_provider.services.recording import record_items, write_audit
from taskops_provider.services.records import visible

UNDOABLE = {verb.value for verb in Verb} | {"undo"}


def preview_undo(session: Session, actor: Actor, operation_id: int) -> Plan:
    """Work out what undoing an operation would do. Changes nothing.

    :raises NotFound: when there is no such operation
    :raises Conflict: when it cannot be undone
    """
    operation = _undoable(session, actor, operation_id)
    return Plan(verb="undo", scope=Scope(operation.scope), items=_items(session, actor, operation))


def undo(session: Session, actor: Actor, operation_id: int, *, now: datetime | None = None) -> Plan:
    """Undo an operation, as an operation of its own. The caller commits.

    :raises NotFound: when there is no such operation
    :raises Conflict: when it cannot be undone
    """
    take_writer_lock(session, actor.name)
    now = now or datetime.now(UTC)
    operation = _undoable(session, actor, operation_id)
    plan = Plan(verb="undo", scope=Scope(operation.scope), items=_items(session, actor, operation), dry_run=False)
    counts = plan.counts()
    record = Operation(
        verb="undo",
        scope=operation.scope,
        at=now,
        actor=actor.name[:250],
        source=actor.source,
        options={"undoes": operation_id, "verb": operation.verb},
        reason=f"undo of operation {operation_id} ({operation.verb} by {operation.actor})",
        outcome=plan.outcome().value,
        applied=counts["applied"],
        left_alone=counts["left_alone"],
        blocked=counts["blocked"],
        undoes_id=operation_id,
    )
    session.add(record)
    session.flush()
    restorable = [item for item in plan.items if item.outcome in (Outcome.APPLIED, Outcome.SIDE_EFFECT)]
    if restorable:
        if _is_whole(session, operation, plan):
            operation.undone_by_id = record.id
        _restore(session, operation, record, plan, restorable, now)
    record_items(session, record.id, plan.items)
    write_audit(session, actor, "undo", record, plan.items, now)
    plan.operation_id = record.id
    return plan


def is_offered(session: Session, actor: Actor, record: Mapping[str, Any]) -> bool:
    """Whether undoing an operation may restore anything, as far as one query tells; a preview says what.

    :param record: the operation, as records show it to the actor
    """
    if record["verb"] not in UNDOABLE or record["undone_by"] is not None or not record["counts"]["applied"]:
        return False
    query = (
        select(OperationItem.dag_id)
        .where(OperationItem.operation_id == record["operation_id"], OperationItem.outcome == Outcome.APPLIED.value)
        .distinct()
    )
    return bool(actor.permissions.editable(set(session.scalars(query))))


def _is_whole(session: Session, operation: Operation, plan: Plan) -> bool:
    """Whether nothing is left for somebody who may do more than the actor."""
    query = _recorded(operation).with_only_columns(func.count()).order_by(None)
    blocked = any(item.outcome is Outcome.BLOCKED for item in plan.items)
    return not blocked and session.scalar(query) == len(plan.items)


def _undoable(session: Session, actor: Actor, operation_id: int) -> Operation:
    operation = session.scalar(visible(select(Operation).where(Operation.id == operation_id), actor))
    if operation is None:
        raise NotFound(f"operation {operation_id} does not exist")
    if operation.verb not in UNDOABLE:
        raise Conflict(f"operation {operation_id} is a {operation.verb}; undo restores states and owners")
    if operation.undone_by_id is not None:
        raise Conflict(f"operation {operation_id} was undone already, by operation {operation.undone_by_id}")
    if not operation.applied:
        raise Conflict(f"operation {operation_id} changed nothing: it was {operation.outcome}")
    return operation


def _recorded(operation: Operation) -> Select[*tuple[Any, ...]]:
    """What an operation changed."""
    return (
        select(
            OperationItem.dag_id,
            OperationItem.task_id,
            OperationItem.outcome,
            OperationItem.before,
            OperationItem.after,
            OperationItem.restore,
        )
        .where(
            OperationItem.operation_id == operation.id,
            OperationItem.outcome.in_((Outcome.APPLIED.value, Outcome.SIDE_EFFECT.value)),
        )
        .order_by(OperationItem.id)
    )


def _items(session: Session, actor: Actor, operation: Operation) -> list[Item]:
    recorded = session.execute(_recorded(operation)).all()
    current = _current(session, recorded)
    owners = _owners(session, recorded) if any("owners" in (r.restore or {}) for r in recorded) else {}
    dag_ids = {row.dag_id for row in recorded}
    editable = actor.permissions.editable(dag_ids)
    items = []
    for row in recorded:
        if not actor.may_read(row.dag_id):
            continue
        item = Item(row.dag_id, row.task_id, Outcome.LEFT_ALONE, before=row.after, after=row.after)
        by = current.get((row.dag_id, row.task_id))
        if by is None:
            item.reason = "has no record any more"
        elif row.dag_id not in editable:
            item.outcome, item.reason = Outcome.BLOCKED, NOT_EDITABLE
        else:
            changed_by = by["owners_by"] if "owners" in row.restore else by["state_by"]
            if changed_by != operation.id:
                item.reason = f"changed since by operation {changed_by}" if changed_by else "changed since"
            else:
                item.outcome = Outcome(row.outcome)
                item.after = row.before
                item.restore = _restore_of_undo(row, by, owners)
        items.append(item)
    return items


def _restore_of_undo(row: Any, by: dict[str, Any], owners: dict[Pair, list[str]]) -> dict[str, Any]:
    """What undoing the undo would restore: the row as it is now. ``to`` is what this undo restores."""
    if "owners" in row.restore:
        return {"owners": owners.get((row.dag_id, row.task_id), []), "operation_id": by["owners_by"], "to": row.restore}
    return {**by["row"], "to": row.restore}


def _current(session: Session, recorded: Iterable[Any]) -> dict[Pair, dict[str, Any]]:
    found: dict[Pair, dict[str, Any]] = {}
    pairs = [(row.dag_id, row.task_id) for row in recorded]
    for chunk in chunks([pair for pair in pairs if pair[1]]):
        for task in session.scalars(select(Task).where(matches(Task.dag_id, Task.task_id, chunk))):
            found[task.dag_id, task.task_id] = {
                "state_by": task.state_operation_id,
                "owners_by": task.owners_operation_id,
                "row": {
                    "state": task.state,
                    "downstream": task.downstream,
                    "reason": task.reason,
                    "ticket": task.ticket,
                    "resume_at": task.resume_at.isoformat() if task.resume_at else None,
                    "operation_id": task.state_operation_id,
                },
            }
    for chunk in chunks([pair for pair in pairs if not pair[1]]):
        query = select(Workflow).where(Workflow.dag_id.in_([dag_id for dag_id, _ in chunk]))
        for workflow in session.scalars(query):
            found[workflow.dag_id, ""] = {"owners_by": workflow.owners_operation_id, "state_by": None}
    return found


def _owners(session: Session, recorded: Iterable[Any]) -> dict[Pair, list[str]]:
    owners: dict[Pair, list[str]] = defaultdict(list)
    for chunk in chunks([(row.dag_id, row.task_id) for row in recorded]):
        query = select(Owner.dag_id, Owner.task_id, Owner.owner).where(matches(Owner.dag_id, Owner.task_id, chunk))
        for dag_id, task_id, owner in session.execute(query):
            owners[dag_id, task_id].append(owner)
    return owners


def _restore(
    session: Session, operation: Operation, record: Operation, plan: Plan, items: list[Item], now: datetime
) -> None:
    owned: dict[tuple[str, ...], list[Pair]] = defaultdict(list)
    states: dict[tuple[Any, ...], list[Pair]] = defaultdict(list)
    follows_file: list[Pair] = []
    for item in items:
        to = item.restore["to"] if item.restore else {}
        pair = (item.dag_id, item.task_id)
        if "owners" in to:
            owned[tuple(to["owners"])].append(pair)
            if to.get("operation_id") is None:
                follows_file.append(pair)
        else:
            key = (to["state"], to.get("downstream"), to.get("reason"), to.get("ticket"), to.get("resume_at"))
            states[key].append(pair)
    for names, pairs in owned.items():
        changes.set_owners(session, pairs, names, operation_id=record.id)
    _follow_file_again(session, follows_file)
    if states:
        _restore_states(session, operation, record, plan, states, now)


def _follow_file_again(session: Session, pairs: list[Pair]) -> None:
    """Owners that had never been set here follow the Dag file again; ``owners_operation_id`` stays for undo."""
    workflows = [dag_id for dag_id, task_id in pairs if not task_id]
    if workflows:
        session.execute(update(Workflow).where(Workflow.dag_id.in_(workflows)).values(owners_set=False))


def _restore_states(
    session: Session,
    operation: Operation,
    record: Operation,
    plan: Plan,
    states: dict[tuple[Any, ...], list[Pair]],
    now: datetime,
) -> None:
    dag_ids = {dag_id for pairs in states.values() for dag_id, _ in pairs}
    resumed_pairs = [p for key, pairs in states.items() if key[0] == TaskState.SCHEDULING.value for p in pairs]
    resumed = {dag_id for dag_id, _ in resumed_pairs}
    paused_before = set(operation.options.get(PAUSED_BEFORE, ())) & dag_ids
    found_paused = dag_state.paused_dags(session, resumed - paused_before)
    if found_paused:
        record.options = {**record.options, PAUSED_BEFORE: sorted(found_paused)}
        plan.items += keep_others_paused(session, found_paused, resumed_pairs, record.id, now)
    gating.release(session, resumed_pairs, "run")
    for (state, downstream, reason, ticket, resume_at), pairs in states.items():
        changes.set_state(
            session,
            pairs,
            TaskState(state),
            operation_id=record.id,
            now=now,
            downstream=Downstream(downstream) if downstream else None,
            reason=reason,
            ticket=ticket,
            resume_at=datetime.fromisoformat(resume_at) if resume_at else None,
        )
    effects = [Downstream(key[1]) for key in states if key[1]]
    follow(
        session,
        dag_ids,
        now,
        operation_id=record.id,
        downstream=effects[0] if effects else None,
        resumed=resumed - paused_before,
    )
    if paused_before & resumed:
        # they were paused in Airflow by hand, with tasks that are scheduling again now
        dag_state.set_paused(session, paused_before & resumed, True)
