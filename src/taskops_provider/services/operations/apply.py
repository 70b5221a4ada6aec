"""Apply an operation and record it: one transaction, all of the applicable targets or none (SPEC 5)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from taskops_provider.adapter import dag_state
from taskops_provider.domain.operations import Item, Outcome, Plan, Request, newest_operation_of
from taskops_provider.domain.states import BECOMES, Downstream, TaskState, Verb
from taskops_provider.exceptions import PlanChanged
from taskops_provider.models import Operation, OperationItem, Owner, Task
from taskops_provider.services import changes, gating
from taskops_provider.services.actor import Actor
from taskops_provider.services.alarm_notices import notify_owners
from taskops_provider.services.follow import follow
from taskops_provider.services.locks import take_writer_lock
from taskops_provider.services.pairs import Pair, chunks, matches
from taskops_provider.services.planning import complete, make_plan
from taskops_provider.services.recording import record_items, write_audit
from taskops_provider.services.replenishment_gap import plan_gap
from taskops_provider.services.replenishments import queue

#: Dags that an operation found paused in Airflow, kept with its options so that undo can pause them again
PAUSED_BEFORE = "dags_paused_before"
#: who was told, kept with the options; shown to those alone who may read everything, for it names owners of all
NOTIFIED = "notified"


def apply(
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
    :raises NotFound: for a target that does not exist or may not be seen
    :raises PlanChanged: with the difference, when the plan is not the one that was looked at
    """
    take_writer_lock(session, actor.name)
    if request.options.fill_gap and request.verb is Verb.START:
        # no run is being made of which neither the gate nor the gap would know
        dag_state.lock_dags(session, {target.dag_id for target in request.targets})
    # What decides about a run is whether it was made before this moment, so it is taken after the wait.
    now = now or datetime.now(UTC)
    request = complete(request, now)
    plan = make_plan(session, actor, request, now)
    if expected_hash is not None:
        _check_hash(session, plan, expected_hash)
    missed = plan_gap(session, plan, request, now)
    plan.dry_run = False
    operation = _record(session, actor, request, plan, now)
    applied = [item for item in plan.items if item.outcome is Outcome.APPLIED]
    if applied:
        if request.verb is Verb.SET_OWNERS:
            _change_owners(session, request, applied, operation.id)
        else:
            _change_states(session, request, plan, applied, operation, now)
        if request.options.notify_owners:
            plan.notified = notify_owners(session, operation, request.verb, request.scope, applied, now)
            operation.options = {**operation.options, NOTIFIED: plan.notified}
    if plan.gap and missed and plan.gap.cells:
        plan.gap.replenishment_id = queue(session, actor, missed, now).id
        operation.options = {**operation.options, "replenishment_id": plan.gap.replenishment_id}
    record_items(session, operation.id, plan.items)
    write_audit(session, actor, request.verb.value, operation, plan.items, now)
    plan.operation_id = operation.id
    return plan


def _check_hash(session: Session, plan: Plan, expected: str) -> None:
    newest_known = newest_operation_of(expected)
    if plan.plan_hash.partition(".")[2] == expected.partition(".")[2]:
        return
    shown = {(item.dag_id, item.task_id): item for item in plan.items}
    query = (
        select(OperationItem.dag_id, OperationItem.task_id, Operation.id, Operation.verb, Operation.actor)
        .join(Operation, Operation.id == OperationItem.operation_id)
        .where(
            OperationItem.operation_id > newest_known,
            OperationItem.outcome.in_((Outcome.APPLIED.value, Outcome.SIDE_EFFECT.value)),
        )
        .order_by(OperationItem.id)
    )
    changed: dict[Pair, dict[str, Any]] = {}
    for dag_id, task_id, number, verb, by in session.execute(query):
        if (dag_id, task_id) in shown:
            changed[dag_id, task_id] = {
                "dag_id": dag_id,
                "task_id": task_id or None,
                "now": shown[dag_id, task_id].before,
                "why": f"{verb} by {by} (operation {number})",
            }
    difference = list(changed.values())
    if difference:
        first = difference[0]
        named = " ".join(filter(None, (first["dag_id"], first["task_id"])))
        more = f" and {len(difference) - 1} more" if len(difference) > 1 else ""
        what = f"{named} is now {first['now']}: {first['why']}{more}"
    else:
        what = "a Dag, a schedule or a setting changed outside these targets' operations, or the options differ"
    raise PlanChanged(f"the plan has changed since the preview, nothing was done ({what}); preview again", difference)


def _record(session: Session, actor: Actor, request: Request, plan: Plan, now: datetime) -> Operation:
    counts = plan.counts()
    operation = Operation(
        verb=request.verb.value,
        scope=request.scope.value,
        at=now,
        actor=actor.name[:250],
        source=actor.source,
        options=request.options.as_json(),
        reason=request.options.reason,
        ticket=request.options.ticket,
        outcome=plan.outcome().value,
        applied=counts["applied"],
        left_alone=counts["left_alone"],
        blocked=counts["blocked"],
    )
    session.add(operation)
    session.flush()
    return operation


def _change_states(
    session: Session, request: Request, plan: Plan, applied: list[Item], operation: Operation, now: datetime
) -> None:
    options = request.options
    pairs = [(item.dag_id, item.task_id) for item in applied]
    dag_ids = {item.dag_id for item in applied}
    after = BECOMES[request.verb]
    resumes = after is TaskState.SCHEDULING
    if resumes:
        paused = dag_state.paused_dags(session, dag_ids)
        if paused:
            operation.options = {**operation.options, PAUSED_BEFORE: sorted(paused)}
            plan.items += keep_others_paused(session, paused, pairs, operation.id, now)
        gating.release(session, pairs, options.held)
    changes.set_state(
        session,
        pairs,
        after,
        operation_id=operation.id,
        now=now,
        downstream=options.downstream,
        reason=options.reason,
        ticket=options.ticket,
        resume_at=options.resume_at,
    )
    if request.verb in (Verb.OFFLINE, Verb.DELETE) and options.downstream:
        gating.regate_held(session, pairs, options.downstream)
    if options.terminate_instances and options.downstream:
        operation.instances_ended = gating.gate_unstarted_and_end_started(session, pairs, options.downstream, now)
        plan.instances = operation.instances_ended
    follow(
        session,
        dag_ids,
        now,
        operation_id=operation.id,
        downstream=options.downstream,
        resumed=dag_ids if resumes else (),
    )


def keep_others_paused(
    session: Session, paused_dags: Collection[str], pairs: Collection[Pair], operation_id: int, now: datetime
) -> list[Item]:
    """Before a paused Dag is unpaused for some of its tasks: pause the others one by one.

    They show Paused before and after; only what makes them so changes.
    """
    chosen = set(pairs)
    query = select(Task.dag_id, Task.task_id, Task.state_operation_id).where(
        Task.dag_id.in_(paused_dags), Task.is_present.is_(True), Task.state == TaskState.SCHEDULING.value
    )
    others = [row for row in session.execute(query) if (row.dag_id, row.task_id) not in chosen]
    changes.set_state(
        session,
        [(row.dag_id, row.task_id) for row in others],
        TaskState.PAUSED,
        operation_id=operation_id,
        now=now,
        downstream=Downstream.SKIP,
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


def _change_owners(session: Session, request: Request, applied: list[Item], operation_id: int) -> None:
    pairs = [(item.dag_id, item.task_id) for item in applied]
    before: dict[Pair, list[str]] = defaultdict(list)
    for chunk in chunks(pairs):
        query = select(Owner.dag_id, Owner.task_id, Owner.owner).where(matches(Owner.dag_id, Owner.task_id, chunk))
        for dag_id, task_id, owner in session.execute(query.order_by(Owner.owner)):
            before[dag_id, task_id].append(owner)
    for item in applied:
        item.restore = {**(item.restore or {}), "owners": before[item.dag_id, item.task_id]}
    owners = list(dict.fromkeys(owner.strip() for owner in request.options.owners))
    changes.set_owners(session, pairs, owners, operation_id=operation_id)
