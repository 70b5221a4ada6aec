"""The record of an operation: what came of each target, and Airflow's audit log."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection
from datetime import datetime

from sqlalchemy import insert
from sqlalchemy.orm import Session

from taskops_provider.adapter import audit
from taskops_provider.domain.answers import to_plain_data
from taskops_provider.domain.operations.outcomes import Outcome
from taskops_provider.domain.operations.plan import Item
from taskops_provider.models import Operation, OperationItem
from taskops_provider.services.shared.actor import Actor
from taskops_provider.services.shared.reporting import name_targets


def record_items(session: Session, operation_id: int, items: Collection[Item]) -> None:
    """Store what came of each target."""
    name_targets(session, operation_id, (item.dag_id for item in items))
    # an enum's .value costs as much as the rest of the row
    names = {outcome: outcome.value for outcome in Outcome}
    rows = [
        {
            "operation_id": operation_id,
            "dag_id": item.dag_id,
            "task_id": item.task_id,
            "outcome": names[item.outcome],
            "before": item.before,
            "after": item.after,
            "reason": item.reason,
            "restore": item.restore,
            "blocked_by": to_plain_data(item.blocked_by) or None,
        }
        for item in items
    ]
    if rows:
        session.execute(insert(OperationItem.__table__), rows)  # type: ignore[arg-type]


def write_audit(
    session: Session, actor: Actor, verb: str, operation: Operation, items: Collection[Item], now: datetime
) -> None:
    """Write one line per Dag to Airflow's audit log; it names the task where there is just one."""
    applied: dict[str, list[str]] = defaultdict(list)
    for item in items:
        if item.outcome is Outcome.APPLIED:
            applied[item.dag_id].append(item.task_id)
    outcomes = Counter(item.outcome.value for item in items)
    audit.write(
        session,
        event=f"taskops.{verb}",
        actor=actor.name,
        at=now,
        entries=[
            (
                dag_id,
                tasks[0] if len(tasks) == 1 and tasks[0] else None,
                {
                    "operation_id": operation.id,
                    "source": actor.source,
                    "tasks": tasks[:100],
                    "task_count": len(tasks),
                    "reason": operation.reason,
                    "ticket": operation.ticket,
                    "outcomes": dict(outcomes),
                },
            )
            for dag_id, tasks in sorted(applied.items())
        ],
    )
