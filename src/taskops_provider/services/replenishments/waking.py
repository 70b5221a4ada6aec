"""Paused Dags that a replenishment needs: which it may unpause for itself, and when they are paused again."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from taskops_provider.adapter import backfills, dag_state
from taskops_provider.adapter.runs import Run
from taskops_provider.domain.replenishment_run import RunState
from taskops_provider.models import Replenishment, ReplenishmentRun, Workflow
from taskops_provider.services.gate import whose_pause
from taskops_provider.services.gate.draining import hold_back_new_runs
from taskops_provider.services.replenishments.run_rows import open_replenishments
from taskops_provider.services.replenishments.schedule import is_held
from taskops_provider.services.shared.actor import MONITOR

_PAUSED_SINCE = "was paused in Airflow after this replenishment was created"


def sync_user_pauses(session: Session, now: datetime) -> bool:
    """See what people did with the pauses of Dags; tell whether anything changed. The caller commits.

    A pause that was set after a replenishment was created is none that its plan spoke of: it is not lifted.
    """
    by_hand = whose_pause.adopt_manual_pauses(session)
    whose_pause.forget_lifted_pauses(session)
    changed = bool(by_hand)
    going_on = session.scalars(open_replenishments()).all()
    known = {replenishment.id: _wakes(replenishment) for replenishment in going_on}
    all_wakes = {dag_id for wakes in known.values() for dag_id in wakes or ()}
    paused = whose_pause.paused_or_woken_dags(session, all_wakes) if all_wakes else set()
    for replenishment in going_on:
        wakes = known[replenishment.id]
        left = None if wakes is None else sorted((wakes & paused) - by_hand)
        if wakes is not None and left != sorted(wakes):
            replenishment.wakes = left
            changed = True
        elif wakes is None and by_hand:
            replenishment.wakes = []
            changed = True
    return changed


def ensure_unpaused(session: Session, replenishment: Replenishment, dag_id: str, now: datetime) -> str | None:
    """Have a Dag unpaused for a replenishment; return why that cannot be, None if its runs go on.

    Locks the Dag: lock runs before. The caller commits.
    """
    dag_state.lock_dags(session, [dag_id])
    if dag_state.is_stale(session, dag_id):
        return f"no Dag file has {dag_id} any more"
    if not dag_state.paused_dags(session, [dag_id]):
        return None
    is_theirs = bool(whose_pause.user_paused_dags(session, [dag_id]))
    wakes = _wakes(replenishment)
    if is_theirs and wakes is not None and dag_id not in wakes:
        since = "is paused in Airflow" if replenishment.actor == MONITOR.name else _PAUSED_SINCE
        return f"{dag_id} {since}; unpause it to go on"
    whose_pause.unpause_temporarily(session, dag_id, now)
    return None


def _wakes(replenishment: Replenishment) -> set[str] | None:
    """The paused Dags that a replenishment may wake, None if that is any. What cannot be read is none."""
    kept = replenishment.wakes
    if kept is None:
        return None
    return {dag_id for dag_id in kept if isinstance(dag_id, str)} if isinstance(kept, list) else set()


def repause_idle_dags(session: Session, now: datetime) -> bool:
    """Pause the woken Dags again of which no replenishment executes anything; tell whether there were any.

    Where one does, Airflow's plan of the next scheduled run is taken away once more: each parse brings it back.
    """
    woken = set(session.scalars(select(Workflow.dag_id).where(Workflow.woken_at.is_not(None))))
    if not woken:
        return False
    needed = _needed(session, now) & woken
    if needed:
        hold_back_new_runs(session, sorted(needed))
    idle = sorted(woken - needed)
    dag_state.lock_dags(session, idle)
    whose_pause.repause(session, idle, now)
    return bool(idle)


def _needed(session: Session, now: datetime) -> set[str]:
    held = {one.id: is_held(one, now) for one in session.scalars(open_replenishments())}
    query = select(ReplenishmentRun.replenishment_id, ReplenishmentRun.dag_id, ReplenishmentRun.run_id).where(
        ReplenishmentRun.replenishment_id.in_(held), ReplenishmentRun.state == RunState.ACTIVE
    )
    active = [(held[number], Run(dag_id, run_id or "")) for number, dag_id, run_id in session.execute(query)]
    # what is queued does not start meanwhile
    states = backfills.run_states(session, [run for is_waiting, run in active if is_waiting])
    return {run.dag_id for is_waiting, run in active if not is_waiting or states.get(run) == "running"}
