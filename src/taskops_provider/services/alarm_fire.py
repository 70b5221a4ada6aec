"""Writing down what fired, with the messages about it, in the transaction that found it: once, or not at all."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from taskops_provider import config
from taskops_provider.adapter.watch import fired_rounds
from taskops_provider.domain.alarms import EMAIL, Channel, DeliveryState, Recipients, Rule, Why, read_rule
from taskops_provider.models import AlarmDelivery, AlarmEvent, AlarmRule, Workflow
from taskops_provider.services.alarm_message import alarm_content
from taskops_provider.services.alarm_people import AddressBook, book_for, names_of, owners_of
from taskops_provider.services.pairs import Pair


@dataclass
class Firing:
    """What a rule found.

    :param parts: what tells it from every other firing of the rule
    :param what: what happened, for people
    :param at: when it happened
    """

    rule_id: int
    dag_id: str
    task_id: str
    parts: tuple[Any, ...]
    what: str
    at: datetime | None = None
    run_id: str | None = None
    map_index: int = -1
    attempt: int = 0
    data_time: datetime | None = None
    more: Mapping[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """The same for the same firing, whoever finds it."""
        parts = (self.dag_id, self.task_id, *self.parts)
        return sha256("\0".join(map(str, parts)).encode()).hexdigest()[:40]


def rule_of(row: AlarmRule) -> Rule:
    """Return the rule that a row holds."""
    return read_rule(
        {
            "name": row.name,
            "scope": row.scope,
            "dag_id": row.dag_id,
            "task_id": row.task_id,
            "project": row.project,
            "kind": row.kind,
            "level": row.level,
            "enabled": row.enabled,
            **row.body,
        }
    )


def load_rules(session: Session, ids: Collection[int]) -> dict[int, Rule]:
    """Return rules by id: one query."""
    query = select(AlarmRule).where(AlarmRule.id.in_(sorted(set(ids))))
    return {row.id: rule_of(row) for row in session.scalars(query)}


def fire(session: Session, firings: Sequence[Firing], rules: Mapping[int, Rule], now: datetime) -> int:
    """Record firings that are new, with their messages; return how many. The number of queries is constant.

    :param rules: all that the firings name
    """
    fresh = {(firing.rule_id, firing.key): firing for firing in firings}
    if fresh:
        known = fired_rounds(session, [rule_id for rule_id, _ in fresh], [key for _, key in fresh])
        fresh = {name: firing for name, firing in fresh.items() if name not in known}
    if not fresh:
        return 0
    pairs: set[Pair] = {(firing.dag_id, firing.task_id) for firing in fresh.values()}
    owners = owners_of(session, pairs)
    projects = _projects(session, {firing.dag_id for firing in fresh.values()})
    book = book_for(session, [rules[firing.rule_id].recipients for firing in fresh.values()], owners)
    events = []
    for firing in fresh.values():
        rule = rules[firing.rule_id]
        own = owners.get((firing.dag_id, firing.task_id), [])
        facts = _facts(firing, rule, own, projects.get(firing.dag_id, ""), now)
        events.append(_event(firing, rule, facts, book, now))
    session.add_all(events)
    session.flush()
    deliveries = [
        row
        for event in events
        if event.held_until is None
        for row in messages(rules[event.rule_id], [event], rules[event.rule_id].recipients, book, Why.FIRING, now)
    ]
    if deliveries:
        session.execute(insert(AlarmDelivery), deliveries)
    return len(events)


def _projects(session: Session, dag_ids: Collection[str]) -> dict[str, str]:
    query = select(Workflow.dag_id, Workflow.project).where(Workflow.dag_id.in_(sorted(dag_ids)))
    return {row.dag_id: row.project for row in session.execute(query)}


def _facts(firing: Firing, rule: Rule, owners: list[str], project: str, now: datetime) -> dict[str, Any]:
    return {
        "rule_id": firing.rule_id,
        "rule": rule.name,
        "kind": rule.kind.value,
        "level": rule.level,
        "project": project,
        "dag_id": firing.dag_id,
        "task_id": firing.task_id,
        "run_id": firing.run_id,
        "map_index": firing.map_index,
        "data_time": firing.data_time.isoformat() if firing.data_time else None,
        "what": firing.what,
        "at": (firing.at or now).isoformat(),
        "fired_at": now.isoformat(),
        "owners": owners,
        **firing.more,
    }


def _event(firing: Firing, rule: Rule, facts: dict[str, Any], book: AddressBook, now: datetime) -> AlarmEvent:
    quiet = rule.quiet()
    held_until = quiet.until(now, rule.level) if quiet else None
    told_at = held_until or now
    needs_addresses = any(channel.channel == EMAIL for channel in rule.channels)
    names = names_of(rule.recipients, facts["owners"]) if needs_addresses else []
    return AlarmEvent(
        rule_id=firing.rule_id,
        key=firing.key,
        dag_id=firing.dag_id,
        task_id=firing.task_id,
        run_id=firing.run_id,
        map_index=firing.map_index,
        attempt=firing.attempt,
        data_time=firing.data_time,
        kind=rule.kind.value,
        level=rule.level,
        facts=facts,
        fired_at=now,
        unreachable=book.people(names).unreachable,
        held_until=held_until,
        repeats=0,
        next_repeat_at=told_at + timedelta(minutes=rule.repeat.minutes) if rule.repeat else None,
        escalates_at=told_at + timedelta(minutes=rule.escalation.after) if rule.escalation else None,
    )


def messages(
    rule: Rule, events: Sequence[AlarmEvent], recipients: Recipients, book: AddressBook, why: Why, now: datetime
) -> list[dict[str, Any]]:
    """Return the rows of the messages about firings of one rule: one for each person and e-mail channel, one for each
    other channel. Each person reads of the firings of what they own; users and addresses of all.
    """
    rows = []
    for channel in rule.channels:
        for recipient, told in _told(channel, events, recipients, book).items():
            content = alarm_content([event.facts for event in told], why)
            rows.append(
                delivery_row(channel, recipient, content, why, now, event_id=told[0].id, rule_id=told[0].rule_id)
            )
    return rows


def _told(
    channel: Channel, events: Sequence[AlarmEvent], recipients: Recipients, book: AddressBook
) -> dict[str, list[AlarmEvent]]:
    if channel.channel != EMAIL:
        return {"": list(events)}
    told: dict[str, list[AlarmEvent]] = {}
    for event in events:
        people = book.people(names_of(recipients, event.facts["owners"]), recipients.addresses)
        for address in people.addresses:
            told.setdefault(address, []).append(event)
    return told


def delivery_row(
    channel: Channel,
    recipient: str,
    content: dict[str, Any],
    why: Why,
    now: datetime,
    *,
    event_id: int | None = None,
    rule_id: int | None = None,
    operation_id: int | None = None,
) -> dict[str, Any]:
    """Return the row of a message that waits to be sent."""
    return {
        "event_id": event_id,
        "rule_id": rule_id,
        "operation_id": operation_id,
        "why": why.value,
        "channel_key": channel.key,
        "channel": channel.as_json(),
        "recipient": recipient,
        "content": content,
        "state": DeliveryState.WAITING.value,
        "attempts": 0,
        "created_at": now,
        "next_attempt_at": now,
        "expires_at": now + timedelta(hours=config.delivery_window_hours()),
    }
