"""Undo of a hold: what it still holds is released."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from taskops_provider.adapter.instance_operations import Ref
from taskops_provider.adapter.runs import Run
from taskops_provider.domain.instances import InstanceVerb, RunVerb
from taskops_provider.domain.operations.outcomes import Outcome
from taskops_provider.domain.operations.plan import Item
from taskops_provider.models import InstanceOrder, Operation, OperationItem
from taskops_provider.services.gate import instance_orders as orders
from taskops_provider.services.operations.instance_plan import HELD, name_of
from taskops_provider.services.operations.on_runs import may_change_runs
from taskops_provider.services.operations.plan import CHANGES_NO_INSTANCES, CHANGES_NO_RUNS
from taskops_provider.services.shared.actor import Actor

HOLD_INSTANCES, HOLD_RUNS = f"instances-{InstanceVerb.HOLD}", f"runs-{RunVerb.HOLD}"
#: verbs whose operations are undone here
HOLDS = frozenset({HOLD_INSTANCES, HOLD_RUNS})
RELEASED = "was released since"


def items_of_hold(session: Session, actor: Actor, operation: Operation) -> list[Item]:
    """Return what undoing a hold does with each of its targets that the actor may read."""
    recorded = session.execute(
        select(OperationItem.dag_id, OperationItem.task_id, OperationItem.reason)
        .where(OperationItem.operation_id == operation.id, OperationItem.outcome == Outcome.APPLIED.value)
        .order_by(OperationItem.id)
    ).all()
    left = {_told(order): order for order in _orders(session, operation)}
    items = []
    for row in recorded:
        if not actor.may_read(row.dag_id):
            continue
        # the reason of a record names the instance first
        name = (row.reason or "").partition("; ")[0]
        item = Item(row.dag_id, row.task_id, Outcome.LEFT_ALONE, reason=f"{name}; {RELEASED}")
        if not _may_undo(actor, operation, row.dag_id):
            item.outcome = Outcome.BLOCKED
            item.reason = CHANGES_NO_RUNS if operation.verb == HOLD_RUNS else CHANGES_NO_INSTANCES
        elif (row.dag_id, row.task_id, name) in left:
            item.outcome, item.before, item.reason = Outcome.APPLIED, HELD, name
        items.append(item)
    return items


def release_held(session: Session, operation: Operation, items: Sequence[Item], now: datetime) -> None:
    """Release what an operation still holds, of the items that are to be. Hold the writer lock."""
    wanted = {(item.dag_id, item.task_id, item.reason) for item in items if item.outcome is Outcome.APPLIED}
    found = [order for order in _orders(session, operation) if _told(order) in wanted]
    runs = sorted({Run(order.dag_id, order.run_id) for order in found})
    orders.end_orders(session, [order.id for order in found])
    orders.bring_in_line(session, runs, now)


def _orders(session: Session, operation: Operation) -> list[InstanceOrder]:
    query = select(InstanceOrder).where(InstanceOrder.operation_id == operation.id, InstanceOrder.kind == "hold")
    return list(session.scalars(query.order_by(InstanceOrder.id)))


def _told(order: InstanceOrder) -> tuple[str, str, str]:
    return order.dag_id, order.task_id, name_of(Ref(order.run_id, order.map_index))


def _may_undo(actor: Actor, operation: Operation, dag_id: str) -> bool:
    if operation.verb == HOLD_RUNS:
        return may_change_runs(actor, dag_id)
    return actor.permissions.may_change_instances(dag_id)
