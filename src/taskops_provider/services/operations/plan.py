"""The plan of an operation: what it applies to, what it leaves alone, what is blocked by whom (requirements 5)."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache

from sqlalchemy.orm import Session

from taskops_provider import config
from taskops_provider.domain.answers import Json
from taskops_provider.domain.operations.answers import Affects
from taskops_provider.domain.operations.fingerprint import plan_hash
from taskops_provider.domain.operations.outcomes import Outcome
from taskops_provider.domain.operations.plan import Item, Plan
from taskops_provider.domain.operations.targets import Scope, Target
from taskops_provider.domain.states import (
    BECOMES,
    DOWNSTREAM_ALLOWED,
    GATED_STATES,
    STRICT_VERBS,
    Downstream,
    TaskState,
    TaskStatus,
    Verb,
    WorkflowStatus,
    tasks_wanted,
    why_not,
    workflow_status,
    workflow_why_not,
)
from taskops_provider.exceptions import BadInput, Forbidden
from taskops_provider.inputs.operation import Request, check_options
from taskops_provider.models import Task
from taskops_provider.services.catalog.lineage import DownstreamLinks, everything_downstream
from taskops_provider.services.gate import existing_instances
from taskops_provider.services.gate.draining import left_without_scheduling
from taskops_provider.services.operations.snapshot import Snapshot, TaskSnapshot, take_snapshot
from taskops_provider.services.operations.strict_mode_check import Blocking
from taskops_provider.services.replenishments.gap import plan_gap
from taskops_provider.services.shared.actor import NEEDS, Actor, replenishable
from taskops_provider.services.shared.large_work import WorkSlot, large_work
from taskops_provider.services.shared.task_keys import TaskKey

NOT_EDITABLE = "you may not change this Dag"
NOT_DELETABLE = "you may not delete this Dag"
NOT_CHANGEABLE_INSTANCES = "you may not change task instances of this Dag, or create runs of it"
CHANGES_NO_INSTANCES = "you may not change the task instances of this Dag"
CHANGES_NO_RUNS = "you may not change the runs of this Dag"
HOLDS_INSTANCES = "instances wait in it that would end, and you may not change task instances of this Dag"
FILLS_GAP = f"its pause fills the gap at its end, and you may not do that: {NEEDS}"
_FORBIDDEN = frozenset(
    {
        NOT_EDITABLE,
        NOT_DELETABLE,
        NOT_CHANGEABLE_INSTANCES,
        CHANGES_NO_INSTANCES,
        CHANGES_NO_RUNS,
        HOLDS_INSTANCES,
        FILLS_GAP,
    }
)
#: a plan of more tasks takes half a second and more: the large ones are made a few at a time
LARGE = 5000
#: workflows that a preview names
NAMED = 20
GONE = "is no longer in the latest version of its Dag"


def complete(request: Request, now: datetime, *, is_draft: bool = False) -> Request:
    """Check a request and fill in the configured downstream effect.

    :param is_draft: what the verb needs may still be missing
    :raises BadInput: when it cannot be
    """
    check_options(request.verb, request.options, now=now, is_draft=is_draft)
    if not request.targets:
        raise BadInput("nothing is selected: name at least one task or workflow")
    targets = tuple(dict.fromkeys(request.targets))
    options = request.options
    if request.verb in DOWNSTREAM_ALLOWED and request.verb is not Verb.DELETE and options.downstream is None:
        options = options.model_copy(update={"downstream": config.default_downstream()})
    return replace(request, targets=targets, options=options)


def make_plan(
    session: Session,
    actor: Actor,
    request: Request,
    now: datetime,
    *,
    is_draft: bool = False,
    within: Collection[str] | None = None,
) -> Plan:
    """Work out what a request would do. Changes nothing.

    :param is_draft: what the verb needs may still be missing; such a plan cannot be applied and has no hash
    :param within: the Dags that are locked for it; those in others are blocked. None: no matter
    :raises BadInput: when the request cannot be
    :raises ResourceNotFound: for a target that does not exist or may not be seen; nothing is planned then
    """
    request = complete(request, now, is_draft=is_draft)
    return _make_plan(session, actor, request, now, _Means(DownstreamLinks(session)), is_draft=is_draft, within=within)


@dataclass(frozen=True, slots=True)
class _Means:
    """What a plan is made with.

    :param slot: taken for a large plan; None: a lock is held by which such plans are made one at a time
    """

    links: DownstreamLinks
    slot: WorkSlot | None = None


def _make_plan(
    session: Session,
    actor: Actor,
    request: Request,
    now: datetime,
    means: _Means,
    *,
    is_draft: bool,
    within: Collection[str] | None = None,
) -> Plan:
    snapshot = take_snapshot(session, actor, request, now)
    if means.slot and len(snapshot.tasks) > LARGE:
        means.slot.take()
    items = _task_items(request, snapshot) if request.scope is Scope.TASK else _workflow_items(request, snapshot)
    _forbid(actor, request, items, within)
    if request.verb in BECOMES and BECOMES[request.verb] in GATED_STATES and request.options.downstream:
        forbid_to_end_held(session, actor, [(item, request.options.downstream) for item in items])
    strict: list[str] = []
    if request.verb in STRICT_VERBS:
        project_of = {row.dag_id: row.project for row in snapshot.workflows.values()}
        strict = Blocking(session, actor, means.links, snapshot.tasks).apply(request, items, project_of)
    _keep_for_undo(request, items, snapshot)
    number = snapshot.newest_operation()
    fingerprint = "" if is_draft else plan_hash(request.asked(), items, newest_operation=number)
    return Plan(request.verb.value, request.scope, items, fingerprint, strict_projects=strict)


def preview_operation(
    session: Session, actor: Actor, request: Request, now: datetime, *, is_draft: bool = False
) -> Plan:
    """Work out a plan and what it affects, for people to look at. Changes nothing (see :func:`make_plan`).

    :raises Conflict: for a large one while other large requests are under way
    """
    request = complete(request, now, is_draft=is_draft)
    with large_work("the plan", actor.name) as slot:
        return _preview(session, actor, request, now, slot, is_draft=is_draft)


def _preview(
    session: Session, actor: Actor, request: Request, now: datetime, slot: WorkSlot, *, is_draft: bool
) -> Plan:
    links = DownstreamLinks(session)
    plan = _make_plan(session, actor, request, now, _Means(links, slot), is_draft=is_draft)
    pairs = [(item.dag_id, item.task_id) for item in plan.applied() if item.task_id]
    affects = _affects(session, actor, request.verb, pairs, links) if pairs else Affects()
    if request.verb in STRICT_VERBS:
        stopping = Counter(item.dag_id for item in plan.applied() if item.before == TaskStatus.SCHEDULING.value)
        affects = replace(affects, drains=left_without_scheduling(session, stopping, now)[:NAMED])
    missed = plan_gap(session, actor, plan, request, now, slot)
    held = existing_instances.count_held(session, _seen(actor, pairs)) if pairs and request.verb is Verb.START else 0
    return replace(plan, affects=affects, held_instances=held, gap=missed.gap if missed else None)


def _affects(session: Session, actor: Actor, verb: Verb, pairs: list[TaskKey], links: DownstreamLinks) -> Affects:
    instances = (
        existing_instances.count_unfinished(session, _seen(actor, pairs)) if verb in (Verb.PAUSE, Verb.OFFLINE) else 0
    )
    if verb not in STRICT_VERBS:
        return Affects(instances)
    # those that the actor may not see are not counted either
    here = {dag_id for dag_id, _ in pairs}
    follows = any(actor.may_read_dependencies(dag_id) for dag_id in here)
    below = {
        node
        for node in everything_downstream(links, pairs)
        if node[0] in here or (follows and actor.may_read_dependencies(node[0]))
    }
    workflows = sorted({dag_id for dag_id, _ in below})
    return Affects(instances, len(below), len(workflows), workflows[:NAMED])


def _seen(actor: Actor, pairs: list[TaskKey]) -> list[TaskKey]:
    """Return the tasks whose instances the actor may see, and so how many there are."""
    readable = actor.permissions.instances_readable()
    return pairs if readable is None else [pair for pair in pairs if pair[0] in readable]


def state_to_restore(row: TaskSnapshot | Task) -> Json:
    """Return what undo needs to give a task its state back, as records keep it."""
    return {
        "state": row.state,
        "downstream": row.downstream,
        "reason": row.reason,
        "ticket": row.ticket,
        "resume_at": row.resume_at.isoformat() if row.resume_at else None,
        "operation_id": row.state_operation_id,
    }


@cache
def _why_not(verb: Verb, status: str) -> str | None:
    return why_not(verb, TaskStatus(status))


@cache
def _becomes(verb: Verb) -> str:
    return BECOMES[verb].value


def _task_item(request: Request, row: TaskSnapshot) -> Item:
    """Decide for one task by its status alone."""
    item = Item(row.dag_id, row.task_id, Outcome.LEFT_ALONE, before=row.status, after=row.status)
    item.reason = _why_not(request.verb, row.status)
    if item.reason and row.status == TaskStatus.PAUSED.value and row.state == TaskState.SCHEDULING.value:
        item.reason += " (its Dag is paused in Airflow)"
    if item.reason is None and not row.is_present and not _applies_to_gone(request.verb, row):
        item.reason = GONE
    if item.reason is None:
        item.outcome = Outcome.APPLIED
        if request.verb in BECOMES:
            item.after = _becomes(request.verb)
    return item


def _applies_to_gone(verb: Verb, row: TaskSnapshot) -> bool:
    """Whether a verb does something for a task that no version to come has.

    Runs of a versioned bundle keep their tasks: what is held in them must have a way on.
    """
    ends_pause = verb in (Verb.START, Verb.OFFLINE) and row.state == TaskState.PAUSED.value
    return ends_pause or verb is Verb.DELETE


def _task_items(request: Request, snapshot: Snapshot) -> list[Item]:
    return [_task_item(request, snapshot.tasks[target]) for target in request.targets]


def _workflow_items(request: Request, snapshot: Snapshot) -> list[Item]:
    tasks_of: dict[str, list[TaskSnapshot]] = defaultdict(list)
    for (dag_id, _), row in snapshot.tasks.items():
        tasks_of[dag_id].append(row)
    items: list[Item] = []
    for target in request.targets:
        rows = tasks_of[target.dag_id]
        is_deleted = snapshot.workflows[target.dag_id].default_state == TaskState.DELETED.value
        status = _status_of((row for row in rows if row.is_present), is_deleted=is_deleted)
        reason = workflow_why_not(request.verb, status)
        whole = Item(target.dag_id, "", Outcome.LEFT_ALONE, before=status.value, after=status.value, reason=reason)
        if reason is not None:
            items.append(whole)
        elif request.verb is Verb.SET_OWNERS:
            whole.outcome = Outcome.APPLIED
            items.append(whole)
        else:
            found = [_task_item(request, row) for row in rows]
            if not any(item.outcome is Outcome.APPLIED for item in found):
                whole.reason = f"none of its tasks is {tasks_wanted(request.verb)}" if found else "has no tasks"
                items.append(whole)
            items += found
    return items


def _status_of(rows: Iterable[TaskSnapshot], *, is_deleted: bool) -> WorkflowStatus:
    counts = Counter(row.status for row in rows)
    return workflow_status({TaskStatus(status): count for status, count in counts.items()}, is_deleted=is_deleted)


def _forbid(actor: Actor, request: Request, items: Iterable[Item], within: Collection[str] | None) -> None:
    """Block the targets in Dags that the actor may not change."""
    allowed = _changeable(actor, request, {item.dag_id for item in items})
    may_instances = _may_change_instances(actor, request, allowed)
    if within is not None:  # what was granted since is not locked
        may_instances &= set(within)
    reason = NOT_DELETABLE if _deletes_workflows(request) else NOT_EDITABLE
    for item in items:
        if item.dag_id not in may_instances:
            block(item, reason if item.dag_id not in allowed else NOT_CHANGEABLE_INSTANCES)


def forbid_to_end_held(session: Session, actor: Actor, effects: Iterable[tuple[Item, Downstream]]) -> None:
    """Block the tasks whose held instances would end, in Dags whose instances the actor may not change.

    :param effects: what is planned for tasks, with the effect that their instances get
    """
    may = cache(actor.permissions.may_change_instances)
    asked = {
        (item.dag_id, item.task_id): item
        for item, effect in effects
        if item.outcome is Outcome.APPLIED and effect is not Downstream.HOLD and not may(item.dag_id)
    }
    for pair in existing_instances.with_held(session, asked) if asked else ():
        block(asked[pair], HOLDS_INSTANCES)


def block(item: Item, reason: str) -> None:
    """Do nothing with a target."""
    item.outcome, item.after, item.reason = Outcome.BLOCKED, item.before, reason


def _deletes_workflows(request: Request) -> bool:
    return request.verb is Verb.DELETE and request.scope is Scope.WORKFLOW


def _changeable(actor: Actor, request: Request, dag_ids: Collection[str]) -> set[str]:
    may = actor.permissions
    return may.deletable(dag_ids) if _deletes_workflows(request) else may.editable(dag_ids)


def refuse_before_locks(session: Session, actor: Actor, request: Request, now: datetime) -> set[str]:
    """Refuse what the actor may not do before anybody is kept waiting for it.

    :return: the Dags of the request that may be locked for it: the actor may read them, and do all of it there
    :raises BadInput: when the request cannot be
    :raises ResourceNotFound: for a target in a Dag that may not be seen
    :raises Forbidden: when the actor may do it with none of the targets
    :raises Conflict: if it takes a large plan to tell that, while other large requests are under way
    """
    asked = {target.dag_id for target in request.targets}
    readable = actor.readable_of(asked)
    allowed = _may_change_instances(actor, request, _changeable(actor, request, readable)) if readable else set()
    if not allowed or readable != asked:
        # so that it is refused in the words that a plan has for it
        with large_work("it", actor.name) as slot:
            request = complete(request, now)
            plan = _make_plan(session, actor, request, now, _Means(DownstreamLinks(session), slot), is_draft=False)
        refuse_without_permission(plan.items)
    return allowed


def refuse_without_permission(items: Sequence[Item]) -> None:
    """Refuse what the actor may do with no target at all: it is not recorded, for anybody could fill the table.

    :raises Forbidden: with the reason of the first target
    """
    if items and all(item.outcome is Outcome.BLOCKED and item.reason in _FORBIDDEN for item in items):
        more = f" and {len(items) - 1:,} more" if len(items) > 1 else ""
        named = " ".join(filter(None, (items[0].dag_id, items[0].task_id)))
        raise Forbidden(f"nothing was done with {named}{more}: {items[0].reason}")


def _may_change_instances(actor: Actor, request: Request, dag_ids: set[str]) -> set[str]:
    """Return those of some Dags in which the actor may do what the options do to instances and runs."""
    options, may = request.options, actor.permissions
    if options.fill_gap:
        return replenishable(actor, dag_ids)
    if options.terminate_instances or options.is_chosen("held"):
        return {dag_id for dag_id in dag_ids if may.may_change_instances(dag_id)}
    return dag_ids


def _keep_for_undo(request: Request, items: Iterable[Item], snapshot: Snapshot) -> None:
    """Keep with what is applied what undo will need."""
    for item in items:
        if item.outcome is Outcome.APPLIED:
            row = snapshot.tasks.get((item.dag_id, item.task_id))
            if row is None:  # the owners of a workflow
                item.restore = {"operation_id": None}
            elif request.verb in BECOMES:
                item.restore = state_to_restore(row)
            else:
                item.restore = {"operation_id": row.owners_operation_id}


def targets_of(pairs: Iterable[TaskKey]) -> tuple[Target, ...]:
    """Make targets of (dag_id, task_id) pairs."""
    return tuple(Target(*pair) for pair in pairs)
