"""What the services answer about alarm rules, alarms and deliveries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from taskops_provider.domain.alarms.deliveries import DeliveryCause, DeliveryState
from taskops_provider.domain.alarms.kinds import AlarmScope, Kind
from taskops_provider.inputs.alarms.channel import Channel
from taskops_provider.inputs.alarms.follow_up import Escalation, QuietHours, Repeat
from taskops_provider.inputs.alarms.parameters import Parameters
from taskops_provider.inputs.alarms.recipients import Recipients


@dataclass(frozen=True, slots=True)
class RuleAnswer:
    """A rule, as every surface shows it.

    :param set_aside: names of channels that nobody released, or not so: nothing is sent by them
    :param version: counts the changes
    :param problem: why it is not valid any more: it is set aside as a whole
    :param unreachable: its owners and users without an address; empty for who may not read addresses
    :param reaches_nobody: nobody would get its alarms
    """

    rule_id: int
    name: str
    scope: AlarmScope
    dag_id: str | None
    task_id: str | None
    project: str | None
    kind: Kind
    level: int
    parameters: Parameters
    recipients: Recipients
    channels: tuple[Channel, ...]
    set_aside: list[str]
    quiet_hours: QuietHours | None
    repeat: Repeat | None
    escalation: Escalation | None
    enabled: bool
    version: int
    created_at: datetime
    created_by: str
    changed_at: datetime
    changed_by: str
    problem: str | None
    unreachable: Sequence[str] = ()
    reaches_nobody: bool = False


@dataclass(frozen=True, slots=True)
class DeliveryAnswer:
    """One message to one person or channel.

    :param delivery_id: None for who may not read addresses: the numbers that are missing between others would tell of
        messages to addresses that a name has
    :param connection: always None: which connections there are is not told
    :param recipient: an address; None for a channel that knows no persons
    """

    delivery_id: int | None
    why: DeliveryCause
    channel: str
    connection: str | None
    recipient: str | None
    state: DeliveryState
    attempts: int
    created_at: datetime
    ended_at: datetime | None
    error: str | None


@dataclass(frozen=True, slots=True)
class AlarmAnswer:
    """What a rule produced, with its deliveries.

    :param map_index: -1: not mapped
    :param iteration: of a task in a loop: which
    :param data_time: the logical date
    :param held_until: quiet hours: nothing is sent before
    :param acknowledged_by: who has acknowledged it
    :param unreachable: owners and users without an address
    """

    event_id: int
    rule_id: int
    kind: Kind
    level: int
    dag_id: str
    task_id: str | None
    run_id: str | None
    map_index: int
    iteration: str | None
    data_time: datetime | None
    headline: str
    what: str
    owners: list[str]
    fired_at: datetime
    held_until: datetime | None
    acknowledged_at: datetime | None
    acknowledged_by: str | None
    repeats: int
    next_repeat_at: datetime | None
    escalated_at: datetime | None
    unreachable: list[str]
    deliveries: list[DeliveryAnswer]
    # the old names of ``acknowledged_at`` and ``acknowledged_by``
    confirmed_at: datetime | None = field(init=False)
    confirmed_by: str | None = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "confirmed_at", self.acknowledged_at)
        object.__setattr__(self, "confirmed_by", self.acknowledged_by)

    @property
    def is_acknowledged(self) -> bool:
        """Whether somebody has seen it."""
        return self.acknowledged_at is not None


@dataclass(frozen=True, slots=True)
class RuleTestAnswer:
    """What came of a test of a rule so far.

    :param unreachable: who has no address; empty for who may not read addresses, who does not see the deliveries to
        addresses that were found by a name either
    """

    rule_id: int
    unreachable: list[str]
    deliveries: list[DeliveryAnswer]

    @property
    def is_under_way(self) -> bool:
        """Whether one of the deliveries was not tried yet."""
        return any(
            one.state is DeliveryState.SENDING or (one.state is DeliveryState.WAITING and not one.attempts)
            for one in self.deliveries
        )
