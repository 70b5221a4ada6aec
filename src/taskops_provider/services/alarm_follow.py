"""What comes after a firing: the end of quiet hours, repeats until somebody confirms, escalation."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from datetime import datetime, timedelta

from sqlalchemy import insert, or_, select
from sqlalchemy.orm import Session

from taskops_provider.domain.alarms import Rule, Why
from taskops_provider.models import AlarmDelivery, AlarmEvent
from taskops_provider.services.alarm_fire import load_rules, messages
from taskops_provider.services.alarm_people import AddressBook, book_for

#: firings that one look takes up; the rest is left to the next
AT_ONCE = 2000


def step(session: Session, now: datetime) -> bool:
    """Write the messages that are due; tell whether there were any. The caller commits.

    Three queries where something is due, one where nothing is.
    """
    open_ = AlarmEvent.confirmed_at.is_(None)
    query = (
        select(AlarmEvent)
        .where(
            or_(
                AlarmEvent.held_until <= now,
                (AlarmEvent.next_repeat_at <= now) & open_,
                (AlarmEvent.escalates_at <= now) & open_,
            )
        )
        .order_by(AlarmEvent.id)
        .limit(AT_ONCE)
    )
    events = session.scalars(query).all()
    if not events:
        return False
    rules = load_rules(session, {event.rule_id for event in events})
    owners = {(event.dag_id, event.task_id): list(event.facts["owners"]) for event in events}
    wanted = [rule.recipients for rule in rules.values()]
    wanted += [rule.escalation.recipients for rule in rules.values() if rule.escalation]
    book = book_for(session, wanted, owners)
    rows = []
    for event in events:
        if event.rule_id not in rules or not rules[event.rule_id].enabled:
            # nobody is told any more: the rule is gone, or off
            event.held_until = event.next_repeat_at = event.escalates_at = None
    alive = [event for event in events if event.rule_id in rules and rules[event.rule_id].enabled]
    rows += _held(rules, [event for event in alive if event.held_until and event.held_until <= now], book, now)
    for event in alive:
        if event.held_until is None and event.confirmed_at is None:
            rows += _again(rules[event.rule_id], event, book, now)
    if rows:
        session.execute(insert(AlarmDelivery), rows)
    return True


def _held(
    rules: dict[int, Rule], events: Collection[AlarmEvent], book: AddressBook, now: datetime
) -> list[dict[str, object]]:
    """One message of each rule about all that fired in its quiet hours, without what was confirmed meanwhile."""
    by_rule: dict[int, list[AlarmEvent]] = defaultdict(list)
    for event in events:
        event.held_until = None
        if event.confirmed_at is None:
            by_rule[event.rule_id].append(event)
    rows = []
    for rule_id, held in by_rule.items():
        rule = rules[rule_id]
        rows += messages(rule, held, rule.recipients, book, Why.FIRING, now)
    return rows


def _again(rule: Rule, event: AlarmEvent, book: AddressBook, now: datetime) -> list[dict[str, object]]:
    quiet = rule.quiet()
    quiet_until = quiet.until(now, rule.level) if quiet else None
    rows = []
    if event.next_repeat_at is not None and event.next_repeat_at <= now:
        if rule.repeat is None or event.repeats >= rule.repeat.max:
            event.next_repeat_at = None
        elif quiet_until:
            event.next_repeat_at = quiet_until
        else:
            rows += messages(rule, [event], rule.recipients, book, Why.REPEAT, now)
            event.repeats += 1
            over = event.repeats >= rule.repeat.max
            event.next_repeat_at = None if over else now + timedelta(minutes=rule.repeat.minutes)
    if event.escalates_at is not None and event.escalates_at <= now:
        if rule.escalation is None:
            event.escalates_at = None
        elif quiet_until:
            event.escalates_at = quiet_until
        else:
            rows += messages(rule, [event], rule.escalation.recipients, book, Why.ESCALATION, now)
            event.escalates_at, event.escalated_at = None, now
            missing = book.people(rule.escalation.recipients.users).unreachable
            event.unreachable = list(dict.fromkeys([*event.unreachable, *missing]))
    return rows
