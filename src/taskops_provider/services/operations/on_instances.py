"""Rerun, terminate, set success, set failed: operations on single instances of a task (requirements C2)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from sqlalchemy.orm import Session

from taskops_provider.adapter import audit
from taskops_provider.adapter import instance_operations as adapter
from taskops_provider.adapter.instance_operations import LiveInstance, Ref
from taskops_provider.domain.answers import copy_as
from taskops_provider.domain.gate import EFFECT_OF_POOL
from taskops_provider.domain.instances import InstanceVerb, why_not
from taskops_provider.domain.operations.answers import ChangeAnswer, InstanceOutcome
from taskops_provider.domain.operations.outcomes import OperationOutcome, Outcome
from taskops_provider.domain.operations.plan import Item, Plan
from taskops_provider.domain.operations.targets import Scope
from taskops_provider.exceptions import BadInput, Forbidden, ResourceNotFound
from taskops_provider.inputs.operation import ReasonAndTicket
from taskops_provider.models import Operation
from taskops_provider.services.catalog.tasks import get_task
from taskops_provider.services.operations.plan import GONE, check_override, check_reason_of_override
from taskops_provider.services.shared.actor import Actor
from taskops_provider.services.shared.locks import take_writer_lock
from taskops_provider.services.shared.recording import record_items
from taskops_provider.services.shared.retries import retried
from taskops_provider.services.windows.in_force import frozen

__all__ = [
    "MAX_INSTANCES",
    "InstancePlan",
    "InstanceRequest",
    "InstanceVerb",
    "Ref",
    "apply_on_instances",
    "preview_on_instances",
]

#: clearing takes some milliseconds an instance
MAX_INSTANCES = 1000

NOT_CHANGEABLE = "you may not change the task instances of this Dag"

#: Airflow's state of an instance after the operation (None: it is to be scheduled)
_AFTER = {
    InstanceVerb.RERUN: None,
    InstanceVerb.TERMINATE: "failed",
    InstanceVerb.SET_SUCCESS: "success",
    InstanceVerb.SET_FAILED: "failed",
}


@dataclass(frozen=True, slots=True)
class InstanceRequest:
    """One operation on instances of a task as it was asked for."""

    dag_id: str
    task_id: str
    verb: InstanceVerb
    refs: Sequence[Ref]
    explanation: ReasonAndTicket
    #: do it although a window freezes the task
    override_freeze: bool = False


@dataclass(frozen=True, slots=True)
class InstancePlan:
    """What an operation on instances would do, or did.

    :param plan: the item's ``before`` and ``after`` are Airflow's states
    :param refs: of its items, in their order
    """

    plan: Plan
    refs: Sequence[Ref]

    def pairs(self) -> Iterator[tuple[Item, Ref]]:
        """Each item with the instance that it is of."""
        return zip(self.plan.items, self.refs, strict=True)

    def answer(self) -> ChangeAnswer:
        """The answer as every surface shows it: that of other operations, with the instance in each item."""
        items = [
            copy_as(InstanceOutcome, item.answer(), run_id=ref.run_id, map_index=ref.map_index)
            for item, ref in self.pairs()
        ]
        # a plan hash and what is affected downstream are of operations on tasks
        return replace(self.plan.answer(), items=items, plan_hash=None, affects=None)

    def outcome(self) -> OperationOutcome:
        """What came of it as a whole."""
        return self.plan.outcome()


def preview_on_instances(
    session: Session, actor: Actor, request: InstanceRequest, now: datetime | None = None
) -> InstancePlan:
    """Work out what an operation on instances would do. Changes nothing.

    :raises BadInput: for no or too many instances
    :raises ResourceNotFound: when there is no such task or instance, or the Dag may not be read
    :raises Forbidden: when its instances may not be changed
    """
    plan, _ = _plan(session, actor, request, now or datetime.now(UTC), lock=False)
    return plan


@retried
def apply_on_instances(
    session: Session, actor: Actor, request: InstanceRequest, now: datetime | None = None
) -> InstancePlan:
    """Do it, record it, and return what was done. The caller commits.

    :raises BadInput: for no or too many instances, or too long a reason
    :raises ResourceNotFound: when there is no such task or instance, or the Dag may not be read
    :raises Forbidden: when its instances may not be changed
    """
    request.explanation.check_lengths()
    if request.override_freeze:
        check_reason_of_override(request.explanation.reason)
    if not (actor.may_read(request.dag_id) and actor.permissions.may_change_instances(request.dag_id)):
        # refused before anybody waits for it
        _plan(session, actor, request, now or datetime.now(UTC), lock=False)
    take_writer_lock(session, actor.name)
    now = now or datetime.now(UTC)
    plan, found = _plan(session, actor, request, now, lock=True)
    applied = [ref for item, ref in plan.pairs() if item.outcome is Outcome.APPLIED]
    if applied:
        _change(session, request, {ref: found[ref] for ref in applied}, now)
    number = _record(session, actor, plan, request, now)
    return replace(plan, plan=replace(plan.plan, dry_run=False, operation_id=number))


def _plan(
    session: Session, actor: Actor, request: InstanceRequest, now: datetime, *, lock: bool
) -> tuple[InstancePlan, dict[Ref, LiveInstance]]:
    dag_id, task_id, verb = request.dag_id, request.task_id, request.verb
    wanted = list(dict.fromkeys(request.refs))
    if not wanted:
        raise BadInput("nothing is selected: name at least one instance")
    if len(wanted) > MAX_INSTANCES:
        raise BadInput(f"{len(wanted)} instances are selected; at most {MAX_INSTANCES} are changed at once")
    task = get_task(session, actor, dag_id, task_id, now)
    if not actor.permissions.may_change_instances(dag_id):
        raise Forbidden(NOT_CHANGEABLE)
    found = adapter.find(session, dag_id, task_id, wanted, lock=lock)
    _refuse_unknown(task_id, [ref for ref in wanted if ref not in found])
    items = [_item(dag_id, task_id, verb, found[ref], is_present=task.is_present) for ref in wanted]
    _refuse_frozen(session, actor, request, items, now)
    if verb is InstanceVerb.RERUN and adapter.is_paused(session, dag_id):
        for item in items:
            if item.outcome is Outcome.APPLIED:
                item.reason = "runs once its Dag is unpaused"
    return InstancePlan(Plan(f"instances-{verb.value}", Scope.TASK, items), wanted), found


def _refuse_frozen(
    session: Session, actor: Actor, request: InstanceRequest, items: Sequence[Item], now: datetime
) -> None:
    if request.override_freeze:
        check_override(actor)
        return
    task = (request.dag_id, request.task_id)
    if reason := frozen(session, actor, [task], now).get(task):
        for item in items:
            if item.outcome is Outcome.APPLIED:
                item.outcome, item.after, item.reason = Outcome.BLOCKED, item.before, reason


def _refuse_unknown(task_id: str, unknown: Sequence[Ref]) -> None:
    if unknown:
        more = f" and {len(unknown) - 3} more" if len(unknown) > 3 else ""
        names = ", ".join(_name(ref) for ref in unknown[:3])
        raise ResourceNotFound(f"Task {task_id!r} has no instance in {names}{more}")


def _name(ref: Ref) -> str:
    return f"run {ref.run_id!r}" + (f" with map index {ref.map_index}" if ref.map_index >= 0 else "")


def _item(dag_id: str, task_id: str, verb: InstanceVerb, found: LiveInstance, *, is_present: bool) -> Item:
    item = Item(dag_id, task_id, Outcome.LEFT_ALONE, before=found.state, after=found.state)
    item.reason = why_not(verb, found.state, gated=found.pool in EFFECT_OF_POOL)
    if item.reason is None and not is_present and verb in (InstanceVerb.SET_SUCCESS, InstanceVerb.SET_FAILED):
        item.reason = GONE
    if item.reason is None:
        item.outcome, item.after = Outcome.APPLIED, _AFTER[verb]
        if verb is InstanceVerb.RERUN and found.state == "running":
            item.after = "restarting"  # it is killed first
    return item


def _change(session: Session, request: InstanceRequest, found: dict[Ref, LiveInstance], now: datetime) -> None:
    dag_id, task_id, verb = request.dag_id, request.task_id, request.verb
    instances = [each.instance for each in found.values()]
    if verb is InstanceVerb.RERUN:
        adapter.rerun(session, instances)
    elif verb is InstanceVerb.TERMINATE:
        adapter.terminate(session, instances, now)
    else:
        dag = adapter.latest_dag(session, dag_id)
        if dag is None or not dag.has_task(task_id):
            raise ResourceNotFound(f"Task {task_id!r} {GONE}")
        adapter.set_state(session, dag, task_id, found, str(_AFTER[verb]))


def _record(session: Session, actor: Actor, of_instances: InstancePlan, request: InstanceRequest, now: datetime) -> int:
    plan = of_instances.plan
    counts = plan.counts()
    operation = Operation(
        verb=plan.verb,
        scope=plan.scope.value,
        at=now,
        actor=actor.recorded_name,
        source=actor.source,
        options={"override_freeze": True} if request.override_freeze else {},
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
    record_items(session, operation.id, _recorded(of_instances))
    _write_audit(session, actor, operation, of_instances, now)
    return operation.id


def _recorded(of_instances: InstancePlan) -> list[Item]:
    """The items for the record, where the reason says which instance it was."""
    return [
        Item(
            item.dag_id,
            item.task_id,
            item.outcome,
            before=item.before,
            after=item.after,
            reason="; ".join(filter(None, (_name(ref), item.reason))),
        )
        for item, ref in of_instances.pairs()
    ]


def _write_audit(
    session: Session, actor: Actor, operation: Operation, of_instances: InstancePlan, now: datetime
) -> None:
    items = of_instances.plan.items
    applied = [ref for item, ref in of_instances.pairs() if item.outcome is Outcome.APPLIED]
    if not applied:
        return
    extra = {
        "operation_id": operation.id,
        "source": actor.source,
        "instances": [{"run_id": ref.run_id, "map_index": ref.map_index} for ref in applied[:100]],
        "instance_count": len(applied),
        "reason": operation.reason,
        "ticket": operation.ticket,
        "outcomes": dict(Counter(item.outcome.value for item in items)),
    }
    entries = [(items[0].dag_id, items[0].task_id, extra)]
    audit.write(session, event=f"taskops.{operation.verb}", actor=actor.name, at=now, entries=entries)
