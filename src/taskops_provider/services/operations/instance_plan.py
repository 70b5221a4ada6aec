"""The plan of an operation on instances: what it applies to, what it leaves alone, and why."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy.orm import Session

from taskops_provider.adapter import instance_operations as adapter
from taskops_provider.adapter.instance_operations import AmbiguousInstance, LiveInstance, Ref
from taskops_provider.adapter.rerun_reach import Following
from taskops_provider.domain.gate import effect_of, waits_in_gate
from taskops_provider.domain.instances import InstanceVerb, Reach, has_begun, why_not
from taskops_provider.domain.operations.fingerprint import NO_OPERATION, plan_hash
from taskops_provider.domain.operations.limits import MAX_INSTANCES
from taskops_provider.domain.operations.outcomes import Outcome
from taskops_provider.domain.operations.plan import Item, Plan
from taskops_provider.domain.operations.targets import Scope
from taskops_provider.domain.states import Downstream
from taskops_provider.exceptions import BadInput, Forbidden, ResourceNotFound
from taskops_provider.services.catalog.tasks import get_task
from taskops_provider.services.gate.instance_orders import HeldBy, InstanceKey, holds_of
from taskops_provider.services.operations.instance_request import InstancePlan, InstanceRequest
from taskops_provider.services.operations.plan import CHANGES_NO_INSTANCES, GONE
from taskops_provider.services.operations.rerun_reach import Reached, reach_of
from taskops_provider.services.shared.actor import Actor

HELD = "held"
ALREADY_HELD = "is held already"

#: they last, and what they are for has no region: it is every instance with a map index
_ORDERS = frozenset({InstanceVerb.FORCE, InstanceVerb.HOLD, InstanceVerb.RELEASE})

#: Airflow's state of an instance after the operation (None: it is to be scheduled)
AFTER = {
    InstanceVerb.RERUN: None,
    InstanceVerb.FORCE: None,
    InstanceVerb.HOLD: HELD,
    InstanceVerb.RELEASE: None,
    InstanceVerb.TERMINATE: "failed",
    InstanceVerb.SET_SUCCESS: "success",
    InstanceVerb.SET_FAILED: "failed",
}


@dataclass(slots=True)
class Found:
    """What a plan rests on.

    :param chosen: the instances that were named
    :param following: what is rerun with them
    :param holds: what people hold of both
    """

    chosen: dict[Ref, LiveInstance] = field(default_factory=dict)
    following: dict[Following, LiveInstance] = field(default_factory=dict)
    holds: dict[InstanceKey, HeldBy] = field(default_factory=dict)


def make_plan(
    session: Session, actor: Actor, request: InstanceRequest, now: datetime, *, lock: bool
) -> tuple[InstancePlan, Found]:
    """Work out what an operation on instances would do. Changes nothing.

    :param lock: hold the instances and their runs until the transaction ends
    :raises BadInput: for no or too many instances, or a reach that the verb does not take
    :raises ResourceNotFound: when there is no such task or instance, or the Dag may not be read
    :raises Forbidden: when its instances may not be changed
    """
    dag_id, task_id, verb = request.dag_id, request.task_id, request.verb
    wanted = list(dict.fromkeys(request.refs))
    _check(request, wanted)
    task = get_task(session, actor, dag_id, task_id, now)
    if not actor.permissions.may_change_instances(dag_id):
        raise Forbidden(CHANGES_NO_INSTANCES)
    found = Found(_find(session, request, wanted, lock=lock))
    _refuse_unknown(task_id, [ref for ref in wanted if ref not in found.chosen])
    wanted = list({found.chosen[ref].instance.id: ref for ref in reversed(wanted)}.values())[::-1]
    reached = reach_of(session, actor, dag_id, task_id, wanted, request.downstream)
    allowed = {one for one in {each.dag_id for each in reached.instances} if _may_change(actor, one)}
    found.following = adapter.find_following(
        session, [one for one in reached.instances if one.dag_id in allowed], lock=lock
    )
    found.holds = holds_of(session, _keys(request, wanted, found.following))
    items = [_item(request, ref, found, is_present=task.is_present) for ref in wanted]
    _say_what_else(session, request, wanted, items)
    refs = list(wanted)
    for one in reached.instances:
        if item := _following_item(one, found, allowed):
            items.append(item)
            refs.append(Ref(one.run_id, one.map_index, one.region_id))
    plan = Plan(f"instances-{verb.value}", Scope.TASK, items, plan_hash=_hash(request, items, refs, reached))
    return InstancePlan(plan, refs, reached.followers), found


def _check(request: InstanceRequest, wanted: Sequence[Ref]) -> None:
    if not wanted:
        raise BadInput("nothing is selected: name at least one instance")
    if len(wanted) > MAX_INSTANCES:
        raise BadInput(f"{len(wanted)} instances are selected; at most {MAX_INSTANCES} are changed at once")
    if request.downstream is not Reach.NONE and request.verb is not InstanceVerb.RERUN:
        raise BadInput(f"with_downstream goes with rerun, not with {request.verb}")


def _find(session: Session, request: InstanceRequest, wanted: Sequence[Ref], *, lock: bool) -> dict[Ref, LiveInstance]:
    dag_id, task_id, verb = request.dag_id, request.task_id, request.verb
    try:
        if verb in _ORDERS and any(ref.region_id for ref in wanted):
            adapter.find(session, dag_id, task_id, [ref._replace(region_id=None) for ref in wanted], lock=False)
        return adapter.find(session, dag_id, task_id, wanted, lock=lock)
    except AmbiguousInstance as error:
        more = (
            f"which {verb.value} does not tell apart"
            if verb in _ORDERS
            else "name the region_id of each, which the list of instances shows"
        )
        raise BadInput(
            f"task {task_id!r} has several instances in {name_of(error.args[0])}, in iterations of a loop: {more}"
        ) from error


def _may_change(actor: Actor, dag_id: str) -> bool:
    return actor.may_read_instances(dag_id) and actor.permissions.may_change_instances(dag_id)


def _refuse_unknown(task_id: str, unknown: Sequence[Ref]) -> None:
    if unknown:
        more = f" and {len(unknown) - 3} more" if len(unknown) > 3 else ""
        names = ", ".join(name_of(ref) for ref in unknown[:3])
        raise ResourceNotFound(f"Task {task_id!r} has no instance in {names}{more}")


def name_of(ref: Ref) -> str:
    """What a record calls an instance of a task, or with an empty run id nothing."""
    region = f" in region {ref.region_id}" if ref.region_id else ""
    return f"run {ref.run_id!r}" + (f" with map index {ref.map_index}" if ref.map_index >= 0 else "") + region


def key_of(request: InstanceRequest, ref: Ref) -> InstanceKey:
    """The key of a named instance."""
    return InstanceKey(request.dag_id, ref.run_id, request.task_id, ref.map_index)


def _keys(request: InstanceRequest, refs: Collection[Ref], following: Collection[Following]) -> list[InstanceKey]:
    others = [InstanceKey(one.dag_id, one.run_id, one.task_id, one.map_index) for one in following]
    return [key_of(request, ref) for ref in refs] + others


def _item(request: InstanceRequest, ref: Ref, found: Found, *, is_present: bool) -> Item:
    verb, live = request.verb, found.chosen[ref]
    item = Item(request.dag_id, request.task_id, Outcome.LEFT_ALONE, before=live.state, after=live.state)
    held = found.holds.get(key_of(request, ref))
    # what was held and has ended may be released, and what executes may be held: its next try waits
    item.reason = _why_not_held(verb, ref, held) or why_not(
        verb, live.state, gated=effect_of(live.pool, live.mark) is not None or held is not None
    )
    if item.reason is None and not is_present and verb in (InstanceVerb.SET_SUCCESS, InstanceVerb.SET_FAILED):
        item.reason = GONE
    if item.reason is None:
        item.outcome, item.after = Outcome.APPLIED, AFTER[verb]
        _say_when(verb, item, held)
    return item


def _why_not_held(verb: InstanceVerb, ref: Ref, held: HeldBy | None) -> str | None:
    """Why holding or releasing leaves an instance alone, as far as that is because it is held, or not."""
    if verb is InstanceVerb.HOLD and held is not None:
        return f"{ALREADY_HELD}, with its run" if held.of_run else ALREADY_HELD
    if verb is not InstanceVerb.RELEASE:
        return None
    if held is None:
        return "is not held"
    if held.of_run:
        return "is held with its run: release the run"
    if held.map_index != ref.map_index:
        return "is held with all instances of its task in the run: release them with map index -1"
    return None


def _say_when(verb: InstanceVerb, item: Item, held: HeldBy | None) -> None:
    before = item.before
    if verb is InstanceVerb.RERUN and before == "running":
        item.after = "restarting"  # it is killed first
    if verb is InstanceVerb.HOLD and has_begun(before):
        item.after, item.reason = before, f"is {str(before).replace('_', ' ')} and goes on; its next try is held"
    if verb is InstanceVerb.RELEASE and before != "up_for_retry":
        item.after = before  # it executes, or has ended
    if verb is InstanceVerb.RERUN and held is not None:
        item.reason = "is held: it runs once it is released"


def _say_what_else(session: Session, request: InstanceRequest, refs: Sequence[Ref], items: Sequence[Item]) -> None:
    applied = [(item, ref) for item, ref in zip(items, refs, strict=True) if item.outcome is Outcome.APPLIED]
    if request.verb not in (InstanceVerb.RERUN, InstanceVerb.FORCE) or not applied:
        return
    if request.verb is InstanceVerb.FORCE:
        dag = adapter.latest_dag(session, request.dag_id) if any(ref.map_index < 0 for _, ref in applied) else None
        for item, ref in applied:
            if adapter.is_unexpanded(dag, request.task_id, ref.map_index):
                item.outcome, item.after = Outcome.LEFT_ALONE, item.before
                item.reason = "is mapped and not expanded yet: what it maps over is not there"
    if adapter.is_paused(session, request.dag_id):
        for item, _ in applied:
            if item.outcome is Outcome.APPLIED:
                item.reason = "; ".join(filter(None, (item.reason, "runs once its Dag is unpaused")))


def _following_item(one: Following, found: Found, allowed: Collection[str]) -> Item | None:
    if one.dag_id not in allowed:
        return Item(one.dag_id, one.task_id, Outcome.BLOCKED, reason=CHANGES_NO_INSTANCES)
    live = found.following.get(one)
    if live is None:
        return None
    item = Item(one.dag_id, one.task_id, Outcome.APPLIED, before=live.state)
    if live.state == "running":
        item.after = "restarting"
    if regated := effect_when_rerun(live):
        item.after = "up_for_retry"
        item.reason = f"its task was stopped when its run was made: it waits in the gate again ({regated.value})"
    elif found.holds.get(InstanceKey(one.dag_id, one.run_id, one.task_id, one.map_index)):
        item.reason = "is held: it runs once it is released"
    return item


def effect_when_rerun(live: LiveInstance) -> Downstream | None:
    """Return how an instance is gated again that is rerun with another one; None: it executes.

    What the gate settled was not executed, and is not now: nobody named it.
    """
    effect = effect_of(live.pool, live.mark)
    return None if effect is None or waits_in_gate(live.state, gated=True) else effect


def _hash(request: InstanceRequest, items: Sequence[Item], refs: Sequence[Ref], reached: Reached) -> str:
    followers = [(one.dag_id, one.by, one.of_task) for one in reached.followers]
    return plan_hash([*request.asked(), list(refs), followers], items, newest_operation=NO_OPERATION)
