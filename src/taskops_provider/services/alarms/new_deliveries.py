"""Deliveries that wait to be sent: one for each person and e-mail channel, one for each other channel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from taskops_provider import config
from taskops_provider.domain.alarms.deliveries import DeliveryCause, DeliveryState, MessageContent
from taskops_provider.domain.answers import to_plain_data
from taskops_provider.inputs.alarms.channel import Channel
from taskops_provider.inputs.alarms.recipients import Recipients
from taskops_provider.inputs.alarms.rule import Rule
from taskops_provider.models import AlarmDelivery, AlarmEvent
from taskops_provider.services.alarms.channels import usable_channels
from taskops_provider.services.alarms.facts import AlarmFacts
from taskops_provider.services.alarms.message import alarm_content
from taskops_provider.services.alarms.recipients import AddressBook, names_of

#: messages that one turn of the monitor writes, as far as they are of several alarms: the rest has the next turns
AT_ONCE = 2_000


def alarm_deliveries(
    rule: Rule,
    alarms: Sequence[AlarmEvent],
    recipients: Recipients,
    book: AddressBook,
    cause: DeliveryCause,
    now: datetime,
) -> list[AlarmDelivery]:
    """Return the deliveries about alarms of one rule. Owners read of the alarms of what they own; users and addresses
    of all.
    """
    rows = []
    together = "during quiet hours" if rule.quiet else "at once"
    # most people are told of the same alarms
    contents: dict[tuple[int, ...], MessageContent] = {}
    released = usable_channels()
    for channel in released.usable(rule.channels):
        by_recipient = (
            _alarms_by_recipient(alarms, recipients, book) if released.tells_people(channel) else {"": _Told(alarms)}
        )
        for recipient, of in by_recipient.items():
            told = of.alarms
            ids = tuple(alarm.id for alarm in told)
            if ids not in contents:
                facts = [AlarmFacts.stored(alarm.facts) for alarm in told]
                contents[ids] = alarm_content(facts, cause, together=together)
            content = contents[ids]
            row = new_delivery(channel, recipient, content, cause, now, by_name=of.by_name)
            row.event_id, row.rule_id = told[0].id, told[0].rule_id
            rows.append(row)
    return rows


@dataclass
class _Told:
    """What one recipient is told.

    :param by_name: only names led to the address, of all alarms
    """

    alarms: Sequence[AlarmEvent] = ()
    by_name: bool = False


def _alarms_by_recipient(alarms: Sequence[AlarmEvent], recipients: Recipients, book: AddressBook) -> dict[str, _Told]:
    told: dict[str, _Told] = {}
    for alarm in alarms:
        people = book.people(names_of(recipients, AlarmFacts.stored(alarm.facts).owners), recipients.addresses)
        for address in people.addresses:
            one = told.setdefault(address, _Told(by_name=True))
            one.alarms = [*one.alarms, alarm]
            one.by_name = one.by_name and people.is_by_name(address)
    return told


def new_delivery(
    channel: Channel,
    recipient: str,
    content: MessageContent,
    cause: DeliveryCause,
    now: datetime,
    *,
    by_name: bool = False,
) -> AlarmDelivery:
    """Return a delivery that waits to be sent; what it is about is left to the caller.

    :param recipient: an address; empty for a channel that knows no persons
    :param by_name: only a name led to the address
    """
    return AlarmDelivery(
        why=cause.value,
        channel_key=channel.key,
        channel=to_plain_data(channel),
        recipient=recipient,
        by_name=by_name,
        content=to_plain_data(content),
        state=DeliveryState.WAITING.value,
        attempts=0,
        created_at=now,
        next_attempt_at=now,
        expires_at=now + timedelta(hours=config.delivery_window_hours()),
    )
