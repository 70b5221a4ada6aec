"""Pause, resume, cancel and retry a replenishment. Each is recorded and written to Airflow's audit log."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from sqlalchemy import and_, case, func, select, update
from sqlalchemy.orm import Session

from taskops_provider.adapter import audit
from taskops_provider.adapter.backfills import run_states
from taskops_provider.adapter.runs import Run
from taskops_provider.domain.cells import CellClass
from taskops_provider.domain.chunks import chunks
from taskops_provider.domain.progress import CellState, ReplenishmentState
from taskops_provider.domain.replenishment_run import RunEvent, RunState
from taskops_provider.exceptions import BadInput, Conflict, Forbidden
from taskops_provider.models import Replenishment, ReplenishmentCell, ReplenishmentRun
from taskops_provider.services.replenishments.create import get_replenishment, refuse_too_many, show_replenishment
from taskops_provider.services.replenishments.progress import ReplenishmentDetails
from taskops_provider.services.replenishments.run_rows import move
from taskops_provider.services.replenishments.schedule import is_held
from taskops_provider.services.replenishments.stop_runs import cancel_runs, pause_runs, resume_runs
from taskops_provider.services.shared.actor import NEEDS, Actor, replenishable
from taskops_provider.services.shared.locks import lock_if_allowed
from taskops_provider.services.shared.retries import retried
from taskops_provider.services.windows.in_force import frozen


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
    :raises Forbidden: where the actor may not do that to one of its Dags, see :class:`Rights`
    :raises Conflict: when its state does not allow it; for retry, if too many of whose it is have not ended
    :raises BadInput: for ``end_running`` with another verb than cancel
    """
    if end_running and verb is not ControlVerb.CANCEL:
        raise BadInput(f"ending what runs goes with cancel, not with {verb.value}")

    def look() -> tuple[Replenishment, Rights]:
        replenishment = get_replenishment(session, actor, replenishment_id)
        rights = rights_to_control(session, actor, [replenishment_id])[replenishment_id]
        rights.refuse(verb, end_running=end_running)
        _check(replenishment, verb)
        _refuse_frozen(session, actor, rights, verb, now)
        return replenishment, rights

    replenishment, rights = lock_if_allowed(session, actor.name, look)
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
            for dag_id in sorted(rights.dag_ids)
        ],
    )
    session.flush()
    return show_replenishment(session, actor, replenishment_id, now)


#: what has runs created and instances cleared
_EXECUTES = frozenset({ControlVerb.RESUME, ControlVerb.RETRY})
#: what takes back cells that were cleared in existing runs
_TAKES_BACK = frozenset({ControlVerb.PAUSE, ControlVerb.CANCEL})
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


class _Scope(NamedTuple):
    """The Dags of a replenishment, and those in whose existing runs it has cleared cells that have not ended."""

    dag_ids: set[str]
    cleared: set[str]


class _Allowed(NamedTuple):
    """Of the Dags of some replenishments, those in which the actor may do what."""

    editable: set[str]
    replenishable: set[str]
    runs_changeable: set[str]
    instances_changeable: set[str]


class Rights:
    """What the actor may do to one replenishment: Airflow asks the same rights for the same acts, on each of its Dags.

    Every verb changes runs, as pausing or cancelling a backfill does. Pause and cancel take back cells that were
    cleared in existing runs: that changes task instances.
    """

    def __init__(self, replenishment_id: int, scope: _Scope, allowed: _Allowed):
        self._id = replenishment_id
        self.dag_ids, self._cleared = scope
        self._allowed = allowed

    def may(self, verb: ControlVerb, *, end_running: bool = False) -> bool:
        """Whether the actor may do that."""
        return not self._lacks(verb, end_running=end_running)

    def refuse(self, verb: ControlVerb, *, end_running: bool = False) -> None:
        """Refuse what the actor may not do.

        :raises Forbidden: with what they lack
        """
        if lacks := self._lacks(verb, end_running=end_running):
            raise Forbidden(f"replenishment {self._id} has {lacks}")

    def _lacks(self, verb: ControlVerb, *, end_running: bool) -> str:
        dag_ids, allowed = self.dag_ids, self._allowed
        if not dag_ids <= allowed.editable:
            return "Dags that you may not edit"
        if verb in _EXECUTES and not dag_ids <= allowed.replenishable:
            return f"Dags that you may not replenish: {NEEDS}"
        if not dag_ids <= allowed.runs_changeable:
            return "Dags whose runs you may not change"
        if verb in _TAKES_BACK and not self._cleared <= allowed.instances_changeable:
            return "cleared cells in runs of Dags whose task instances you may not change"
        if end_running and not dag_ids <= allowed.instances_changeable:
            return "Dags whose task instances you may not end"
        return ""


def rights_to_control(session: Session, actor: Actor, ids: Collection[int]) -> Mapping[int, Rights]:
    """Return what the actor may do to each of some replenishments. One query."""
    scopes = _scopes(session, ids)
    may = actor.permissions
    # who may not edit a Dag may do nothing with its runs; nobody needs to be asked
    editable = may.editable(set().union(*(scope.dag_ids for scope in scopes.values())))
    allowed = _Allowed(
        editable,
        replenishable(actor, editable),
        {dag_id for dag_id in editable if may.may_change_runs(dag_id)},
        {dag_id for dag_id in editable if may.may_change_instances(dag_id)},
    )
    return {key: Rights(key, scopes[key], allowed) for key in ids}


def _scopes(session: Session, ids: Collection[int]) -> defaultdict[int, _Scope]:
    run = ReplenishmentRun
    was_cleared = case((and_(run.state == RunState.ACTIVE, run.backfill_id.is_(None)), 1), else_=0)
    query = (
        select(run.replenishment_id, run.dag_id, func.max(was_cleared))
        .where(run.replenishment_id.in_(ids))
        .group_by(run.replenishment_id, run.dag_id)
    )
    found: defaultdict[int, _Scope] = defaultdict(lambda: _Scope(set(), set()))
    for key, dag_id, has_cleared in session.execute(query):
        found[key].dag_ids.add(dag_id)
        if has_cleared:
            found[key].cleared.add(dag_id)
    return found


def _refuse_frozen(session: Session, actor: Actor, rights: Rights, verb: ControlVerb, now: datetime) -> None:
    if stopped := frozen(session, actor, [(dag_id, "") for dag_id in sorted(rights.dag_ids)], now):
        (dag_id, _), why = min(stopped.items())
        raise Conflict(f"{verb.value} is refused: {dag_id} is {why}")


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
