"""Apply an operation and record it: one transaction, all of the applicable targets or none (requirements 5)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from taskops_provider.adapter import dag_state
from taskops_provider.domain.answers import Json
from taskops_provider.domain.chunks import chunks
from taskops_provider.domain.operations.fingerprint import is_same_plan, newest_operation_of
from taskops_provider.domain.operations.outcomes import Outcome
from taskops_provider.domain.operations.plan import Item, Plan
from taskops_provider.domain.states import BECOMES, Downstream, TaskState, Verb
from taskops_provider.exceptions import ChangedTarget, OperationPlanChanged
from taskops_provider.inputs.operation import Request
from taskops_provider.models import Operation, Task
from taskops_provider.services.alarms.owner_notices import NOTIFIED, notify_owners
from taskops_provider.services.gate import existing_instances
from taskops_provider.services.gate.draining import sync_workflow_pause
from taskops_provider.services.gate.whose_pause import paused_or_woken_dags, user_paused_dags
from taskops_provider.services.operations import writes
from taskops_provider.services.operations.changed_since import changed_since
from taskops_provider.services.operations.plan import (
    check_override,
    check_reason_of_override,
    complete,
    make_plan,
    refuse_before_locks,
    refuse_without_permission,
)
from taskops_provider.services.replenishments.create import queue
from taskops_provider.services.replenishments.gap import plan_gap
from taskops_provider.services.replenishments.stop_runs import cancel_ended_cells
from taskops_provider.services.shared.actor import MONITOR, Actor
from taskops_provider.services.shared.locks import take_writer_lock
from taskops_provider.services.shared.owners import owners_by_key
from taskops_provider.services.shared.recording import record_items, write_audit
from taskops_provider.services.shared.retries import retried
from taskops_provider.services.shared.task_keys import TaskKey

#: Dags that an operation found paused in Airflow, kept with its options so that undo can pause them again
PAUSED_BEFORE = "dags_paused_before"
#: those of them that no person had paused
PAUSED_BY_US_BEFORE = "dags_paused_by_taskops_before"


@retried
def apply_operation(
    session: Session,
    actor: Actor,
    request: Request,
    *,
    expected_hash: str | None = None,
    now: datetime | None = None,
) -> Plan:
    """Do what a request asks, record it, and return what was done. The caller commits.

    :param expected_hash: of a preview; where the state has changed since, nothing is done
    :raises BadInput: when the request cannot be
    :raises ResourceNotFound: for a target that does not exist or may not be seen
    :raises Forbidden: when the actor may do it with none of the targets
    :raises OperationPlanChanged: with the difference, when the plan is not the one that was looked at
    """
    if request.options.override_freeze:
        check_reason_of_override(request.options.reason)
    allowed = refuse_before_locks(session, actor, request, now or datetime.now(UTC))
    if request.options.override_freeze:
        check_override(actor)
    take_writer_lock(session, actor.name)
    if request.verb is not Verb.SET_OWNERS:
        # no run is being made of which neither the gate nor the gap would know
        dag_state.lock_runs_and_dags(session, allowed)
    # what is recorded as the moment of the change is one at which nothing is being made
    now = now or datetime.now(UTC)
    request = complete(request, now)
    plan = make_plan(session, actor, request, now, within=allowed)
    refuse_without_permission(plan.items)
    if expected_hash is not None:
        check_hash(session, plan, expected_hash)
    missed = plan_gap(session, actor, plan, request, now)
    operation = _record(session, actor, request, plan, now)
    done = replace(plan, dry_run=False, operation_id=operation.id, gap=missed.gap if missed else None)
    if applied := done.applied():
        if request.verb is Verb.SET_OWNERS:
            _change_owners(session, request, applied, operation.id)
        else:
            others = _change_states(session, actor, request, applied, operation, now)
            done = replace(done, items=[*done.items, *others])
        if request.options.notify_owners:
            notified = notify_owners(session, actor, operation, request.verb, request.scope, applied, now)
            operation.options = {**operation.options, NOTIFIED: notified.for_record()}
            reads = actor.permissions.may_read_addresses()
            done = replace(done, notified=notified if reads else notified.without_addresses())
    if missed and missed.gap.cells:
        number = queue(session, actor, missed.plan, now).id
        done = replace(done, gap=replace(missed.gap, replenishment_id=number))
        operation.options = {**operation.options, "replenishment_id": number}
    record_items(session, operation.id, done.items)
    write_audit(session, actor, request.verb.value, operation, done.items, now)
    ended = operation.instances_ended or 0
    tells_instances = all(actor.may_read_instances(item.dag_id) for item in applied)
    return replace(done, affects=replace(done.affects, instances=ended if tells_instances else 0))


def check_hash(session: Session, plan: Plan, expected: str) -> None:
    """Refuse a plan that is not the one that was looked at.

    :raises OperationPlanChanged: naming what changed since
    :raises BadInput: for a text that is no plan hash
    """
    newest_known = newest_operation_of(expected)
    if is_same_plan(plan.plan_hash, expected):
        return
    before = {(item.dag_id, item.task_id): item.before for item in plan.items}
    numbers = changed_since(session, before, newest_known)
    operations: dict[int, str] = {}
    for some in chunks(sorted(set(numbers.values()))):
        found = select(Operation.id, Operation.verb, Operation.actor).where(Operation.id.in_(some))
        operations |= {number: f"{verb} by {by} (operation {number})" for number, verb, by in session.execute(found)}
    raise OperationPlanChanged(
        [
            ChangedTarget(dag_id, task_id or None, before[dag_id, task_id], operations[number])
            for (dag_id, task_id), number in sorted(numbers.items(), key=lambda one: (one[1], one[0]))
            if number in operations
        ]
    )


def _record(session: Session, actor: Actor, request: Request, plan: Plan, now: datetime) -> Operation:
    counts = plan.counts()
    operation = Operation(
        verb=request.verb.value,
        scope=request.scope.value,
        at=now,
        actor=actor.recorded_name,
        source=actor.source,
        options=request.options.recorded(),
        reason=request.options.reason,
        ticket=request.options.ticket,
        outcome=plan.outcome().value,
        applied=counts.applied,
        left_alone=counts.left_alone,
        blocked=counts.blocked,
    )
    session.add(operation)
    session.flush()
    return operation


def _change_states(
    session: Session, actor: Actor, request: Request, applied: Sequence[Item], operation: Operation, now: datetime
) -> list[Item]:
    """Give the targets their new state.

    :return: the tasks that stay paused one by one although their Dag is unpaused
    """
    options = request.options
    others: list[Item] = []
    stays_paused: set[str] = set()
    pairs = [(item.dag_id, item.task_id) for item in applied]
    dag_ids = {item.dag_id for item in applied}
    after = BECOMES[request.verb]
    resumes = after is TaskState.SCHEDULING
    if resumes:
        paused = paused_or_woken_dags(session, dag_ids)
        # what happens automatically lifts no pause that a person set
        stays_paused = user_paused_dags(session, dag_ids) if actor is MONITOR else set()
        paused -= stays_paused
        if paused:
            operation.options = {**operation.options, **found_paused(session, paused)}
            others = keep_others_paused(session, paused, pairs, operation.id, now)
        existing_instances.release(session, pairs, options.held, stays_paused=stays_paused)
    writes.set_state(
        session,
        pairs,
        writes.NewState(
            after,
            options.downstream,
            options.reason,
            options.ticket,
            options.resume_at,
            terminates=options.terminate_instances,
            held=options.held,
        ),
        operation_id=operation.id,
        now=now,
    )
    if request.verb in (Verb.OFFLINE, Verb.DELETE) and options.downstream:
        existing_instances.regate_held(session, pairs, options.downstream)
    if options.terminate_instances and options.downstream:
        operation.instances_ended = existing_instances.gate_unstarted_and_end_started(
            session, pairs, options.downstream, now
        )
        cancel_ended_cells(session, pairs, now)
    sync_workflow_pause(
        session,
        dag_ids,
        now,
        operation_id=operation.id,
        downstream=options.downstream,
        resumed=dag_ids - stays_paused if resumes else (),
    )
    return others


def found_paused(session: Session, paused: set[str]) -> Json:
    """Return what the options of an operation keep of Dags that it found paused, for undo."""
    ours = paused - user_paused_dags(session, paused)
    return {PAUSED_BEFORE: sorted(paused), **({PAUSED_BY_US_BEFORE: sorted(ours)} if ours else {})}


def keep_others_paused(
    session: Session, paused_dags: Collection[str], pairs: Collection[TaskKey], operation_id: int, now: datetime
) -> list[Item]:
    """Before a paused Dag is unpaused for some of its tasks: pause the others one by one.

    They show Paused before and after; only what makes them so changes.
    """
    chosen = set(pairs)
    query = select(Task.dag_id, Task.task_id, Task.state_operation_id).where(
        Task.dag_id.in_(paused_dags), Task.is_present.is_(True), Task.state == TaskState.SCHEDULING.value
    )
    others = [row for row in session.execute(query) if (row.dag_id, row.task_id) not in chosen]
    writes.set_state(
        session,
        [(row.dag_id, row.task_id) for row in others],
        writes.NewState(TaskState.PAUSED, Downstream.SKIP),
        operation_id=operation_id,
        now=now,
    )
    return [
        Item(
            row.dag_id,
            row.task_id,
            Outcome.SIDE_EFFECT,
            before="paused",
            after="paused",
            reason="stays paused by itself while its Dag is unpaused",
            restore={"state": TaskState.SCHEDULING.value, "operation_id": row.state_operation_id},
        )
        for row in others
    ]


def _change_owners(session: Session, request: Request, applied: Sequence[Item], operation_id: int) -> None:
    pairs = [(item.dag_id, item.task_id) for item in applied]
    before = owners_by_key(session, pairs)
    for item in applied:
        item.restore = {**(item.restore or {}), "owners": before[item.dag_id, item.task_id]}
    owners = list(dict.fromkeys(owner.strip() for owner in request.options.owners))
    writes.set_owners(session, pairs, owners, operation_id=operation_id)
