"""Undo: restore what an operation changed where nothing newer did (requirements 5)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Select, func, select, update
from sqlalchemy.orm import Session

from taskops_provider.adapter import dag_state
from taskops_provider.domain.answers import Json
from taskops_provider.domain.operations.answers import OperationRecord
from taskops_provider.domain.operations.fingerprint import plan_hash
from taskops_provider.domain.operations.outcomes import Outcome
from taskops_provider.domain.operations.plan import Item, Plan
from taskops_provider.domain.operations.targets import Scope
from taskops_provider.domain.states import Downstream, TaskState, Verb
from taskops_provider.exceptions import Conflict, Forbidden, ResourceNotFound
from taskops_provider.models import Operation, OperationItem, Task, Workflow
from taskops_provider.services.catalog.filters import join_for_tasks
from taskops_provider.services.catalog.status import TaskCounts, task_status
from taskops_provider.services.gate import existing_instances
from taskops_provider.services.gate.draining import sync_workflow_pause
from taskops_provider.services.gate.whose_pause import (
    pause_as_taskops,
    pause_as_user,
    paused_or_woken_dags,
    user_paused_dags,
)
from taskops_provider.services.operations import writes
from taskops_provider.services.operations.apply import (
    PAUSED_BEFORE,
    PAUSED_BY_US_BEFORE,
    check_hash,
    found_paused,
    keep_others_paused,
)
from taskops_provider.services.operations.changed_since import changed_since
from taskops_provider.services.operations.plan import (
    LARGE,
    NOT_EDITABLE,
    refuse_without_permission,
    state_to_restore,
)
from taskops_provider.services.operations.records import visible
from taskops_provider.services.operations.restored_states import judge_restored, overtaken
from taskops_provider.services.operations.undo_hold import HOLDS, items_of_hold, release_held
from taskops_provider.services.shared.actor import Actor
from taskops_provider.services.shared.large_work import large_work
from taskops_provider.services.shared.locks import take_writer_lock
from taskops_provider.services.shared.owners import owners_by_key
from taskops_provider.services.shared.recording import record_items, write_audit
from taskops_provider.services.shared.retries import retried
from taskops_provider.services.shared.task_keys import TaskKey, chunks, is_one_of

UNDOABLE = {verb.value for verb in Verb} | {"undo"} | HOLDS


def preview_undo(session: Session, actor: Actor, operation_id: int) -> Plan:
    """Work out what undoing an operation would do. Changes nothing.

    :raises ResourceNotFound: when there is no such operation
    :raises Conflict: when it cannot be undone; for a large one while other large requests are under way
    """
    operation = _undoable(session, actor, operation_id)
    with large_work("the plan", actor.name) as slot:
        if operation.applied > LARGE:
            slot.take()
        return _plan(session, operation, _items(session, actor, operation, datetime.now(UTC)))


def _plan(session: Session, operation: Operation, items: Sequence[Item]) -> Plan:
    since = changed_since(session, {(item.dag_id, item.task_id) for item in items}, operation.id)
    newest = max(since.values(), default=operation.id)
    fingerprint = plan_hash(["undo", operation.id], items, newest_operation=newest)
    return Plan("undo", Scope(operation.scope), items, fingerprint)


@retried
def undo(
    session: Session,
    actor: Actor,
    operation_id: int,
    *,
    expected_hash: str | None = None,
    now: datetime | None = None,
) -> Plan:
    """Undo an operation, as an operation of its own. The caller commits.

    :param expected_hash: of a preview; if the state has changed since, nothing is done
    :raises ResourceNotFound: when there is no such operation
    :raises Forbidden: when the actor may change nothing of it
    :raises Conflict: when it cannot be undone
    :raises OperationPlanChanged: if the plan is not the one that was looked at
    """
    allowed = _refuse_before_locks(session, actor, operation_id, now or datetime.now(UTC))
    take_writer_lock(session, actor.name)
    operation = _undoable(session, actor, operation_id)
    if operation.verb != Verb.SET_OWNERS.value:
        dag_state.lock_runs_and_dags(session, allowed)
    now = now or datetime.now(UTC)
    plan = _plan(session, operation, _items(session, actor, operation, now, within=allowed))
    _refuse(operation, plan.items)
    if expected_hash is not None:
        check_hash(session, plan, expected_hash)
    counts = plan.counts()
    record = Operation(
        verb="undo",
        scope=operation.scope,
        at=now,
        actor=actor.recorded_name,
        source=actor.source,
        options={"undoes": operation_id, "verb": operation.verb},
        reason=f"undo of operation {operation_id} ({operation.verb} by {operation.actor})",
        outcome=plan.outcome().value,
        applied=counts.applied,
        left_alone=counts.left_alone,
        blocked=counts.blocked,
        undoes_id=operation_id,
    )
    session.add(record)
    session.flush()
    items = list(plan.items)
    restorable = [item for item in items if item.outcome in (Outcome.APPLIED, Outcome.SIDE_EFFECT)]
    if restorable:
        if _is_whole(session, operation, plan):
            operation.undone_by_id = record.id
        items += _restore(session, operation, record, restorable, now)
    record_items(session, record.id, items)
    write_audit(session, actor, "undo", record, items, now)
    return replace(plan, items=items, dry_run=False, operation_id=record.id)


def _refuse_before_locks(session: Session, actor: Actor, operation_id: int, now: datetime) -> set[str]:
    """Refuse what the actor may not undo before anybody is kept waiting for it.

    :return: the Dags that may be locked for it: the actor may read and change them
    """
    operation = _undoable(session, actor, operation_id)
    query = _recorded(operation).with_only_columns(OperationItem.dag_id).order_by(None).distinct()
    readable = {dag_id for dag_id in session.scalars(query) if actor.may_read(dag_id)}
    allowed = actor.permissions.editable(readable) if readable else set()
    if not allowed:
        with large_work("it", actor.name) as slot:
            if operation.applied > LARGE:
                slot.take()
            items = _items(session, actor, operation, now, within=allowed)
        _refuse(operation, items)
    return allowed


def _refuse(operation: Operation, items: Sequence[Item]) -> None:
    if not items:
        # it is seen for what it left alone: who may do nothing of an undo leaves no record of it either
        raise Forbidden(f"nothing was undone: operation {operation.id} changed no Dag that you may read")
    refuse_without_permission(items)


def is_offered(session: Session, actor: Actor, record: OperationRecord) -> bool:
    """Whether undoing an operation may restore anything, as far as one query tells; a preview says what.

    :param record: the operation, as records show it to the actor
    """
    is_undoable = record.verb in UNDOABLE and record.options.get("verb") not in HOLDS
    if not is_undoable or record.undone_by is not None or not record.counts.applied:
        return False
    query = (
        select(OperationItem.dag_id)
        .where(OperationItem.operation_id == record.operation_id, OperationItem.outcome == Outcome.APPLIED.value)
        .distinct()
    )
    return bool(actor.permissions.editable(set(session.scalars(query))))


def _is_whole(session: Session, operation: Operation, plan: Plan) -> bool:
    """Whether nothing is left for somebody who may do more than the actor."""
    query = _recorded(operation).with_only_columns(func.count()).order_by(None)
    blocked = any(item.outcome is Outcome.BLOCKED for item in plan.items)
    return not blocked and session.scalar(query) == len(plan.items)


def _undoable(session: Session, actor: Actor, operation_id: int) -> Operation:
    operation: Operation | None = session.scalar(visible(select(Operation).where(Operation.id == operation_id), actor))
    if operation is None:
        raise ResourceNotFound(f"operation {operation_id} does not exist")
    if operation.verb not in UNDOABLE:
        raise Conflict(f"operation {operation_id} is a {operation.verb}; undo restores states and owners")
    if operation.verb == "undo" and operation.options.get("verb") in HOLDS:
        raise Conflict(f"operation {operation_id} released what was held; hold it again instead of undoing that")
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


def _items(
    session: Session, actor: Actor, operation: Operation, now: datetime, *, within: Collection[str] | None = None
) -> list[Item]:
    """What an undo would do with each target.

    :param within: the Dags that are locked for it; targets in others are blocked. None: no matter
    """
    if operation.verb in HOLDS:
        return items_of_hold(session, actor, operation)
    recorded = session.execute(_recorded(operation)).all()
    current = _current(session, recorded, now)
    owners = (
        owners_by_key(session, {(r.dag_id, r.task_id) for r in recorded})
        if any("owners" in (r.restore or {}) for r in recorded)
        else {}
    )
    dag_ids = {row.dag_id for row in recorded}
    editable = actor.permissions.editable(dag_ids)
    if within is not None:
        editable &= set(within)
    items = []
    for row in recorded:
        if not actor.may_read(row.dag_id):
            continue
        by = current.get((row.dag_id, row.task_id))
        # what it shows now, which is not what the operation made of it if something happened since
        status = by.status if by else None
        item = Item(row.dag_id, row.task_id, Outcome.LEFT_ALONE, before=status, after=status)
        if row.dag_id not in editable:
            item.outcome, item.reason = Outcome.BLOCKED, NOT_EDITABLE
        elif by is None:
            item.reason = "has no record any more"
        else:
            changed_by = by.owners_by if "owners" in row.restore else by.state_by
            if changed_by != operation.id:
                item.reason = f"changed since by operation {changed_by}" if changed_by else "changed since"
            else:
                item.outcome = Outcome(row.outcome)
                item.after = status if "owners" in row.restore else row.before
                item.reason = overtaken(row.restore, now)
                item.restore = _restore_of_undo(row, by, owners)
        items.append(item)
    judge_restored(session, actor, items, now)
    return items


def _restore_of_undo(row: Any, by: _Current, owners: Mapping[TaskKey, list[str]]) -> Json:
    """What undoing the undo would restore: the row as it is now. ``to`` is what this undo restores."""
    if "owners" in row.restore:
        return {"owners": owners.get((row.dag_id, row.task_id), []), "operation_id": by.owners_by, "to": row.restore}
    return {**by.row, "to": row.restore}


@dataclass(frozen=True, slots=True)
class _Current:
    """What a target is now.

    :param state_by: the operation that brought its state; ``owners_by`` likewise
    :param row: what restores its state, as records keep it
    :param status: what it shows
    """

    state_by: int | None
    owners_by: int | None
    row: Json
    status: str


def _current(session: Session, recorded: Iterable[Any], now: datetime) -> dict[TaskKey, _Current]:
    found: dict[TaskKey, _Current] = {}
    pairs = [(row.dag_id, row.task_id) for row in recorded]
    for chunk in chunks([pair for pair in pairs if pair[1]]):
        of_tasks = join_for_tasks(select(Task, task_status(now)).select_from(Task))
        for task, status in session.execute(of_tasks.where(is_one_of(Task.dag_id, Task.task_id, chunk))):
            found[task.dag_id, task.task_id] = _Current(
                task.state_operation_id, task.owners_operation_id, state_to_restore(task), status
            )
    for chunk in chunks([pair for pair in pairs if not pair[1]]):
        dag_ids = [dag_id for dag_id, _ in chunk]
        counts = TaskCounts(now, dag_ids)
        query = counts.join(select(Workflow, counts.workflow_status()).select_from(Workflow))
        for workflow, status in session.execute(query.where(Workflow.dag_id.in_(dag_ids))):
            found[workflow.dag_id, ""] = _Current(None, workflow.owners_operation_id, {}, status)
    return found


def _restore(session: Session, operation: Operation, record: Operation, items: list[Item], now: datetime) -> list[Item]:
    """Give the targets back what they had.

    :return: the tasks that stay paused one by one although their Dag is unpaused
    """
    if operation.verb in HOLDS:
        release_held(session, operation, items, now)
        return []
    owned: dict[tuple[str, ...], list[TaskKey]] = defaultdict(list)
    states: dict[writes.NewState, list[TaskKey]] = defaultdict(list)
    follows_file: list[TaskKey] = []
    for item in items:
        to = item.restore["to"] if item.restore else {}
        pair = (item.dag_id, item.task_id)
        if "owners" in to:
            owned[tuple(to["owners"])].append(pair)
            if to.get("operation_id") is None:
                follows_file.append(pair)
        else:
            states[_state_of(to, now)].append(pair)
    for names, pairs in owned.items():
        writes.set_owners(session, pairs, names, operation_id=record.id)
    _follow_file_again(session, follows_file)
    return _restore_states(session, operation, record, states, now) if states else []


def _state_of(kept: Json, now: datetime) -> writes.NewState:
    """Read what :func:`state_to_restore` wrote into a record."""
    downstream = kept.get("downstream")
    resume_at = None if overtaken(kept, now) else kept.get("resume_at")
    return writes.NewState(
        TaskState(kept["state"]),
        Downstream(downstream) if downstream else None,
        kept.get("reason"),
        kept.get("ticket"),
        datetime.fromisoformat(resume_at) if resume_at else None,
    )


def _follow_file_again(session: Session, pairs: list[TaskKey]) -> None:
    """Owners that had never been set here follow the Dag file again; ``owners_operation_id`` stays for undo."""
    workflows = [dag_id for dag_id, task_id in pairs if not task_id]
    if workflows:
        session.execute(update(Workflow).where(Workflow.dag_id.in_(workflows)).values(owners_set=False))


def _restore_states(
    session: Session,
    operation: Operation,
    record: Operation,
    states: Mapping[writes.NewState, list[TaskKey]],
    now: datetime,
) -> list[Item]:
    others: list[Item] = []
    dag_ids = {dag_id for pairs in states.values() for dag_id, _ in pairs}
    resumed_pairs = [p for new, pairs in states.items() if new.state is TaskState.SCHEDULING for p in pairs]
    resumed = {dag_id for dag_id, _ in resumed_pairs}
    paused_before = set(operation.options.get(PAUSED_BEFORE, ())) & dag_ids
    # somebody may have paused the Dag since: only a start of theirs lifts that
    stays_paused = user_paused_dags(session, resumed - paused_before)
    resumed -= stays_paused
    paused = paused_or_woken_dags(session, resumed - paused_before)
    if paused:
        record.options = {**record.options, **found_paused(session, paused)}
        others = keep_others_paused(session, paused, resumed_pairs, record.id, now)
    existing_instances.release(session, resumed_pairs, "run", stays_paused=stays_paused)
    for new, pairs in states.items():
        writes.set_state(session, pairs, new, operation_id=record.id, now=now)
    effects = [new.downstream for new in states if new.downstream]
    sync_workflow_pause(
        session,
        dag_ids,
        now,
        operation_id=record.id,
        downstream=effects[0] if effects else None,
        resumed=resumed - paused_before,
    )
    # they were paused, with tasks that are scheduling again now: the pause is whose it was
    ours = set(operation.options.get(PAUSED_BY_US_BEFORE, ()))
    pause_as_taskops(session, paused_before & resumed & ours)
    pause_as_user(session, (paused_before & resumed) - ours)
    return others
