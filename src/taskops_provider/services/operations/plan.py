"""The plan of an operation: which targets it applies to, which it leaves alone, which are blocked by whom (SPEC 5)."""

from __future__ import annotations

import gc
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from taskops_provider import config
from taskops_provider.domain.operations import (
    Item,
    Outcome,
    Plan,
    Request,
    Scope,
    Target,
    check_options,
    plan_hash,
)
from taskops_provider.domain.states import (
    BECOMES,
    DOWNSTREAM_ALLOWED,
    STRICT_VERBS,
    TaskState,
    TaskStatus,
    Verb,
    WorkflowStatus,
    why_not,
    workflow_status,
    workflow_why_not,
)
from taskops_provider.exceptions import BadInput
from taskops_provider.models import Operation
from taskops_provider.services import gating
from taskops_provider.services.actor import Actor
from taskops_provider.services.blocking import Blocking
from taskops_provider.services.known import Known, load
from taskops_provider.services.lineage import DownstreamLinks, everything_downstream
from taskops_provider.services.pairs import Pair
from taskops_provider.services.replenishment_gap import plan_gap

NOT_EDITABLE = "you may not change this Dag"
NOT_DELETABLE = "you may not delete this Dag"
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
        options = replace(options, downstream=config.default_downstream())
    return replace(request, targets=targets, options=options)


def make_plan(session: Session, actor: Actor, request: Request, now: datetime, *, is_draft: bool = False) -> Plan:
    """Work out what a request would do. Changes nothing.

    :param is_draft: what the verb needs may still be missing; such a plan cannot be applied and has no hash
    :raises BadInput: when the request cannot be
    :raises NotFound: for a target that does not exist or may not be seen; nothing is planned then
    """
    request = complete(request, now, is_draft=is_draft)
    with _no_collection():
        return _make_plan(session, actor, request, now, DownstreamLinks(session), is_draft=is_draft)


@contextmanager
def _no_collection() -> Iterator[None]:
    """Keep Python's collector from looking, again and again, through 100,000 rows of which none is garbage.

    It takes half the time of a large plan otherwise.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _make_plan(
    session: Session, actor: Actor, request: Request, now: datetime, links: DownstreamLinks, *, is_draft: bool
) -> Plan:
    known = load(session, actor, request, now)
    items = _task_items(request, known) if request.scope is Scope.TASK else _workflow_items(request, known)
    _forbid(actor, request, items)
    plan = Plan(verb=request.verb.value, scope=request.scope, items=items)
    if request.verb in STRICT_VERBS:
        project_of = {row.dag_id: row.project for row in known.workflows.values()}
        plan.strict_projects = Blocking(session, actor, links, known.tasks).apply(request, items, project_of)
    _remember(request, items, known)
    if not is_draft:
        newest = session.scalar(select(func.max(Operation.id))) or 0
        plan.plan_hash = plan_hash(request, items, newest_operation=newest)
    return plan


def preview(session: Session, actor: Actor, request: Request, now: datetime, *, is_draft: bool = False) -> Plan:
    """Work out a plan and what it affects, for people to look at. Changes nothing (see :func:`make_plan`)."""
    request = complete(request, now, is_draft=is_draft)
    links = DownstreamLinks(session)
    with _no_collection():
        plan = _make_plan(session, actor, request, now, links, is_draft=is_draft)
        pairs = [(item.dag_id, item.task_id) for item in plan.items if item.outcome is Outcome.APPLIED and item.task_id]
        if pairs:
            _count_affected(session, actor, request, plan, pairs, links)
    plan_gap(session, plan, request, now)
    return plan


def _count_affected(
    session: Session, actor: Actor, request: Request, plan: Plan, pairs: list[Pair], links: DownstreamLinks
) -> None:
    if request.verb in STRICT_VERBS:
        # those that the actor may not see are not counted either
        below = {node for node in everything_downstream(links, pairs) if actor.may_read(node[0])}
        plan.downstream_tasks = len(below)
        plan.downstream_workflows = len({dag_id for dag_id, _ in below})
    if request.verb in (Verb.PAUSE, Verb.OFFLINE):
        plan.instances = gating.count_unfinished(session, pairs)
    if request.verb is Verb.START:
        plan.held_instances = gating.count_held(session, pairs)


def _restore(row: Any) -> dict[str, Any]:
    """What undo needs of a task."""
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


def _task_item(request: Request, row: Any) -> Item:
    """Decide for one task by its status alone."""
    item = Item(row.dag_id, row.task_id, Outcome.LEFT_ALONE, before=row.status, after=row.status)
    item.reason = _why_not(request.verb, row.status)
    if item.reason and row.status == TaskStatus.PAUSED.value and row.state == TaskState.SCHEDULING.value:
        item.reason += " (its Dag is paused in Airflow)"
    if item.reason is None and not row.is_present and request.verb is not Verb.DELETE:
        item.reason = GONE
    if item.reason is None:
        item.outcome = Outcome.APPLIED
        if request.verb in BECOMES:
            item.after = _becomes(request.verb)
    return item


def _task_items(request: Request, known: Known) -> list[Item]:
    return [_task_item(request, known.tasks[target]) for target in request.targets]


def _workflow_items(request: Request, known: Known) -> list[Item]:
    tasks_of: dict[str, list[Any]] = defaultdict(list)
    for (dag_id, _), row in known.tasks.items():
        tasks_of[dag_id].append(row)
    items: list[Item] = []
    for target in request.targets:
        rows = tasks_of[target.dag_id]
        status = _status_of(rows)
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
                whole.reason = f"has no task to {request.verb.value}"
                items.append(whole)
            items += found
    return items


def _status_of(rows: Iterable[Any]) -> WorkflowStatus:
    counts = Counter(row.status for row in rows)
    return workflow_status({TaskStatus(status): count for status, count in counts.items()})


def _forbid(actor: Actor, request: Request, items: Iterable[Item]) -> None:
    """Block the targets in Dags that the actor may not change."""
    dag_ids = {item.dag_id for item in items}
    allowed = actor.permissions.editable(dag_ids)
    reason = NOT_EDITABLE
    if request.verb is Verb.DELETE and request.scope is Scope.WORKFLOW:
        allowed = actor.permissions.deletable(dag_ids)
        reason = NOT_DELETABLE
    for item in items:
        if item.dag_id not in allowed:
            item.outcome, item.after, item.reason = Outcome.BLOCKED, item.before, reason


def _remember(request: Request, items: Iterable[Item], known: Known) -> None:
    """Keep with what is applied what undo will need."""
    for item in items:
        if item.outcome is Outcome.APPLIED:
            row = known.tasks.get((item.dag_id, item.task_id))
            if row is None:  # the owners of a workflow
                item.restore = {"operation_id": None}
            elif request.verb in BECOMES:
                item.restore = _restore(row)
            else:
                item.restore = {"operation_id": row.owners_operation_id}


def targets_of(pairs: Iterable[Pair]) -> tuple[Target, ...]:
    """Make targets of (dag_id, task_id) pairs."""
    return tuple(Target(*pair) for pair in pairs)
