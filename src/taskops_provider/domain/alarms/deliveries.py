"""Deliveries: one message to one person or channel, why it is sent and what became of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from taskops_provider.domain.answers import Json

#: the notifiers that TaskOps brings, and the name of the channel that is always there unless it is taken away
EMAIL, WEBHOOK = "email", "webhook"

#: seconds to wait after the first failed attempt, doubled each time, and at most
FIRST_WAIT = 15.0
LONGEST_WAIT = 1800.0


class DeliveryCause(StrEnum):
    """Why a message is sent."""

    ALARM = "firing"
    REPEAT = "repeat"
    ESCALATION = "escalation"
    NOTICE = "notice"
    TEST = "test"


class DeliveryState(StrEnum):
    """What has become of a message."""

    WAITING = "waiting"
    SENDING = "sending"
    SENT = "sent"
    #: the process that sent it ended meanwhile, or the answer was lost: it may have gone out, and is not sent again
    UNCERTAIN = "uncertain"
    FAILED = "failed"


def wait_after(attempts: int) -> timedelta:
    """Return how long to wait before the next attempt, after this many that failed."""
    return timedelta(seconds=min(FIRST_WAIT * 2 ** min(max(attempts - 1, 0), 16), LONGEST_WAIT))


@dataclass(frozen=True, slots=True)
class MessageContent:
    """What one message says.

    :param facts: for programs: a webhook gets them as they are
    """

    subject: str
    text: str
    html: str
    facts: Json
