"""How the messages of alarms fare."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from taskops_provider.domain.alarms import DeliveryState
from taskops_provider.models import AlarmDelivery, AlarmRule

#: a message that was due for so long, and never tried
STUCK_AFTER = timedelta(minutes=5)


@dataclass(frozen=True)
class Failing:
    """A channel whose messages wait after a try that failed.

    :param error: of one of them
    """

    channel: str
    waiting: int
    since: datetime
    error: str


@dataclass(frozen=True)
class Messages:
    """Messages that wait, by what is the matter; those of the last day that were lost or may have been."""

    rules: int
    waiting: int
    stuck: int
    failing: tuple[Failing, ...]
    uncertain: int
    failed: int


def messages(session: Session, now: datetime) -> Messages:
    """Look at all messages: four queries."""
    delivery = AlarmDelivery
    waiting = delivery.state == DeliveryState.WAITING.value
    tried = (
        select(
            delivery.channel_key,
            func.count().label("waiting"),
            func.min(delivery.created_at).label("since"),
            func.max(delivery.last_error).label("error"),
        )
        .where(waiting, delivery.last_error.is_not(None))
        .group_by(delivery.channel_key)
        .order_by(delivery.channel_key)
    )
    failing = tuple(
        Failing(row.channel_key.rstrip(":"), row.waiting, row.since, row.error or "") for row in session.execute(tried)
    )
    untried = select(func.count()).where(waiting, delivery.last_error.is_(None))
    lost = (
        select(delivery.state, func.count())
        .where(
            delivery.state.in_((DeliveryState.UNCERTAIN.value, DeliveryState.FAILED.value)),
            delivery.ended_at >= now - timedelta(days=1),
        )
        .group_by(delivery.state)
    )
    ended = {row[0]: row[1] for row in session.execute(lost)}
    rules = session.scalar(select(func.count()).select_from(AlarmRule).where(AlarmRule.enabled.is_(True)))
    total = session.scalar(untried) or 0
    stuck = session.scalar(untried.where(delivery.next_attempt_at < now - STUCK_AFTER)) if total else 0
    return Messages(
        rules=rules or 0,
        waiting=total + sum(one.waiting for one in failing),
        stuck=stuck or 0,
        failing=failing,
        uncertain=ended.get(DeliveryState.UNCERTAIN.value, 0),
        failed=ended.get(DeliveryState.FAILED.value, 0),
    )
