"""What the monitor says in metrics: how much there is of what waits. Nothing is asked where metrics are off."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from taskops_provider import metrics
from taskops_provider.adapter import gate_state
from taskops_provider.domain.alarms.deliveries import DeliveryState
from taskops_provider.domain.metrics import CELLS, MESSAGES_WAITING, OLDEST_WAITING, UNCOVERED, WAITING
from taskops_provider.domain.progress import CellState
from taskops_provider.domain.states import Downstream
from taskops_provider.models import AlarmDelivery, Replenishment, ReplenishmentCell
from taskops_provider.services.gate.coverage import scheduler_coverage


def send_gauges(session: Session, now: datetime) -> bool:
    """Send all gauges: four queries. Changes nothing."""
    if not metrics.is_on():
        return False
    _waiting(session, now)
    _cells(session)
    waiting = select(func.count()).where(AlarmDelivery.state == DeliveryState.WAITING.value)
    metrics.gauge(MESSAGES_WAITING, session.scalar(waiting) or 0)
    found = scheduler_coverage(session, now)
    metrics.gauge(UNCOVERED, len(found.uncovered) + len(found.troubled))
    return False


def _waiting(session: Session, now: datetime) -> None:
    found = gate_state.waiting_by_effect(session)
    for effect in Downstream:
        number, oldest = found.get(effect, (0, now))
        metrics.gauge(WAITING, number, effect)
        metrics.gauge(OLDEST_WAITING, max(0.0, (now - oldest).total_seconds()), effect)


def _cells(session: Session) -> None:
    query = (
        select(ReplenishmentCell.state, func.count())
        .join(Replenishment, Replenishment.id == ReplenishmentCell.replenishment_id)
        .where(Replenishment.ended_at.is_(None))
        .group_by(ReplenishmentCell.state)
    )
    found = {row[0]: row[1] for row in session.execute(query)}
    for state in CellState:
        metrics.gauge(CELLS, found.get(state.value, 0), state)
