"""Hold and release whole runs: nothing starts in a held run until somebody releases it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from sqlalchemy.orm import Session

from taskops_provider.adapter import instance_orders as adapter
from taskops_provider.adapter.instance_operations import Ref
from taskops_provider.adapter.instance_orders import RunFacts
from taskops_provider.adapter.runs import Run
from taskops_provider.domain.instances import RunVerb
from taskops_provider.domain.operations.fingerprint import NO_OPERATION, plan_hash
from taskops_provider.domain.operations.limits import MAX_RUNS
from taskops_provider.domain.operations.outcomes import Outcome
from taskops_provider.domain.operations.plan import Item, Plan
from taskops_provider.domain.operations.targets import Scope
from taskops_provider.exceptions import BadInput, Forbidden, ResourceNotFound
from taskops_provider.inputs.operation import ReasonAndTicket
from taskops_provider.models import Operation
from taskops_provider.services.catalog.workflows import get_workflow
from taskops_provider.services.gate import instance_orders as orders
from taskops_provider.services.gate.instance_orders import HeldBy, InstanceKey
from taskops_provider.services.operations.instance_plan import ALREADY_HELD, HELD
from taskops_provider.services.operations.instance_request import InstancePlan
from taskops_provider.services.operations.on_instances import check_plan_hash, recorded
from taskops_provider.services.operations.plan import (
    CHANGES_NO_RUNS,
    check_override,
    check_reason_of_override,
    refuse_frozen,
)
from taskops_provider.services.shared.actor import Actor
from taskops_provider.services.shared.locks import take_writer_lock
from taskops_provider.services.shared.recording import record_items, write_audit
from taskops_provider.services.shared.retries import retried

_ENDED = frozenset({"success", "failed"})


@dataclass(frozen=True, slots=True)
class RunRequest:
    """One operation on runs of a workflow as it was asked for."""

    dag_id: str
    verb: RunVerb
    run_ids: Sequence[str]
    explanation: ReasonAndTicket
    #: do it although a window freezes something of the workflow
    override_freeze: bool = False


def preview_on_runs(session: Session, actor: Actor, request: RunRequest, now: datetime | None = None) -> InstancePlan:
    """Work out what an operation on runs would do. Changes nothing.

    :raises BadInput: for no or too many runs
    :raises ResourceNotFound: when there is no such workflow or run, or the Dag may not be read
    :raises Forbidden: when its runs may not be changed
    """
    plan, _, _ = _plan(session, actor, request, now or datetime.now(UTC), lock=False)
    return plan


@retried
def apply_on_runs(
    session: Session,
    actor: Actor,
    request: RunRequest,
    now: datetime | None = None,
    *,
    expected_hash: str | None = None,
) -> InstancePlan:
    """Do it, record it, and return what was done. The caller commits.

    :param expected_hash: of a preview; where something has changed since, nothing is done
    :raises BadInput: for no or too many runs, or too long a reason
    :raises ResourceNotFound: when there is no such workflow or run, or the Dag may not be read
    :raises Forbidden: when its runs may not be changed
    :raises OperationPlanChanged: when the plan is not the one that was looked at
    """
    request.explanation.check_lengths()
    if request.override_freeze:
        check_reason_of_override(request.explanation.reason)
    if not (actor.may_read(request.dag_id) and may_change_runs(actor, request.dag_id)):
        # refused before anybody waits for it
        _plan(session, actor, request, now or datetime.now(UTC), lock=False)
    if request.override_freeze:
        check_override(actor)
    take_writer_lock(session, actor.name)
    now = now or datetime.now(UTC)
    plan, runs, holds = _plan(session, actor, request, now, lock=True)
    check_plan_hash(plan, expected_hash)
    operation = _record(session, actor, plan, request, now)
    keys = [InstanceKey(request.dag_id, ref.run_id) for item, ref in plan.pairs() if item.outcome is Outcome.APPLIED]
    if keys:
        if request.verb is RunVerb.HOLD:
            created = {Run(request.dag_id, run.run_id): run.created_at for run in runs.values()}
            orders.add_holds(session, keys, created, operation.id, now)
        else:
            orders.end_orders(session, [holds[key].order_id for key in keys])
        orders.bring_in_line(session, [Run(key.dag_id, key.run_id) for key in keys], now)
    return replace(plan, plan=replace(plan.plan, dry_run=False, operation_id=operation.id))


def may_change_runs(actor: Actor, dag_id: str) -> bool:
    """Whether the actor may hold and release runs of a Dag."""
    return actor.permissions.may_change_runs(dag_id) and dag_id in actor.permissions.editable([dag_id])


def _plan(
    session: Session, actor: Actor, request: RunRequest, now: datetime, *, lock: bool
) -> tuple[InstancePlan, dict[str, RunFacts], dict[InstanceKey, HeldBy]]:
    wanted = list(dict.fromkeys(request.run_ids))
    if not wanted:
        raise BadInput("nothing is selected: name at least one run")
    if len(wanted) > MAX_RUNS:
        raise BadInput(f"{len(wanted)} runs are selected; at most {MAX_RUNS} are changed at once")
    get_workflow(session, actor, request.dag_id, now)
    if not may_change_runs(actor, request.dag_id):
        raise Forbidden(CHANGES_NO_RUNS)
    runs = {run.run_id: run for run in adapter.facts_of_runs(session, request.dag_id, wanted, lock=lock)}
    unknown = [run_id for run_id in wanted if run_id not in runs]
    if unknown:
        more = f" and {len(unknown) - 1} more" if len(unknown) > 1 else ""
        raise ResourceNotFound(f"Dag {request.dag_id!r} has no run {unknown[0]!r}{more}")
    keys = [InstanceKey(request.dag_id, run_id) for run_id in wanted]
    holds = orders.holds_of(session, keys)
    # how many instances there are is for who may see them
    counts_begun = request.verb is RunVerb.HOLD and actor.may_read_instances(request.dag_id)
    begun = adapter.begun_by_run(session, request.dag_id, wanted) if counts_begun else {}
    items = [_item(request, runs[key.run_id], holds.get(key), begun.get(key.run_id, 0)) for key in keys]
    refuse_frozen(session, actor, items, now, override=request.override_freeze)
    asked = [request.dag_id, request.verb.value, sorted(wanted), "runs"]
    plan = Plan(
        f"runs-{request.verb.value}",
        Scope.WORKFLOW,
        items,
        plan_hash=plan_hash(asked, items, newest_operation=NO_OPERATION),
    )
    return InstancePlan(plan, [Ref(run_id) for run_id in wanted]), runs, holds


def _item(request: RunRequest, run: RunFacts, held: HeldBy | None, begun: int) -> Item:
    item = Item(request.dag_id, "", Outcome.LEFT_ALONE, before=run.state, after=run.state)
    if request.verb is RunVerb.RELEASE:
        item.reason = None if held else "is not held"
    elif held:
        item.reason = ALREADY_HELD
    elif run.state in _ENDED:
        item.reason = f"is {run.state}; hold applies to runs that have not ended"
    if item.reason is None:
        item.outcome = Outcome.APPLIED
        item.after = HELD if request.verb is RunVerb.HOLD else run.state
        if begun:
            item.reason = f"{begun} of its instances {'is' if begun == 1 else 'are'} under way and " + (
                "goes on; its next try is held" if begun == 1 else "go on; their next tries are held"
            )
    return item


def _record(session: Session, actor: Actor, plan: InstancePlan, request: RunRequest, now: datetime) -> Operation:
    counts = plan.plan.counts()
    operation = Operation(
        verb=plan.plan.verb,
        scope=plan.plan.scope.value,
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
    )
    session.add(operation)
    session.flush()
    items = recorded(plan)
    record_items(session, operation.id, items)
    write_audit(session, actor, plan.plan.verb, operation, items, now)
    return operation
