"""Rerun, terminate, set success, set failed: operations on single instances of a task (C2)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy.orm import Session

from taskops_provider.adapter import audit
from taskops_provider.adapter import instance_operations as adapter
from taskops_provider.adapter.instance_operations import Found, Ref
from taskops_provider.domain.gate import EFFECT_OF_POOL
from taskops_provider.domain.instances import InstanceVerb, why_not
from taskops_provider.domain.operations import (
    MAX_REASON_LENGTH,
    MAX_TICKET_LENGTH,
    Item,
    OperationOutcome,
    Outcome,
    Plan,
    Scope,
)
from taskops_provider.exceptions import BadInput, Forbidden, NotFound
from taskops_provider.models import Operation
from taskops_provider.services.actor import Actor
from taskops_provider.services.locks import take_writer_lock
from taskops_provider.services.planning import GONE
from taskops_provider.services.recording import record_items
from taskops_provider.services.tasks import get_task

__all__ = ["MAX_INSTANCES", "InstancePlan", "InstanceVerb", "Ref", "apply", "preview"]

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


@dataclass
class InstancePlan:
    """What an operation on instances would do, or did.

    Its JSON is that of other operations with ``run_id`` and ``map_index`` in each item; ``before`` and ``after``
    are Airflow's states.
    """

    plan: Plan
    refs: list[Ref] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """The answer as every surface shows it."""
        # a plan hash and what is affected downstream are of operations on tasks
        shown = {name: value for name, value in self.plan.as_json().items() if name not in ("plan_hash", "affects")}
        shown["items"] = [
            {**item.as_json(), "run_id": ref.run_id, "map_index": ref.map_index}
            for item, ref in zip(self.plan.items, self.refs, strict=True)
        ]
        return shown

    def outcome(self) -> OperationOutcome:
        """What came of it as a whole."""
        return self.plan.outcome()


def preview(
    session: Session,
    actor: Actor,
    dag_id: str,
    task_id: str,
    verb: InstanceVerb,
    refs: Sequence[Ref],
    now: datetime | None = None,
) -> InstancePlan:
    """Work out what an operation on instances would do. Changes nothing.

    :raises BadInput: for no or too many instances
    :raises NotFound: when there is no such task or instance, or the Dag may not be read
    :raises Forbidden: when its instances may not be changed
    """
    plan, _ = _plan(session, actor, dag_id, task_id, verb, refs, now or datetime.now(UTC), lock=False)
    return plan


def apply(
    session: Session,
    actor: Actor,
    dag_id: str,
    task_id: str,
    verb: InstanceVerb,
    refs: Sequence[Ref],
    *,
    reason: str | None = None,
    ticket: str | None = None,
    now: datetime | None = None,
) -> InstancePlan:
    """Do it, record it, and return what was done. The caller commits.

    :raises BadInput: for no or too many instances, or too long a reason
    :raises NotFound: when there is no such task or instance, or the Dag may not be read
    :raises Forbidden: when its instances may not be changed
    """
    _check_texts(reason, ticket)
    take_writer_lock(session, actor.name)
    now = now or datetime.now(UTC)
    done, found = _plan(session, actor, dag_id, task_id, verb, refs, now, lock=True)
    applied = [ref for item, ref in zip(done.plan.items, done.refs, strict=True) if item.outcome is Outcome.APPLIED]
    if applied:
        _change(session, dag_id, task_id, verb, {ref: found[ref] for ref in applied}, now)
    done.plan.dry_run = False
    done.plan.operation_id = _record(session, actor, done, reason, ticket, now)
    return done


def _check_texts(reason: str | None, ticket: str | None) -> None:
    for name, text, most in (("reason", reason, MAX_REASON_LENGTH), ("ticket", ticket, MAX_TICKET_LENGTH)):
        if text and len(text) > most:
            raise BadInput(f"the {name} has {len(text)} characters; at most {most} are kept")


def _plan(
    session: Session,
    actor: Actor,
    dag_id: str,
    task_id: str,
    verb: InstanceVerb,
    refs: Sequence[Ref],
    now: datetime,
    *,
    lock: bool,
) -> tuple[InstancePlan, dict[Ref, Found]]:
    wanted = list(dict.fromkeys(refs))
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
    if verb is InstanceVerb.RERUN and adapter.is_paused(session, dag_id):
        for item in items:
            if item.outcome is Outcome.APPLIED:
                item.reason = "runs once its Dag is unpaused"
    return InstancePlan(Plan(f"instances-{verb.value}", Scope.TASK, items), wanted), found


def _refuse_unknown(task_id: str, unknown: Sequence[Ref]) -> None:
    if unknown:
        more = f" and {len(unknown) - 3} more" if len(unknown) > 3 else ""
        names = ", ".join(_name(ref) for ref in unknown[:3])
        raise NotFound(f"Task {task_id!r} has no instance in {names}{more}")


def _name(ref: Ref) -> str:
    return f"run {ref.run_id!r}" + (f" with map index {ref.map_index}" if ref.map_index >= 0 else "")


def _item(dag_id: str, task_id: str, verb: InstanceVerb, found: Found, *, is_present: bool) -> Item:
    item = Item(dag_id, task_id, Outcome.LEFT_ALONE, before=found.state, after=found.state)
    item.reason = why_not(verb, found.state, gated=found.pool in EFFECT_OF_POOL)
    if item.reason is None and not is_present and verb in (InstanceVerb.SET_SUCCESS, InstanceVerb.SET_FAILED):
        item.reason = GONE
    if item.reason is None:
        item.outcome, item.after = Outcome.APPLIED, _AFTER[verb]
        if verb is InstanceVerb.RERUN and found.state == "running":
            item.after = "restarting"  # it is killed first
    return item


def _change(
    session: Session, dag_id: str, task_id: str, verb: InstanceVerb, found: dict[Ref, Found], now: datetime
) -> None:
    instances = [each.instance for each in found.values()]
    if verb is InstanceVerb.RERUN:
        adapter.rerun(session, instances)
    elif verb is InstanceVerb.TERMINATE:
        adapter.terminate(session, instances, now)
    else:
        dag = adapter.latest_dag(session, dag_id)
        if dag is None or not dag.has_task(task_id):
            raise NotFound(f"Task {task_id!r} {GONE}")
        adapter.set_state(session, dag, task_id, found, str(_AFTER[verb]))


def _record(
    session: Session, actor: Actor, done: InstancePlan, reason: str | None, ticket: str | None, now: datetime
) -> int:
    plan = done.plan
    counts = plan.counts()
    operation = Operation(
        verb=plan.verb,
        scope=plan.scope.value,
        at=now,
        actor=actor.name[:250],
        source=actor.source,
        options={},
        reason=reason,
        ticket=ticket,
        outcome=plan.outcome().value,
        applied=counts["applied"],
        left_alone=counts["left_alone"],
        blocked=counts["blocked"],
        instances_ended=counts["applied"] if plan.verb == "instances-terminate" else 0,
    )
    session.add(operation)
    session.flush()
    record_items(session, operation.id, _recorded(plan.items, done.refs))
    _write_audit(session, actor, operation, plan.items, done.refs, now)
    return operation.id


def _recorded(items: Collection[Item], refs: Sequence[Ref]) -> list[Item]:
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
        for item, ref in zip(items, refs, strict=True)
    ]


def _write_audit(
    session: Session, actor: Actor, operation: Operation, items: Sequence[Item], refs: Sequence[Ref], now: datetime
) -> None:
    applied = [ref for item, ref in zip(items, refs, strict=True) if item.outcome is Outcome.APPLIED]
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
