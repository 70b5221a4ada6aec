"""Replenishments as every surface shows them: their progress, and only what the actor may read of them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from taskops_provider.domain.progress import CellState, ReplenishmentState, percentages
from taskops_provider.models import OperationItem, Replenishment, ReplenishmentCell, ReplenishmentRun
from taskops_provider.services.actor import Actor

#: of the record of a replenishment
VERB = "replenish"


def cell_counts(session: Session, ids: Collection[int]) -> dict[int, dict[str, int]]:
    """Count the cells of replenishments by state."""
    query = (
        select(ReplenishmentCell.replenishment_id, ReplenishmentCell.state, func.count())
        .where(ReplenishmentCell.replenishment_id.in_(ids))
        .group_by(ReplenishmentCell.replenishment_id, ReplenishmentCell.state)
    )
    counts: dict[int, dict[str, int]] = defaultdict(dict)
    for key, state, number in session.execute(query):
        counts[key][state] = number
    return counts


def shown(session: Session, actor: Actor, found: Collection[Replenishment], now: datetime) -> list[dict[str, Any]]:
    """Return replenishments as JSON. Two queries, whatever their number and size."""
    states: dict[int, Counter[str]] = defaultdict(Counter)
    classes: dict[int, Counter[str]] = defaultdict(Counter)
    for key, was, state, number in session.execute(_cells(actor, [one.id for one in found])):
        states[key][state] += number
        classes[key][was] += number
    names = _default_names(session, actor, [one.operation_id for one in found if not one.name])
    return [
        _json(one, actor, names.get(one.operation_id, f"replenishment {one.id}"), states[one.id], classes[one.id], now)
        for one in found
    ]


def _cells(actor: Actor, ids: Collection[int]) -> Select[int, str, str, int]:
    """Count cells by class and state: those of Dags that the actor may read."""
    cell = ReplenishmentCell
    query = (
        select(cell.replenishment_id, cell.was, cell.state, func.count())
        .where(cell.replenishment_id.in_(ids))
        .group_by(cell.replenishment_id, cell.was, cell.state)
    )
    readable = actor.permissions.readable()
    if readable is None:
        return query
    return query.join(ReplenishmentRun, ReplenishmentRun.id == cell.of_run_id).where(
        ReplenishmentRun.dag_id.in_(sorted(readable))
    )


def _default_names(session: Session, actor: Actor, operation_ids: Collection[int]) -> dict[int, str]:
    """Name those to which nobody gave a name by the Dags in their records that the actor may read."""
    if not operation_ids:
        return {}
    query = (
        select(OperationItem.operation_id, func.min(OperationItem.dag_id), func.count(OperationItem.dag_id.distinct()))
        .where(OperationItem.operation_id.in_(operation_ids))
        .group_by(OperationItem.operation_id)
    )
    readable = actor.permissions.readable()
    if readable is not None:
        query = query.where(OperationItem.dag_id.in_(sorted(readable)))
    return {
        key: dag_id + (f" and {number - 1} more" if number > 1 else "")
        for key, dag_id, number in session.execute(query)
    }


def readable_inputs(actor: Actor, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Return inputs, or options of a record that are like them, without targets in Dags that the actor may not read."""
    return {
        **inputs,
        "workflows": [dag_id for dag_id in inputs["workflows"] if actor.may_read(dag_id)],
        "tasks": [task for task in inputs["tasks"] if actor.may_read(task["dag_id"])],
    }


def _json(
    one: Replenishment, actor: Actor, name: str, states: Counter[str], classes: Counter[str], now: datetime
) -> dict[str, Any]:
    shares = percentages(states)
    return {
        "replenishment_id": one.id,
        "operation_id": one.operation_id,
        "name": one.name or name,
        "state": one.state,
        **shares,
        "eta": _eta(one, shares["percent_complete"], now),
        "counts": {"by_class": dict(classes), "by_state": {state.value: states.get(state, 0) for state in CellState}},
        "actor": one.actor,
        "created_at": one.created_at,
        "started_at": one.started_at,
        "ended_at": one.ended_at,
        "inputs": readable_inputs(actor, one.inputs),
    }


def _eta(one: Replenishment, percent: float, now: datetime) -> datetime | None:
    """When it is likely to end: by how it went so far, before that by the plan's estimate."""
    if one.state not in (ReplenishmentState.QUEUED, ReplenishmentState.RUNNING):
        return None
    if one.started_at and percent >= 1:
        left = (now - one.started_at) * ((100 - percent) / percent)
    elif one.estimated_seconds is not None:
        left = timedelta(seconds=one.estimated_seconds)
    else:
        return None
    return (now + left).replace(microsecond=0)


def by_workflow(session: Session, actor: Actor, replenishment_id: int) -> list[dict[str, Any]]:
    """Return the progress of each workflow of a replenishment that the actor may read. One query."""
    query = (
        select(ReplenishmentRun.dag_id, ReplenishmentCell.state, func.count())
        .join(ReplenishmentCell, ReplenishmentCell.of_run_id == ReplenishmentRun.id)
        .where(ReplenishmentRun.replenishment_id == replenishment_id)
        .group_by(ReplenishmentRun.dag_id, ReplenishmentCell.state)
    )
    counts: dict[str, dict[str, int]] = defaultdict(dict)
    for dag_id, state, number in session.execute(query):
        if actor.may_read(dag_id):
            counts[dag_id][state] = number
    return [{"dag_id": dag_id, **percentages(of), "by_state": of} for dag_id, of in sorted(counts.items())]
