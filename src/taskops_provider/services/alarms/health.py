"""How deliveries fare."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from taskops_provider.domain.alarms.deliveries import DeliveryState
from taskops_provider.models import AlarmDelivery, AlarmRule
from taskops_provider.services.alarms.channels import usable_channels
from taskops_provider.services.alarms.reach import reach_of
from taskops_provider.services.alarms.stored_rules import rule_of

#: a delivery that was due for this long, and never tried
STUCK_AFTER = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class FailingChannel:
    """A channel whose deliveries wait after an attempt that failed.

    :param error: of one of them
    """

    channel: str
    waiting: int
    since: datetime
    error: str


@dataclass(frozen=True, slots=True)
class DeliveryHealth:
    """Deliveries that wait, by what is the matter; those of the last day that were lost or may have been.

    :param rules: that are enabled
    :param set_aside: those of them with channels that nobody released; 0 where rules were not read, like ``broken``
    :param broken: those of them that are not valid any more
    :param silent: those of them that reach nobody
    """

    rules: int
    set_aside: int
    broken: int
    silent: int
    waiting: int
    stuck: int
    failing: tuple[FailingChannel, ...]
    uncertain: int
    failed: int

    @property
    def is_well(self) -> bool:
        """Whether there is nothing to see to."""
        return not (
            self.failing or self.set_aside or self.broken or self.silent or self.uncertain or self.failed or self.stuck
        )


def delivery_health(session: Session, now: datetime, *, reads_rules: bool = True) -> DeliveryHealth:
    """Look at all deliveries and enabled rules: eight queries.

    :param reads_rules: read each enabled rule, of which there may be very many; otherwise they are counted only
    """
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
        FailingChannel(row.channel_key.rstrip(":"), row.waiting, row.since, row.error or "")
        for row in session.execute(tried)
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
    enabled = AlarmRule.enabled.is_(True)
    rules = [rule_of(row) for row in session.scalars(select(AlarmRule).where(enabled))] if reads_rules else []
    count = (
        len(rules) if reads_rules else session.scalar(select(func.count()).select_from(AlarmRule).where(enabled)) or 0
    )
    released = usable_channels()
    total = session.scalar(untried) or 0
    stuck = session.scalar(untried.where(delivery.next_attempt_at < now - STUCK_AFTER)) if total else 0
    return DeliveryHealth(
        rules=count,
        set_aside=sum(bool(released.set_aside(rule.channels)) for rule in rules),
        broken=sum(rule.problem is not None for rule in rules),
        silent=sum(one.is_nobody for one in reach_of(session, rules)) if rules else 0,
        waiting=total + sum(one.waiting for one in failing),
        stuck=stuck or 0,
        failing=failing,
        uncertain=ended.get(DeliveryState.UNCERTAIN.value, 0),
        failed=ended.get(DeliveryState.FAILED.value, 0),
    )
