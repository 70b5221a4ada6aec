"""Rerun, force, hold, release, terminate, set success, set failed: operations on single instances (requirements C2)."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime

from sqlalchemy.orm import Session

from taskops_provider.adapter import audit
from taskops_provider.adapter import instance_operations as adapter
from taskops_provider.adapter.instance_operations import LiveInstance, Ref
from taskops_provider.adapter.runs import Run
from taskops_provider.domain.answers import Json
from taskops_provider.domain.instances import InstanceVerb, Reach
from taskops_provider.domain.operations.fingerprint import is_same_plan, newest_operation_of
from taskops_provider.domain.operations.outcomes import Outcome
from taskops_provider.domain.operations.plan import Item
from taskops_provider.exceptions import OperationPlanChanged, ResourceNotFound
from taskops_provider.models import Operation
from taskops_provider.services.gate import instance_orders as orders
from taskops_provider.services.operations.instance_plan import (
    AFTER,
    Found,
    effect_when_rerun,
    key_of,
    make_plan,
    name_of,
)
from taskops_provider.services.operations.instance_request import InstancePlan, InstanceRequest
from taskops_provider.services.operations.plan import GONE, check_override, check_reason_of_override
from taskops_provider.services.shared.actor import Actor
from taskops_provider.services.shared.large_work import large_work
from taskops_provider.services.shared.locks import take_writer_lock
from taskops_provider.services.shared.recording import record_items
from taskops_provider.services.shared.retries import retried

__all__ = [
    "InstancePlan",
    "InstanceRequest",
    "InstanceVerb",
    "Reach",
    "Ref",
    "apply_on_instances",
    "preview_on_instances",
]

#: instances beyond which it takes a turn to look for what follows them
LARGE = 50


def preview_on_instances(
    session: Session, actor: Actor, request: InstanceRequest, now: datetime | None = None
) -> InstancePlan:
    """Work out what an operation on instances would do. Changes nothing.

    :raises BadInput: for no or too many instances
    :raises ResourceNotFound: when there is no such task or instance, or the Dag may not be read
    :raises Forbidden: when its instances may not be changed
    :raises Conflict: for a large one while other large requests are under way
    """
    with _turn(actor, request):
        plan, _ = make_plan(session, actor, request, now or datetime.now(UTC), lock=False)
    return plan


@contextmanager
def _turn(actor: Actor, request: InstanceRequest) -> Iterator[None]:
    """Have what follows many instances be looked for in turn: each of their runs may have a version of its Dag."""
    with large_work("the plan", actor.name) as slot:
        if request.downstream is not Reach.NONE and len(request.refs) > LARGE:
            slot.take()
        yield


@retried
def apply_on_instances(
    session: Session,
    actor: Actor,
    request: InstanceRequest,
    now: datetime | None = None,
    *,
    expected_hash: str | None = None,
) -> InstancePlan:
    """Do it, record it, and return what was done. The caller commits.

    :param expected_hash: of a preview; where something has changed since, nothing is done
    :raises BadInput: for no or too many instances, or too long a reason
    :raises ResourceNotFound: when there is no such task or instance, or the Dag may not be read
    :raises Forbidden: when its instances may not be changed
    :raises OperationPlanChanged: when the plan is not the one that was looked at
    :raises Conflict: for a large one while other large requests are under way
    """
    request.explanation.check_lengths()
    if request.override_freeze:
        check_reason_of_override(request.explanation.reason)
    if not (actor.may_read(request.dag_id) and actor.permissions.may_change_instances(request.dag_id)):
        # refused before anybody waits for it
        make_plan(session, actor, request, now or datetime.now(UTC), lock=False)
    if request.override_freeze:
        check_override(actor)
    with _turn(actor, request):
        take_writer_lock(session, actor.name)
        return _apply(session, actor, request, now or datetime.now(UTC), expected_hash)


def _apply(
    session: Session, actor: Actor, request: InstanceRequest, now: datetime, expected_hash: str | None
) -> InstancePlan:
    plan, found = make_plan(session, actor, request, now, lock=True)
    check_plan_hash(plan, expected_hash)
    operation = record_operation(session, actor, plan, request, now)
    applied = [ref for item, ref in plan.pairs() if item.outcome is Outcome.APPLIED and _is_named(item, request)]
    if applied:
        _change(session, request, found, applied, operation.id, now)
    return replace(plan, plan=replace(plan.plan, dry_run=False, operation_id=operation.id))


def check_plan_hash(plan: InstancePlan, expected: str | None) -> None:
    """Refuse a plan that is not the one that was looked at.

    :raises BadInput: when it is no plan hash
    :raises OperationPlanChanged: when it is another plan's
    """
    if expected is not None:
        newest_operation_of(expected)
        if not is_same_plan(plan.plan.plan_hash, expected):
            raise OperationPlanChanged([])


def _is_named(item: Item, request: InstanceRequest) -> bool:
    return (item.dag_id, item.task_id) == (request.dag_id, request.task_id)


def _change(
    session: Session, request: InstanceRequest, found: Found, refs: Sequence[Ref], operation_id: int, now: datetime
) -> None:
    chosen = {ref: found.chosen[ref] for ref in refs}
    match request.verb:
        case InstanceVerb.RERUN:
            _rerun(session, found, chosen, now)
        case InstanceVerb.FORCE:
            _force(session, request, chosen, operation_id, now)
        case InstanceVerb.HOLD:
            created = orders.created_at(session, {(request.dag_id, ref.run_id) for ref in refs})
            orders.add_holds(session, [key_of(request, ref) for ref in refs], created, operation_id, now)
            _bring_in_line(session, request, refs, now)
        case InstanceVerb.RELEASE:
            orders.end_orders(session, [found.holds[key_of(request, ref)].order_id for ref in refs])
            _bring_in_line(session, request, refs, now)
        case InstanceVerb.TERMINATE:
            adapter.terminate(session, [each.instance for each in chosen.values()], now)
        case _:
            _set_state(session, request, chosen)


def _bring_in_line(session: Session, request: InstanceRequest, refs: Sequence[Ref], now: datetime) -> None:
    orders.bring_in_line(session, sorted({Run(request.dag_id, ref.run_id) for ref in refs}), now)


def _rerun(session: Session, found: Found, chosen: dict[Ref, LiveInstance], now: datetime) -> None:
    """Clear what was named and what follows; what was only gated there is gated again."""
    every = [*chosen.values(), *found.following.values()]
    effects = [None] * len(chosen) + [effect_when_rerun(live) for live in found.following.values()]
    by_effect = defaultdict(list)
    for cleared, effect in zip(adapter.rerun(session, [live.instance for live in every]), effects, strict=True):
        if effect is not None and cleared is not None:
            by_effect[effect].append(cleared.id)  # clearing gives it another id
    for effect, ids in by_effect.items():
        adapter.gate_again(session, ids, effect, now)


def _force(
    session: Session, request: InstanceRequest, chosen: dict[Ref, LiveInstance], operation_id: int, now: datetime
) -> None:
    cleared = adapter.rerun(session, [live.instance for live in chosen.values()])
    orders.force(
        session,
        {
            key_of(request, ref): (ti.id, ti.max_tries)
            for ref, ti in zip(chosen, cleared, strict=True)
            if ti is not None
        },
        operation_id,
        now,
    )


def _set_state(session: Session, request: InstanceRequest, chosen: dict[Ref, LiveInstance]) -> None:
    dag = adapter.latest_dag(session, request.dag_id)
    if dag is None or not dag.has_task(request.task_id):
        raise ResourceNotFound(f"Task {request.task_id!r} {GONE}")
    adapter.set_state(session, dag, request.task_id, chosen, str(AFTER[request.verb]))


def record_operation(
    session: Session, actor: Actor, of_instances: InstancePlan, request: InstanceRequest, now: datetime
) -> Operation:
    """Record an operation on instances, and write Airflow's audit log."""
    plan = of_instances.plan
    counts = plan.counts()
    operation = Operation(
        verb=plan.verb,
        scope=plan.scope.value,
        at=now,
        actor=actor.recorded_name,
        source=actor.source,
        options=_options(request),
        reason=request.explanation.reason,
        ticket=request.explanation.ticket,
        outcome=plan.outcome().value,
        applied=counts.applied,
        left_alone=counts.left_alone,
        blocked=counts.blocked,
        instances_ended=counts.applied if plan.verb == "instances-terminate" else 0,
    )
    session.add(operation)
    session.flush()
    record_items(session, operation.id, recorded(of_instances))
    _write_audit(session, actor, operation, of_instances, now)
    return operation


def _options(request: InstanceRequest) -> Json:
    options: Json = {}
    if request.downstream is not Reach.NONE:
        options["with_downstream"] = request.downstream.value
    if request.override_freeze:
        options["override_freeze"] = True
    return options


def recorded(of_instances: InstancePlan) -> list[Item]:
    """The items for the record, where the reason says which instance it was."""
    # a hold is for every region, and its undo finds it by its name
    is_hold = of_instances.plan.verb == f"instances-{InstanceVerb.HOLD.value}"
    return [
        Item(
            item.dag_id,
            item.task_id,
            item.outcome,
            before=item.before,
            after=item.after,
            reason="; ".join(filter(None, (name_of(ref._replace(region_id=None) if is_hold else ref), item.reason))),
        )
        for item, ref in of_instances.pairs()
    ]


def _as_extra(ref: Ref) -> dict[str, object]:
    named = {"run_id": ref.run_id, "map_index": ref.map_index}
    return {**named, "region_id": ref.region_id} if ref.region_id else named


def _write_audit(
    session: Session, actor: Actor, operation: Operation, of_instances: InstancePlan, now: datetime
) -> None:
    """One line for each task in which something was done."""
    applied: dict[tuple[str, str], list[Ref]] = defaultdict(list)
    for item, ref in of_instances.pairs():
        if item.outcome is Outcome.APPLIED:
            applied[item.dag_id, item.task_id].append(ref)
    outcomes = dict(Counter(item.outcome.value for item in of_instances.plan.items))
    entries = [
        (
            dag_id,
            task_id,
            {
                "operation_id": operation.id,
                "source": actor.source,
                "instances": [_as_extra(ref) for ref in refs[:100]],
                "instance_count": len(refs),
                "reason": operation.reason,
                "ticket": operation.ticket,
                "outcomes": outcomes,
            },
        )
        for (dag_id, task_id), refs in applied.items()
    ]
    if entries:
        audit.write(session, event=f"taskops.{operation.verb}", actor=actor.name, at=now, entries=entries)
