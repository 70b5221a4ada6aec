"""Create a replenishment, and see how it goes (SPEC 6). The monitor executes it: ``services.replenishment_feed``."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import Select, insert, select
from sqlalchemy.orm import Session

from taskops_provider.adapter import backfills
from taskops_provider.domain.cells import roles, waves
from taskops_provider.domain.operations import Item, OperationOutcome, Outcome
from taskops_provider.domain.progress import CellState, ReplenishmentState
from taskops_provider.domain.replenishment import Asked
from taskops_provider.exceptions import BadInput, Conflict, NotFound
from taskops_provider.models import (
    Operation,
    Replenishment,
    ReplenishmentCell,
    ReplenishmentRole,
    ReplenishmentRun,
)
from taskops_provider.services.actor import Actor
from taskops_provider.services.locks import take_writer_lock
from taskops_provider.services.recording import record_items, write_audit
from taskops_provider.services.replenishment_plan import CLASSES, Grid, ReplenishmentPlan, plan_replenishment
from taskops_provider.services.replenishment_seen import refuse_changed
from taskops_provider.services.replenishment_shown import VERB, by_workflow, shown


def create_replenishment(
    session: Session, actor: Actor, asked: Asked, now: datetime, *, seen: str = ""
) -> dict[str, Any]:
    """Plan a replenishment, record it and queue it; return it as :func:`show_replenishment` does. The caller commits.

    :param seen: the plan that the person saw, by :func:`~taskops_provider.services.replenishment_seen.remember`
    :raises BadInput: as :func:`~taskops_provider.services.replenishment_plan.plan_replenishment`, and where no cell
        is to execute
    :raises NotFound: for a workflow or task that does not exist, or may not be seen
    :raises Forbidden: where the actor may not edit one that was named
    :raises Conflict: where another backfill goes on and it is not to queue
    :raises PlanChanged: where the plan is not the one that was seen
    """
    take_writer_lock(session, actor.name)
    plan = plan_replenishment(session, actor, asked, now)
    if seen:
        refuse_changed(plan, seen)
    if not any(any(row.executes) for grid in plan.grids for row in grid.rows):
        classes = ", ".join(sorted(wanted.value for wanted in asked.wanted))
        raise BadInput(f"nothing is to be done: the ranges hold no cell that is {classes}")
    if not asked.queues:
        _refuse_busy(session, plan)
    replenishment = queue(session, actor, plan, now)
    return show_replenishment(session, actor, replenishment.id, now) | {"warnings": plan.warnings}


def queue(session: Session, actor: Actor, plan: ReplenishmentPlan, now: datetime) -> Replenishment:
    """Record a plan that executes something, and leave it to the monitor. The caller commits."""
    asked = plan.asked
    operation = _record(session, actor, plan, now)
    seconds = plan.seconds()
    replenishment = Replenishment(
        operation_id=operation.id,
        name=asked.name,
        state=ReplenishmentState.QUEUED.value,
        actor=actor.name[:250],
        created_at=now,
        inputs=inputs_json(asked),
        max_active_runs=asked.max_active_runs,
        newest_first=asked.newest_first,
        window=str(asked.window) if asked.window else None,
        conf=dict(asked.conf),
        estimated_seconds=None if seconds is None else round(seconds),
    )
    session.add(replenishment)
    session.flush()
    operation.options = {**operation.options, "replenishment_id": replenishment.id}
    for grid in plan.grids:
        _store(session, replenishment.id, grid, newest_first=asked.newest_first)
    return replenishment


def busy_workflows(session: Session, plan: ReplenishmentPlan) -> list[str]:
    """Return the ids of the Dags of a plan for which a backfill goes on, sorted. One query."""
    return sorted(backfills.busy_dags(session, [grid.dag_id for grid in plan.grids]))


def _refuse_busy(session: Session, plan: ReplenishmentPlan) -> None:
    if busy := busy_workflows(session, plan):
        raise Conflict(f"another backfill of {busy[0]} goes on; wait for it, or let this one queue behind it")


def inputs_json(asked: Asked) -> dict[str, Any]:
    """The inputs as every surface shows them."""
    return {
        "workflows": list(asked.workflows),
        "tasks": [{"dag_id": target.dag_id, "task_id": target.task_id} for target in asked.tasks],
        "upstream": asked.upstream,
        "downstream": asked.downstream,
        "ranges": [{"from": one.first.isoformat(), "to": one.last.isoformat()} for one in asked.ranges],
        "cells": sorted(wanted.value for wanted in asked.wanted),
        "max_active_runs": asked.max_active_runs,
        "newest_first": asked.newest_first,
        "window": str(asked.window) if asked.window else None,
        "conf": dict(asked.conf),
        "reason": asked.reason,
    }


def _record(session: Session, actor: Actor, plan: ReplenishmentPlan, now: datetime) -> Operation:
    items = [
        Item(grid.dag_id, row.task_id, Outcome.APPLIED if any(row.executes) else Outcome.LEFT_ALONE)
        for grid in plan.grids
        for row in grid.rows
    ]
    applied = sum(item.outcome is Outcome.APPLIED for item in items)
    operation = Operation(
        verb=VERB,
        scope="task",
        at=now,
        actor=actor.name[:250],
        source=actor.source,
        options=inputs_json(plan.asked),
        reason=plan.asked.reason,
        ticket=None,
        outcome=(OperationOutcome.SUCCESS if applied == len(items) else OperationOutcome.PART_SUCCESS).value,
        applied=applied,
        left_alone=len(items) - applied,
        blocked=0,
    )
    session.add(operation)
    session.flush()
    record_items(session, operation.id, items)
    write_audit(session, actor, VERB, operation, items, now)
    return operation


def _store(session: Session, replenishment_id: int, grid: Grid, *, newest_first: bool) -> None:
    indexes = sorted({*grid.new_runs(), *grid.old_runs()}, reverse=newest_first)
    if not indexes:
        return
    executing = {row.task_id for row in grid.rows if any(row.executes[i] for i in grid.new_runs())}
    if executing:
        found = roles(executing, grid.graph.downstream)
        session.execute(
            insert(ReplenishmentRole),
            [
                {"replenishment_id": replenishment_id, "dag_id": grid.dag_id, "task_id": task_id, "role": role.value}
                for task_id, role in found.items()
            ],
        )
    runs = [
        {
            "replenishment_id": replenishment_id,
            "dag_id": grid.dag_id,
            "run_id": run.run_id if (run := grid.runs[i]) else None,
            "logical_date": grid.cycles[i].logical_date,
            "interval_start": grid.cycles[i].start,
            "interval_end": grid.cycles[i].end,
            "run_after": grid.cycles[i].run_after,
            "stage": grid.stage,
            "ordinal": ordinal,
            "wave": 0,
            "state": "waiting",
        }
        for ordinal, i in enumerate(indexes)
    ]
    session.execute(insert(ReplenishmentRun), runs)
    ids = {
        ordinal: key
        for key, ordinal in session.execute(
            select(ReplenishmentRun.id, ReplenishmentRun.ordinal).where(
                ReplenishmentRun.replenishment_id == replenishment_id, ReplenishmentRun.dag_id == grid.dag_id
            )
        )
    }
    orders: dict[frozenset[str], dict[str, int]] = {}
    cells: list[dict[str, Any]] = []
    for ordinal, i in enumerate(indexes):
        rows = [row for row in grid.rows if row.executes[i]]
        chosen = frozenset(row.task_id for row in rows)
        if grid.runs[i] is None:
            order = dict.fromkeys(chosen, 0)
        else:
            order = orders.setdefault(chosen, waves(chosen, grid.graph.downstream))
        cells += [
            {
                "replenishment_id": replenishment_id,
                "of_run_id": ids[ordinal],
                "task_id": row.task_id,
                "was": CLASSES[row.classes[i]].value,
                "wave": order[row.task_id],
                "state": CellState.WAITING.value,
            }
            for row in rows
        ]
    session.execute(insert(ReplenishmentCell), cells)


def show_replenishment(session: Session, actor: Actor, replenishment_id: int, now: datetime) -> dict[str, Any]:
    """Return one replenishment with its progress, whole and by workflow.

    :raises NotFound: when there is no such replenishment, or the actor may read none of its Dags
    """
    replenishment = get_replenishment(session, actor, replenishment_id)
    return shown(session, actor, [replenishment], now)[0] | {"workflows": by_workflow(session, actor, replenishment_id)}


def show_some(session: Session, actor: Actor, ids: Collection[int], now: datetime) -> list[dict[str, Any]]:
    """Return those of some replenishments that the actor may see, the newest first. A constant number of queries."""
    query = visible(select(Replenishment), actor).where(Replenishment.id.in_(ids)).order_by(Replenishment.id.desc())
    return shown(session, actor, session.scalars(query).all(), now)


def get_replenishment(session: Session, actor: Actor, replenishment_id: int) -> Replenishment:
    """Return one replenishment.

    :raises NotFound: when there is no such replenishment, or the actor may read none of its Dags
    """
    found = session.scalar(visible(select(Replenishment), actor).where(Replenishment.id == replenishment_id))
    if found is None:
        raise NotFound(f"replenishment {replenishment_id} does not exist")
    return found


def visible(query: Select[Any], actor: Actor) -> Select[Any]:
    """Keep the replenishments of which the actor may read a Dag."""
    readable = actor.permissions.readable()
    if readable is None:
        return query
    return query.where(
        Replenishment.id.in_(
            select(ReplenishmentRun.replenishment_id).where(ReplenishmentRun.dag_id.in_(sorted(readable)))
        )
    )
