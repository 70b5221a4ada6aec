"""Sending: one message at a time of each channel, each marked before it goes out.

Those who have messages take turns (:func:`_line`): Dags whose alarms are told, people whose operations owners are told
of. Whoever has very many delays the others by one message a round.

That a message is being sent is committed before it is handed over, and what came of it after. A process that is
killed in between leaves that one message marked: it becomes ``uncertain`` and is never sent again by itself; all
others are either still waiting or done.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from airflow.sdk.log import redact  # type: ignore[attr-defined] # of a private module
from airflow.utils.session import create_session
from sqlalchemy import case, func, select, update
from sqlalchemy.orm import Session

from taskops_provider import metrics
from taskops_provider.adapter import notifiers
from taskops_provider.adapter.notifiers import Message
from taskops_provider.domain.alarms.deliveries import DeliveryState, MessageContent, wait_after
from taskops_provider.domain.answers import Json
from taskops_provider.domain.metrics import MESSAGE_OUTCOMES, MESSAGES
from taskops_provider.exceptions import BadInput
from taskops_provider.inputs.alarms.channel import Channel
from taskops_provider.models import AlarmDelivery, AlarmEvent, AlarmRule, Operation
from taskops_provider.notifications.outcome import MaybeSent, Refused, Unsendable
from taskops_provider.services.alarms.channels import released_channels
from taskops_provider.services.alarms.stored_rules import rule_of
from taskops_provider.services.shared.public_errors import is_of_network, public_error_line

log = logging.getLogger(__name__)

#: a message whose sender has not said what came of it for so long has lost its sender
LOST_AFTER = timedelta(seconds=60)
#: how many messages of a channel are lined up at once: the first number, or up to the second if more Dags take turns
_IN_LINE, _LONGEST_LINE = 20, 500
#: seconds between tries to write down what came of a message, and how many there are
_WRITE_WAIT, _WRITE_TRIES = 1.0, 30

_WAITING, _SENDING, _UNCERTAIN = (
    DeliveryState.WAITING.value,
    DeliveryState.SENDING.value,
    DeliveryState.UNCERTAIN.value,
)


@dataclass(frozen=True)
class Delivery:
    """A delivery that is being sent."""

    id: int
    channel: Json
    recipient: str
    content: Json
    attempts: int
    expires_at: datetime


@dataclass(frozen=True)
class DeliveryOutcome:
    """What came of sending a message.

    :param is_down: the channel does not work: the next message of it would fare no better
    """

    state: DeliveryState
    error: str | None = None
    is_down: bool = False


def due_channels(session: Session, now: datetime) -> list[str]:
    """Return the keys of channels that have something to send: one query."""
    query = select(AlarmDelivery.channel_key).where(
        AlarmDelivery.state == _WAITING, AlarmDelivery.next_attempt_at <= now
    )
    return sorted(session.scalars(query.distinct()))


def give_up_lost(session: Session, now: datetime) -> int:
    """Mark messages whose sender has ended as uncertain; return how many. The caller commits.

    A sender that was only slow still writes down what came of its message.
    """
    done = session.execute(
        update(AlarmDelivery)
        .where(AlarmDelivery.state == _SENDING, AlarmDelivery.sending_since < now - LOST_AFTER)
        .values(
            state=_UNCERTAIN,
            ended_at=now,
            last_error="its sender ended while it was being sent: it may have gone out, and is not sent again",
        )
        .execution_options(synchronize_session=False)
    )
    return int(done.rowcount)  # type: ignore[attr-defined]


def send_next(
    channel_key: str, sender: str, now: datetime | None = None, line: deque[int] | None = None
) -> DeliveryOutcome | None:
    """Send the message of a channel whose turn it is, in transactions of its own.

    :param sender: who sends
    :param now: the time to go by; for tests
    :param line: the messages that come next, for the next call; filled if it is empty
    :return: None where there is none that is due
    """
    with create_session(scoped=False) as session:
        line = deque() if line is None else line
        delivery = _claim(session, channel_key, sender, now or datetime.now(UTC), line)
    return _deliver(delivery, sender, now) if delivery else None


def send_now(ids: Collection[int], sender: str) -> None:
    """Send certain messages at once, those that nobody else has taken up."""
    for key in ids:
        with create_session(scoped=False) as session:
            row = session.get(AlarmDelivery, key)
            delivery = _mark(session, row, sender, datetime.now(UTC)) if row else None
        if delivery:
            _deliver(delivery, sender, None)


def _claim(session: Session, channel_key: str, sender: str, now: datetime, line: deque[int]) -> Delivery | None:
    while True:
        if not line:
            line.extend(_line(session, channel_key, now))
        if not line:
            return None
        row = session.get(AlarmDelivery, line.popleft())
        # another sender may have had it meanwhile
        if row is None or row.state != _WAITING or row.next_attempt_at > now:
            continue
        quiet_until = _quiet_until(session, row, now)
        if quiet_until is None:
            delivery = _mark(session, row, sender, now)
            if delivery:
                return delivery
            session.expire_all()
            continue
        # it could not be sent before quiet hours began
        row.next_attempt_at = quiet_until
        row.expires_at = max(row.expires_at, quiet_until + timedelta(hours=1))
        session.flush()


def _line(session: Session, channel_key: str, now: datetime) -> list[int]:
    """Return the messages of a channel that are sent next: one query.

    One of each who has any, then the second of each, and so on; in a round alarms come before notices and tests. The
    first of each are there, so that nobody waits for more than one round; more only as far as there is room, for who
    comes meanwhile waits for the whole line.
    """
    is_alarm = AlarmDelivery.event_id.is_not(None)
    first_to_last = (AlarmDelivery.next_attempt_at, AlarmDelivery.id)
    # a test has neither a Dag nor an operation: all of them take one turn
    whose = (is_alarm, AlarmEvent.dag_id, Operation.actor)
    place = func.row_number().over(partition_by=whose, order_by=first_to_last).label("place")
    query = (
        select(AlarmDelivery.id, place)
        .outerjoin(AlarmEvent, AlarmEvent.id == AlarmDelivery.event_id)
        .outerjoin(Operation, Operation.id == AlarmDelivery.operation_id)
        .where(
            AlarmDelivery.channel_key == channel_key,
            AlarmDelivery.state == _WAITING,
            AlarmDelivery.next_attempt_at <= now,
        )
        .order_by(place, case((is_alarm, 0), else_=1), *first_to_last)
        .limit(_LONGEST_LINE)
    )
    rows = session.execute(query).all()
    return [row.id for number, row in enumerate(rows) if number < _IN_LINE or row.place == 1]


def _quiet_until(session: Session, row: AlarmDelivery, now: datetime) -> datetime | None:
    if row.rule_id is None or row.event_id is None:
        return None
    found = session.get(AlarmRule, row.rule_id)
    rule = rule_of(found) if found else None
    return rule.quiet.until(now, rule.level) if rule and rule.quiet else None


def _mark(session: Session, row: AlarmDelivery, sender: str, now: datetime) -> Delivery | None:
    """Take a message up, unless another sender was first."""
    taken = session.execute(
        update(AlarmDelivery)
        .where(AlarmDelivery.id == row.id, AlarmDelivery.state == _WAITING)
        .values(state=_SENDING, sender=sender, sending_since=now, attempts=AlarmDelivery.attempts + 1)
        .execution_options(synchronize_session=False)
    )
    if not taken.rowcount:  # type: ignore[attr-defined]
        return None
    return Delivery(row.id, row.channel, row.recipient, row.content, row.attempts + 1, row.expires_at)


def _deliver(delivery: Delivery, sender: str, now: datetime | None) -> DeliveryOutcome:
    outcome = _send(delivery)
    for attempt in range(_WRITE_TRIES):
        try:
            with create_session(scoped=False) as session:
                state = _write(session, delivery, sender, outcome, now or datetime.now(UTC))
        except Exception:
            if attempt == _WRITE_TRIES - 1:
                raise
            time.sleep(_WRITE_WAIT)  # the database is busy or away; the message must not be forgotten
        else:
            metrics.count(MESSAGES, MESSAGE_OUTCOMES[state.value])
            break
    return outcome


def _send(delivery: Delivery) -> DeliveryOutcome:
    try:
        channel = Channel.stored(delivery.channel)
        released = released_channels().check(channel)
        message = Message(delivery.recipient, MessageContent(**delivery.content), delivery.id)
    except BadInput as error:
        # set aside: an administrator may release it again, and nothing goes out before
        return DeliveryOutcome(DeliveryState.FAILED, str(error))
    except (AttributeError, KeyError, TypeError, ValueError):
        # it must not keep those behind it
        return DeliveryOutcome(DeliveryState.FAILED, "the stored message cannot be read")
    try:
        notifiers.send(released, channel.args, message)
    except MaybeSent as error:
        return DeliveryOutcome(DeliveryState.UNCERTAIN, _one_line(error))
    except Unsendable as error:
        return DeliveryOutcome(DeliveryState.FAILED, _one_line(error))
    except Refused as error:
        log.warning("TaskOps' message %s was refused: %s", delivery.id, _one_line(error.text))
        return DeliveryOutcome(DeliveryState.WAITING, _one_line(error))
    except Exception as error:
        log.warning("TaskOps could not send message %s: %s: %s", delivery.id, type(error).__name__, _one_line(error))
        # what a person set may be why: then the messages of others may well go out
        is_down = not channel.args or is_of_network(error)
        return DeliveryOutcome(DeliveryState.WAITING, public_error_line(error), is_down=is_down)
    return DeliveryOutcome(DeliveryState.SENT)


def _one_line(error: Exception | str) -> str:
    """An error on one line, without the secrets of connections."""
    return " ".join(str(redact(str(error))).split())[:500]


def _write(session: Session, delivery: Delivery, sender: str, outcome: DeliveryOutcome, now: datetime) -> DeliveryState:
    """Write down what came of a message; return what it is now."""
    state = outcome.state
    if state is DeliveryState.WAITING and now >= delivery.expires_at:
        state = DeliveryState.FAILED
    change = update(AlarmDelivery).values(state=state.value, last_error=outcome.error, ended_at=now)
    if state is DeliveryState.WAITING:
        # a channel that is down is tried with one message; the others need not wait for longer and longer
        wait = wait_after(1 if outcome.is_down else delivery.attempts)
        change = change.values(next_attempt_at=now + wait, ended_at=None)
    session.execute(
        change.where(
            AlarmDelivery.id == delivery.id,
            AlarmDelivery.sender == sender,
            # uncertain: somebody took this sender for lost
            AlarmDelivery.state.in_((_SENDING, _UNCERTAIN)),
        ).execution_options(synchronize_session=False)
    )
    return state
