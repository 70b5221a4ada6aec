"""Pause, resume, cancel and retry a replenishment. Each is recorded and written to Airflow's audit log."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection
from datetime import datetime
from enum import StrEnum

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from taskops_provider.adapter import audit
from taskops_provider.adapter.backfills import run_states
from taskops_provider.adapter.runs import Run
from taskops_provider.domain.cells import CellClass
from taskops_provider.domain.chunks import chunks
from taskops_provider.domain.progress import CellState, ReplenishmentState
from taskops_provider.domain.replenishment_run import RunEvent
from taskops_provider.exceptions import BadInput, Conflict, Forbidden
from taskops_provider.models import Replenishment, ReplenishmentCell, ReplenishmentRun
from taskops_provider.services.replenishments.create import get_replenishment, refuse_too_many, show_replenishment
from taskops_provider.services.replenishments.progress import ReplenishmentDetails
from taskops_provider.services.replenishments.run_rows import move
from taskops_provider.services.replenishments.schedule import is_held
from taskops_provider.services.replenishments.stop_runs import cancel_runs, pause_runs, resume_runs
from taskops_provider.services.shared.actor import NEEDS, Actor, replenishable
from taskops_provider.services.shared.locks import take_writer_lock
from taskops_provider.services.shared.retries import retried


class ControlVerb(StrEnum):
    """What can be done to a replenishment."""

    PAUSE = "pause"
    RESUME = "resume"
    CANCEL = "cancel"
    RETRY = "retry"


@retried
def control_replenishment(
    session: Session,
    actor: Actor,
    replenishment_id: int,
    verb: ControlVerb,
    now: datetime,
    *,
    end_running: bool = False,
    reason: str | None = None,
) -> ReplenishmentDetails:
    """Pause, resume, cancel or retry a replenishment, and return it as it is then. The caller commits.

    :param end_running: cancel: end the running instances instead of leaving them to their end
    :raises ResourceNotFound: when there is no such replenishment, or it may not be seen
    :raises Forbidden: where the actor may not edit one of its Dags
    :raises Conflict: when its state does not allow it; for retry, if too many of whose it is have not ended
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
    if verb in _EXECUTES and dag_ids - replenishable(actor, dag_ids):
        raise Forbidden(f"replenishment {replenishment_id} has Dags that you may not replenish: {NEEDS}")
    if end_running and not all(map(actor.permissions.may_change_instances, dag_ids)):
        raise Forbidden(f"replenishment {replenishment_id} has Dags whose task instances you may not end")
    _check(replenishment, verb)
    if verb is ControlVerb.RETRY:
        # one that is over goes on again, and counts as one more
        refuse_too_many(session, actor, replenishment.actor)
    before = replenishment.state
    if verb is ControlVerb.CANCEL:
        replenishment.state = ReplenishmentState.CANCELLED.value
        cancel_runs(session, replenishment, now, end_running=end_running)
    else:
        _ACTIONS[verb](session, replenishment, now)
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


#: what has runs created and instances cleared
_EXECUTES = frozenset({ControlVerb.RESUME, ControlVerb.RETRY})
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


def _pause(session: Session, replenishment: Replenishment, now: datetime) -> None:
    replenishment.state = ReplenishmentState.PAUSED.value
    pause_runs(session, replenishment, now)


def _resume(session: Session, replenishment: Replenishment, now: datetime) -> None:
    started = replenishment.started_at is not None
    replenishment.state = (ReplenishmentState.RUNNING if started else ReplenishmentState.QUEUED).value
    if not is_held(replenishment, now):
        resume_runs(session, replenishment)


def _retry(session: Session, replenishment: Replenishment, now: datetime) -> None:
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
    for chunk in chunks(waves):
        runs = session.scalars(select(ReplenishmentRun).where(ReplenishmentRun.id.in_(chunk))).all()
        there = run_states(session, [Run(run.dag_id, run.run_id) for run in runs if run.run_id is not None])
        planned = _planned_to_be_created(session, chunk)
        for run in runs:
            move(run, RunEvent.RETRY)
            run.wave, run.backfill_id = waves[run.id], None
            if run.id in planned and Run(run.dag_id, run.run_id or "") not in there:
                run.run_id = None  # it is created again
    session.execute(
        update(ReplenishmentCell)
        .where(ReplenishmentCell.replenishment_id == replenishment.id, ReplenishmentCell.state.in_(again))
        .values(state=CellState.WAITING.value)
        .execution_options(synchronize_session=False)
    )
    replenishment.state, replenishment.ended_at, replenishment.problem = ReplenishmentState.RUNNING.value, None, None


def _planned_to_be_created(session: Session, run_ids: Collection[int]) -> set[int]:
    """Return those of some runs that were not there when the replenishment was planned."""
    cell = ReplenishmentCell
    query = select(cell.of_run_id).where(cell.of_run_id.in_(run_ids), cell.was == CellClass.NO_RUN.value)
    return set(session.scalars(query.distinct()))


_ACTIONS: dict[ControlVerb, Callable[[Session, Replenishment, datetime], None]] = {
    ControlVerb.PAUSE: _pause,
    ControlVerb.RESUME: _resume,
    ControlVerb.RETRY: _retry,
}
