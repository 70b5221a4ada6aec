"""Create a replenishment, read how far it is (requirements 6). The monitor executes it: ``replenishments.execute``."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Select, func, insert, select
from sqlalchemy.orm import Session

from taskops_provider.adapter import backfills
from taskops_provider.domain.answers import Json, copy_as, to_plain_data
from taskops_provider.domain.cells import CellClass, roles, waves
from taskops_provider.domain.operations.outcomes import OperationOutcome, Outcome
from taskops_provider.domain.operations.plan import Item
from taskops_provider.domain.progress import CellState, ReplenishmentState
from taskops_provider.domain.replenishment import IfBusy, ReplenishmentRequest, WaitFor
from taskops_provider.exceptions import BadInput, Conflict, ResourceNotFound
from taskops_provider.models import (
    Operation,
    Replenishment,
    ReplenishmentCell,
    ReplenishmentRole,
    ReplenishmentRun,
)
from taskops_provider.services.gate.whose_pause import paused_or_woken_dags, user_paused_dags
from taskops_provider.services.replenishments.fingerprint import refuse_changed
from taskops_provider.services.replenishments.plan import CLASSES, Grid, ReplenishmentPlan, plan_replenishment
from taskops_provider.services.replenishments.progress import (
    VERB,
    CreatedReplenishment,
    ReplenishmentDetails,
    ReplenishmentProgress,
    read_progress,
    workflow_progress,
)
from taskops_provider.services.replenishments.recorded import RecordedInputs
from taskops_provider.services.replenishments.targets import may_be_planned
from taskops_provider.services.shared.actor import MONITOR, Actor
from taskops_provider.services.shared.locks import take_writer_lock
from taskops_provider.services.shared.recording import record_items, write_audit
from taskops_provider.services.shared.retries import retried
from taskops_provider.services.windows.in_force import frozen

#: replenishments that one person may have that have not ended
MAX_UNFINISHED = 50


@retried
def create_replenishment(
    session: Session, actor: Actor, request: ReplenishmentRequest, now: datetime, *, fingerprint: str = ""
) -> CreatedReplenishment:
    """Plan a replenishment, record it and queue it. The caller commits.

    :param fingerprint: of the plan that the person saw, by
        :func:`~taskops_provider.services.replenishments.fingerprint.fingerprint_of`
    :raises BadInput: as :func:`~taskops_provider.services.replenishments.plan.plan_replenishment`, and if no cell
        is to execute
    :raises ResourceNotFound: for a workflow or task that does not exist, or may not be seen
    :raises Forbidden: if the actor may not edit one that was named
    :raises Conflict: if another backfill goes on and the replenishment shall not queue, or the actor has too many
        that have not ended
    :raises PlanChanged: if the plan is not the one with the fingerprint
    """
    if not may_be_planned(actor, request):
        # so that it is refused in the words that a plan has for it, before anybody waits for it
        plan_replenishment(session, actor, request, now)
    refuse_too_many(session, actor, actor.recorded_name)
    take_writer_lock(session, actor.name)
    plan = plan_replenishment(session, actor, request, now)
    if fingerprint:
        refuse_changed(plan, fingerprint)
    if not any(any(row.executes) for grid in plan.grids for row in grid.rows):
        classes = ", ".join(sorted(request.cells))
        raise BadInput(f"nothing is to be done: the ranges hold no cell that is {classes}")
    refuse_busy(plan, busy_workflows(session, plan))
    refuse_frozen(session, actor, plan, now)
    replenishment = queue(session, actor, plan, now)
    details = show_replenishment(session, actor, replenishment.id, now)
    return copy_as(CreatedReplenishment, details, warnings=list(plan.warnings))


def queue(session: Session, actor: Actor, plan: ReplenishmentPlan, now: datetime) -> Replenishment:
    """Record a plan that executes something, and leave it to the monitor. The caller commits.

    What the monitor queues by itself is bounded by the pauses whose gaps it fills, and belongs to no person.

    :raises Conflict: if the actor has too many that have not ended
    """
    if actor is not MONITOR:
        refuse_too_many(session, actor, actor.recorded_name)
    request = plan.request
    operation = _record(session, actor, plan, now)
    seconds = plan.seconds()
    replenishment = Replenishment(
        operation_id=operation.id,
        name=request.name,
        state=ReplenishmentState.QUEUED.value,
        actor=actor.recorded_name,
        created_at=now,
        inputs=to_plain_data(RecordedInputs.of(request)),
        max_active_runs=request.max_active_runs,
        newest_first=request.newest_first,
        window=str(request.window) if request.window else None,
        conf=dict(request.conf),
        override_conf=request.override_conf,
        wait_for=request.wait_for.value,
        run_on_latest_version=request.run_on_latest_version,
        excluded=[list(target) for target in request.exclude] or None,
        estimated_seconds=None if seconds is None else round(seconds),
        wakes=sorted(_dags_to_wake(session, actor, [grid.dag_id for grid in plan.grids])),
    )
    session.add(replenishment)
    session.flush()
    operation.options = {**operation.options, "replenishment_id": replenishment.id}
    for grid in plan.grids:
        _store(session, replenishment.id, grid, request)
    return replenishment


def refuse_frozen(session: Session, actor: Actor, plan: ReplenishmentPlan, now: datetime) -> None:
    """Refuse a plan that executes something which a window freezes.

    :raises Conflict: naming the first task
    """
    executed = {(grid.dag_id, row.task_id) for grid in plan.grids for row in grid.rows if any(row.executes)}
    if stopped := frozen(session, actor, executed, now):
        dag_id, task_id = min(stopped)
        raise Conflict(f"nothing was created: {dag_id} {task_id} is {stopped[dag_id, task_id]}")


def refuse_too_many(session: Session, actor: Actor, owner: str) -> None:
    """Keep one person from filling the queue and the table of cells.

    :param owner: the recorded name of whose replenishment is about to go on, mostly the actor's own
    :raises Conflict: if too many of theirs have not ended
    """
    theirs = (Replenishment.actor == owner, Replenishment.ended_at.is_(None))
    under_way = session.scalar(select(func.count()).where(*theirs)) or 0
    if under_way >= MAX_UNFINISHED:
        # how many they are may be told to themselves alone
        whose = f"{under_way} of your" if owner == actor.recorded_name else f"too many of {owner}'s"
        raise Conflict(f"{whose} replenishments have not ended yet; wait for one of them, or cancel some")


def _dags_to_wake(session: Session, actor: Actor, dag_ids: Sequence[str]) -> set[str]:
    """Return the paused Dags that a replenishment may have unpaused meanwhile.

    The plan said so of those that are paused now; a pause that people set later is not lifted. Nobody has seen the plan
    of what happens automatically.
    """
    paused = paused_or_woken_dags(session, dag_ids)
    return paused - user_paused_dags(session, dag_ids) if actor is MONITOR else paused


def busy_workflows(session: Session, plan: ReplenishmentPlan) -> list[str]:
    """Return the ids of the Dags of a plan for which a backfill goes on, sorted. One query."""
    return sorted(backfills.busy_dags(session, [grid.dag_id for grid in plan.grids]))


def refuse_busy(plan: ReplenishmentPlan, busy: Sequence[str]) -> None:
    """Refuse a plan that shall not queue behind other backfills.

    :param busy: of :func:`busy_workflows`
    :raises Conflict: if one goes on
    """
    if busy and plan.request.if_busy is IfBusy.REFUSE:
        raise Conflict(f"another backfill of {busy[0]} goes on; wait for it, or let this one queue behind it")


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
        actor=actor.recorded_name,
        source=actor.source,
        options=to_plain_data(RecordedInputs.of(plan.request)),
        reason=plan.request.reason,
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


def _store(session: Session, replenishment_id: int, grid: Grid, request: ReplenishmentRequest) -> None:
    indexes = sorted({*grid.new_runs(), *grid.old_runs()}, reverse=request.newest_first)
    if not indexes:
        return
    executing = {row.task_id for row in grid.rows if any(row.executes[i] for i in grid.new_runs())}
    if executing:
        found = roles(executing, grid.graph.downstream, counts_as_success=grid.excluded)
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
    seen = _executions_of_done(session, grid)
    orders: dict[frozenset[str], dict[str, int]] = {}
    cells: list[Json] = []
    for ordinal, i in enumerate(indexes):
        rows = [row for row in grid.rows if row.executes[i]]
        chosen = frozenset(row.task_id for row in rows)
        if grid.runs[i] is None or request.wait_for is WaitFor.NONE:
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
                "tries": (done := _done_in(seen, grid, i, row.task_id)) and done.last_try,
                "began_at": done and done.last_begin,
            }
            for row in rows
        ]
    session.execute(insert(ReplenishmentCell), cells)


def _executions_of_done(session: Session, grid: Grid) -> dict[tuple[str, str], backfills.Executions]:
    """Return what executed of the cells that are done, and are to execute all the same, by (run id, task id).

    Who executes one before its turn has done what was asked for.
    """
    done = {
        (run.run_id, row.task_id)
        for i in grid.old_runs()
        if (run := grid.runs[i]) is not None
        for row in grid.rows
        if row.executes[i] and CLASSES[row.classes[i]] is CellClass.DONE
    }
    if not done:
        return {}
    run_ids, task_ids = sorted({run_id for run_id, _ in done}), {task_id for _, task_id in done}
    found = backfills.executions_in_runs(session, grid.dag_id, run_ids, task_ids)
    return {key: found[key] for key in done if key in found}


def _done_in(
    seen: Mapping[tuple[str, str], backfills.Executions], grid: Grid, index: int, task_id: str
) -> backfills.Executions | None:
    run = grid.runs[index]
    return None if run is None else seen.get((run.run_id, task_id))


def show_replenishment(session: Session, actor: Actor, replenishment_id: int, now: datetime) -> ReplenishmentDetails:
    """Return one replenishment with its progress, whole and by workflow.

    :raises ResourceNotFound: when there is no such replenishment, or the actor may read none of its Dags
    """
    replenishment = get_replenishment(session, actor, replenishment_id)
    progress = read_progress(session, actor, [replenishment], now)[0]
    return copy_as(ReplenishmentDetails, progress, workflows=workflow_progress(session, actor, replenishment_id))


def show_replenishments(
    session: Session, actor: Actor, ids: Collection[int], now: datetime
) -> list[ReplenishmentProgress]:
    """Return those of some replenishments that the actor may see, the newest first. A constant number of queries."""
    query = visible(select(Replenishment), actor).where(Replenishment.id.in_(ids)).order_by(Replenishment.id.desc())
    return read_progress(session, actor, session.scalars(query).all(), now)


def get_replenishment(session: Session, actor: Actor, replenishment_id: int) -> Replenishment:
    """Return one replenishment.

    :raises ResourceNotFound: when there is no such replenishment, or the actor may read none of its Dags
    """
    query = visible(select(Replenishment), actor).where(Replenishment.id == replenishment_id)
    replenishment: Replenishment | None = session.scalar(query)
    if replenishment is None:
        raise ResourceNotFound(f"replenishment {replenishment_id} does not exist")
    return replenishment


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
