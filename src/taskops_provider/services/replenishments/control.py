"""Pause, resume, cancel and retry a replenishment. Each is recorded and written to Airflow's audit log."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from taskops_provider.adapter import audit, backfills, runs
from taskops_provider.adapter.runs import Run
from taskops_provider.domain.progress import CellState, ReplenishmentState
from taskops_provider.exceptions import BadInput, Conflict, Forbidden
from taskops_provider.models import Replenishment, ReplenishmentCell, ReplenishmentRun
from taskops_provider.services.actor import Actor
from taskops_provider.services.locks import take_writer_lock
from taskops_provider.services.replenishments import get_replenishment, show_replenishment


class ControlVerb(StrEnum):
    """What can be done to a replenishment."""

    PAUSE = "pause"
    RESUME = "resume"
    CANCEL = "cancel"
    RETRY = "retry"


def control(
    session: Session,
    actor: Actor,
    replenishment_id: int,
    verb: ControlVerb,
    now: datetime,
    *,
    end_running: bool = False,
    reason: str | None = None,
) -> dict[str, Any]:
    """Do it, and return the replenishment as it is then. The caller commits.

    :param end_running: cancel: end the instances that run, in place of leaving them to their end
    :raises NotFound: when there is no such replenishment, or it may not be seen
    :raises Forbidden: where the actor may not edit one of its Dags
    :raises Conflict: when its state does not allow it
    :raises BadInput: for ``end_running`` with another verb than cancel
    """
    if end_running and verb is not ControlVerb.CANCEL:
        raise BadInput(f"ending what runs goes with cancel, not with {verb.value}")
    take_writer_lock(session, actor.name)
    replenishment = get_replenishment(session, actor, replenishment_id)
    dag_ids = set(
        session.scalars(
            select(ReplenishmentRun.dag_id).where(ReplenishmentRun.replenishment_id == replenishment_id).distinct()
        )
    )
    if dag_ids - actor.permissions.editable(dag_ids):
        raise Forbidden(f"replenishment {replenishment_id} has Dags that you may not edit")
    _check(replenishment, verb)
    before = replenishment.state
    if verb is ControlVerb.CANCEL:
        _cancel(session, replenishment, now, end_running=end_running)
    else:
        _ACTIONS[verb](session, replenishment)
    audit.write(
        session,
        event=f"taskops.replenishment_{verb.value}",
        actor=actor.name,
        at=now,
        entries=[
            (
                dag_id,
                None,
                {
                    "replenishment_id": replenishment_id,
                    "source": actor.source,
                    "before": before,
                    "reason": reason,
                },
            )
            for dag_id in sorted(dag_ids)
        ],
    )
    session.flush()
    return show_replenishment(session, actor, replenishment_id, now)


#: verb -> what a replenishment has to be
APPLIES_TO: dict[ControlVerb, str] = {
    ControlVerb.PAUSE: "queued or running",
    ControlVerb.RESUME: "paused",
    ControlVerb.CANCEL: "queued, running or paused",
    ControlVerb.RETRY: "over",
}
_STATES = {
    ControlVerb.PAUSE: (ReplenishmentState.QUEUED, ReplenishmentState.RUNNING),
    ControlVerb.RESUME: (ReplenishmentState.PAUSED,),
    ControlVerb.CANCEL: (ReplenishmentState.QUEUED, ReplenishmentState.RUNNING, ReplenishmentState.PAUSED),
}


def applies(verb: ControlVerb, state: str, *, has_ended: bool) -> bool:
    """Whether something can be done to a replenishment in its state; retry needs a cell that failed as well."""
    return has_ended if verb is ControlVerb.RETRY else state in _STATES[verb]


def controllable(session: Session, actor: Actor, ids: Collection[int]) -> set[int]:
    """Return those of some replenishments that the actor may control: all of whose Dags they may edit. One query."""
    dag_ids: dict[int, set[str]] = defaultdict(set)
    query = select(ReplenishmentRun.replenishment_id, ReplenishmentRun.dag_id).distinct()
    for key, dag_id in session.execute(query.where(ReplenishmentRun.replenishment_id.in_(ids))):
        dag_ids[key].add(dag_id)
    editable = actor.permissions.editable(set().union(*dag_ids.values()))
    return {key for key, of in dag_ids.items() if of <= editable}


def _check(replenishment: Replenishment, verb: ControlVerb) -> None:
    if not applies(verb, replenishment.state, has_ended=replenishment.ended_at is not None):
        raise Conflict(
            f"replenishment {replenishment.id} is {replenishment.state}; {verb.value} applies to those that are "
            f"{APPLIES_TO[verb]}"
        )


def _pause(session: Session, replenishment: Replenishment) -> None:
    replenishment.state = ReplenishmentState.PAUSED.value


def _resume(session: Session, replenishment: Replenishment) -> None:
    started = replenishment.started_at is not None
    replenishment.state = (ReplenishmentState.RUNNING if started else ReplenishmentState.QUEUED).value


def _retry(session: Session, replenishment: Replenishment) -> None:
    """Let the failed cells execute again, in the runs in which they failed or which were never made."""
    again = (CellState.FAILED.value, CellState.CANCELLED.value)
    first_wave = (
        select(ReplenishmentCell.of_run_id, func.min(ReplenishmentCell.wave).label("wave"))
        .where(ReplenishmentCell.replenishment_id == replenishment.id, ReplenishmentCell.state.in_(again))
        .group_by(ReplenishmentCell.of_run_id)
    )
    waves = {row.of_run_id: row.wave for row in session.execute(first_wave)}
    if not waves:
        raise Conflict(f"replenishment {replenishment.id} has no cell that failed")
    query = select(ReplenishmentRun).where(ReplenishmentRun.replenishment_id == replenishment.id)
    for run in session.scalars(query):
        if run.id in waves:
            run.state, run.wave, run.backfill_id = "waiting", waves[run.id], None
    session.execute(
        update(ReplenishmentCell)
        .where(ReplenishmentCell.replenishment_id == replenishment.id, ReplenishmentCell.state.in_(again))
        .values(state=CellState.WAITING.value)
        .execution_options(synchronize_session=False)
    )
    replenishment.state, replenishment.ended_at = ReplenishmentState.RUNNING.value, None


def _cancel(session: Session, replenishment: Replenishment, now: datetime, *, end_running: bool) -> None:
    replenishment.state = ReplenishmentState.CANCELLED.value
    query = select(ReplenishmentRun).where(
        ReplenishmentRun.replenishment_id == replenishment.id, ReplenishmentRun.state.in_(("waiting", "active"))
    )
    found = list(session.scalars(query))
    active = [run for run in found if run.state == "active"]
    states = backfills.run_states(session, [Run(run.dag_id, run.run_id or "") for run in active])
    unstarted = [run for run in active if run.backfill_id and states.get(Run(run.dag_id, run.run_id or "")) == "queued"]
    made = {run.backfill_id for run in active if run.backfill_id is not None}
    if made:
        backfills.cancel_backfills(session, [key for key in made if key is not None], now)
    never = [run for run in found if run.state == "waiting"] + unstarted
    for run in never:
        run.state = "cancelled"
    if end_running:
        _end_running(session, [run for run in active if run.state == "active"], now)
    session.flush()
    cells = (CellState.WAITING.value, CellState.ACTIVE.value)
    ids = [run.id for run in never]
    for start in range(0, len(ids), 500):
        session.execute(
            update(ReplenishmentCell)
            .where(ReplenishmentCell.of_run_id.in_(ids[start : start + 500]), ReplenishmentCell.state.in_(cells))
            .values(state=CellState.CANCELLED.value)
            .execution_options(synchronize_session=False)
        )
    # later waves of what runs
    session.execute(
        update(ReplenishmentCell)
        .where(
            ReplenishmentCell.replenishment_id == replenishment.id,
            ReplenishmentCell.state == CellState.WAITING.value,
        )
        .values(state=CellState.CANCELLED.value)
        .execution_options(synchronize_session=False)
    )


def _end_running(session: Session, active: list[ReplenishmentRun], now: datetime) -> None:
    for run in active:
        query = select(ReplenishmentCell.task_id).where(
            ReplenishmentCell.of_run_id == run.id, ReplenishmentCell.state == CellState.ACTIVE.value
        )
        ids = backfills.unfinished_ids(session, run.dag_id, [run.run_id or ""], list(session.scalars(query)))
        runs.end_all(session, ids, "failed", now)


_ACTIONS: dict[ControlVerb, Callable[[Session, Replenishment], None]] = {
    ControlVerb.PAUSE: _pause,
    ControlVerb.RESUME: _resume,
    ControlVerb.RETRY: _retry,
}
