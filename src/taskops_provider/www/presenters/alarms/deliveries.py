"""Deliveries, as the page of an alarm and the test of a rule show them."""

from __future__ import annotations

from dataclasses import dataclass

from taskops_provider.services.alarms.answers import DeliveryAnswer
from taskops_provider.www.presenters import text
from taskops_provider.www.presenters.alarms import words
from taskops_provider.www.presenters.text import Badge, Time

#: said to who may not know addresses
HIDDEN = "Messages to people by name are shown to those who may read users."


@dataclass(frozen=True, slots=True)
class DeliveryRow:
    """One message to one person or channel."""

    why: str
    channel: str
    recipient: str
    badge: Badge
    attempts: int
    created: Time | None
    ended: Time | None
    error: str


def delivery_row(one: DeliveryAnswer) -> DeliveryRow:
    """Return a delivery as the pages show it."""
    return DeliveryRow(
        why=words.CAUSES[one.why],
        channel=words.channel(one.channel),
        recipient=one.recipient or "",
        badge=words.DELIVERY_STATES[one.state],
        attempts=one.attempts,
        created=text.time(one.created_at),
        ended=text.time(one.ended_at),
        error=one.error or "",
    )
