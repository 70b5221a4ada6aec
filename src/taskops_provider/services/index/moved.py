"""What a Dag that another team has got does not go on doing for those who had it.

Airflow hands over such a Dag with all of its runs and logs, so states, owners and records go with it too. But its alarm
rules would tell the old team of the new team's runs, what its people queued would execute in the new team's name, and
their windows would pause and freeze it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

from sqlalchemy import and_, delete, or_, select, update
from sqlalchemy.orm import Session

from taskops_provider.adapter import dags as airflow_dags
from taskops_provider.domain.chunks import chunks
from taskops_provider.domain.operations.outcomes import Outcome
from taskops_provider.domain.operations.plan import Item
from taskops_provider.domain.progress import CellState
from taskops_provider.domain.replenishment_run import RunEvent, RunState, after
from taskops_provider.models import (
    AlarmRule,
    GateInterval,
    Replenishment,
    ReplenishmentCell,
    ReplenishmentRun,
    Workflow,
)
from taskops_provider.services.index.deleted import forget_in_windows, record_by_itself, update_rows
from taskops_provider.services.shared.actor import MONITOR

VERB = "dag-moved"
REASON = (
    "the Dag belongs to another team; its alarm rules are off, nothing more of its replenishments starts and no window "
    "names it any more"
)


def dags_of_given_away(session: Session, before: Mapping[str, str], now: Mapping[str, str]) -> set[str]:
    """Return the Dags of bundles that an administrator took from one team, and perhaps gave to another. One query at
    most.

    A bundle that gets its first team was everybody's, and what everybody set on it stays.

    :param before: bundle -> its team; now likewise
    """
    bundles = sorted(bundle for bundle, team in before.items() if now.get(bundle) != team)
    if not bundles:
        return set()
    return set(session.scalars(select(Workflow.dag_id).where(Workflow.project.in_(bundles))))


def stop_for_new_team(session: Session, dag_ids: Collection[str], given_away: Collection[str], now: datetime) -> None:
    """Turn the rules of those of some Dags off that have changed their team since they were indexed, cancel what waits
    of their replenishments, and take them out of windows. One query for each 500 Dags if none has changed its bundle.
    The caller holds the writer lock.

    :param given_away: Dags whose bundle has changed its team
    """
    for some in chunks(sorted({*dag_ids, *given_away})):
        if moved := sorted({*_of_another_team(session, some), *(one for one in some if one in given_away)}):
            _turn_off(session, moved, now)
            _cancel_waiting(session, moved)
            _leave_windows(session, moved, now)
            items = [Item(dag_id, "", Outcome.APPLIED, reason=REASON) for dag_id in moved]
            record_by_itself(session, VERB, items, REASON, now)


def _of_another_team(session: Session, dag_ids: Collection[str]) -> list[str]:
    bundles = airflow_dags.bundles_before_and_now(session, dag_ids)
    if not bundles:
        return []
    teams = airflow_dags.teams_of_bundles(session)
    return [dag_id for dag_id, (before, now) in bundles.items() if teams.get(before) != teams.get(now)]


def _turn_off(session: Session, dag_ids: Collection[str], now: datetime) -> None:
    rule = AlarmRule
    session.execute(
        update(rule)
        .where(rule.dag_id.in_(dag_ids), rule.enabled.is_(True))
        .values(enabled=False, version=rule.version + 1, changed_at=now, changed_by=MONITOR.recorded_name)
        .execution_options(synchronize_session=False)
    )


def _leave_windows(session: Session, dag_ids: Collection[str], now: datetime) -> None:
    """Take the Dags out of the windows that name them: the old team's plans, which it may not change any more, and the
    new one may not either where they name other Dags. What is open ends.
    """
    interval = GateInterval
    for some in chunks(forget_in_windows(session, set(dag_ids), now)):
        of_dags = and_(interval.window_id.in_(some), interval.dag_id.in_(dag_ids))
        ahead = or_(interval.from_at > now, interval.by_cycle.is_(True))
        session.execute(delete(interval).where(of_dags, ahead).execution_options(synchronize_session=False))
        update_rows(session, interval, and_(of_dags, interval.to_at > now), to_at=now, seen_run_id=None)


def _cancel_waiting(session: Session, dag_ids: Collection[str]) -> None:
    """Runs that Airflow has go on, as those of a backfill do."""
    run, cell = ReplenishmentRun, ReplenishmentCell
    of_dags = run.dag_id.in_(dag_ids)
    is_open = and_(of_dags, run.state.in_((RunState.WAITING.value, RunState.ACTIVE.value)))
    for dag_id, number in session.execute(select(run.dag_id, run.replenishment_id).where(is_open).distinct()).all():
        update_rows(session, Replenishment, Replenishment.id == number, problem=f"{dag_id}: it belongs to another team")
    waiting = and_(cell.of_run_id.in_(select(run.id).where(is_open)), cell.state == CellState.WAITING.value)
    update_rows(session, cell, waiting, state=CellState.CANCELLED.value)
    cancelled = after(RunState.WAITING, RunEvent.CANCEL).value
    update_rows(session, run, and_(of_dags, run.state == RunState.WAITING.value), state=cancelled)
