"""What follows on an alarm: the end of quiet hours, repeats until somebody acknowledges it, escalation."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, case, func, or_, select
from sqlalchemy.orm import Session

from taskops_provider.domain.alarms.deliveries import DeliveryCause
from taskops_provider.domain.turns import in_turn
from taskops_provider.inputs.alarms.rule import Rule
from taskops_provider.models import AlarmDelivery, AlarmEvent
from taskops_provider.services.alarms.facts import AlarmFacts
from taskops_provider.services.alarms.new_deliveries import AT_ONCE as MESSAGES_AT_ONCE
from taskops_provider.services.alarms.new_deliveries import alarm_deliveries
from taskops_provider.services.alarms.recipients import AddressBook, book_for
from taskops_provider.services.alarms.stored_rules import load_rules
from taskops_provider.services.shared.bulk_inserts import insert_rows

#: alarms that one turn takes up; the rest is left to the next
AT_ONCE = 2000


def follow_up(session: Session, now: datetime) -> bool:
    """Write the deliveries that are due; return whether there were any. The caller commits.

    Three queries if something is due, one if nothing is.
    """
    alarms = _due_alarms(session, now)
    if not alarms:
        return False
    rules = load_rules(session, {alarm.rule_id for alarm in alarms})
    owners = {(alarm.dag_id, alarm.task_id): list(AlarmFacts.stored(alarm.facts).owners) for alarm in alarms}
    wanted = [rule.recipients for rule in rules.values()]
    wanted += [rule.escalation.recipients for rule in rules.values() if rule.escalation]
    book = book_for(session, wanted, owners)
    held: dict[int, list[AlarmEvent]] = defaultdict(list)
    for alarm in alarms:
        rule = rules.get(alarm.rule_id)
        if rule is None or not rule.enabled:
            # nobody is told any more: the rule is gone, or off
            alarm.held_until = alarm.next_repeat_at = alarm.escalates_at = None
        elif alarm.held_until and alarm.held_until <= now:
            held[alarm.rule_id].append(alarm)
    pieces = [_Piece(rules[rule_id], of_rule[0].dag_id, tuple(of_rule)) for rule_id, of_rule in held.items()]
    pieces += [
        _Piece(rule, one.dag_id, again=one) for one in alarms if (rule := rules.get(one.rule_id)) and rule.enabled
    ]
    deliveries: list[AlarmDelivery] = []
    # many alarms of one Dag leave room for those of others
    for piece in in_turn(pieces, lambda one: one.dag_id):
        if len(deliveries) >= MESSAGES_AT_ONCE:
            break
        deliveries += piece.deliveries(book, now)
    insert_rows(session, deliveries)
    return True


@dataclass(frozen=True, slots=True)
class _Piece:
    """What is told in one go: alarms of a rule that were held, or one alarm again."""

    rule: Rule
    dag_id: str
    held: tuple[AlarmEvent, ...] = ()
    again: AlarmEvent | None = None

    def deliveries(self, book: AddressBook, now: datetime) -> list[AlarmDelivery]:
        """Return its deliveries, and note on the alarms that they were told."""
        if self.held:
            return _after_quiet_hours(self.rule, self.held, book, now)
        # one that is held still is told for the first time in a later turn
        if self.again is None or self.again.held_until is not None or self.again.confirmed_at is not None:
            return []
        return _again(self.rule, self.again, book, now)


def _due_alarms(session: Session, now: datetime) -> Sequence[AlarmEvent]:
    is_open = AlarmEvent.confirmed_at.is_(None)
    query = (
        select(AlarmEvent)
        .where(
            or_(
                AlarmEvent.held_until <= now,
                (AlarmEvent.next_repeat_at <= now) & is_open,
                (AlarmEvent.escalates_at <= now) & is_open,
            )
        )
        # of each Dag the alarm that is due longest, then the next of each: one with very many keeps no other waiting
        .order_by(
            func.row_number().over(partition_by=AlarmEvent.dag_id, order_by=(_due_since(now), AlarmEvent.id)),
            _due_since(now),
            AlarmEvent.id,
        )
        .limit(AT_ONCE)
    )
    return session.scalars(query).all()


def _due_since(now: datetime) -> ColumnElement[datetime]:
    return case(
        (AlarmEvent.held_until <= now, AlarmEvent.held_until),
        (AlarmEvent.next_repeat_at <= now, AlarmEvent.next_repeat_at),
        else_=AlarmEvent.escalates_at,
    )


def _after_quiet_hours(
    rule: Rule, alarms: Sequence[AlarmEvent], book: AddressBook, now: datetime
) -> list[AlarmDelivery]:
    """Tell of all alarms of a rule's quiet hours at once, without those that were acknowledged meanwhile."""
    for alarm in alarms:
        alarm.held_until = None
    told = [alarm for alarm in alarms if alarm.confirmed_at is None]
    return alarm_deliveries(rule, told, rule.recipients, book, DeliveryCause.ALARM, now) if told else []


def _again(rule: Rule, alarm: AlarmEvent, book: AddressBook, now: datetime) -> list[AlarmDelivery]:
    quiet_until = rule.quiet.until(now, rule.level) if rule.quiet else None
    rows: list[AlarmDelivery] = []
    if alarm.next_repeat_at is not None and alarm.next_repeat_at <= now:
        rows += _repeat(rule, alarm, book, quiet_until, now)
    if alarm.escalates_at is not None and alarm.escalates_at <= now:
        rows += _escalate(rule, alarm, book, quiet_until, now)
    return rows


def _repeat(
    rule: Rule, alarm: AlarmEvent, book: AddressBook, quiet_until: datetime | None, now: datetime
) -> list[AlarmDelivery]:
    if rule.repeat is None or alarm.repeats >= rule.repeat.max:
        alarm.next_repeat_at = None
        return []
    if quiet_until:
        alarm.next_repeat_at = quiet_until
        return []
    alarm.repeats += 1
    is_over = alarm.repeats >= rule.repeat.max
    alarm.next_repeat_at = None if is_over else now + timedelta(minutes=rule.repeat.minutes)
    return alarm_deliveries(rule, [alarm], rule.recipients, book, DeliveryCause.REPEAT, now)


def _escalate(
    rule: Rule, alarm: AlarmEvent, book: AddressBook, quiet_until: datetime | None, now: datetime
) -> list[AlarmDelivery]:
    if rule.escalation is None:
        alarm.escalates_at = None
        return []
    if quiet_until:
        alarm.escalates_at = quiet_until
        return []
    alarm.escalates_at, alarm.escalated_at = None, now
    missing = book.people(rule.escalation.recipients.users).unreachable
    alarm.unreachable = list(dict.fromkeys([*alarm.unreachable, *missing]))
    return alarm_deliveries(rule, [alarm], rule.escalation.recipients, book, DeliveryCause.ESCALATION, now)
