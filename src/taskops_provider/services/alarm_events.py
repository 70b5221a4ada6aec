"""What fired: list, show with the messages about it, confirm; and the test of a rule."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, delete, func, or_, select
from sqlalchemy.orm import Session

from taskops_provider.adapter import audit
from taskops_provider.domain.alarms import EMAIL, AlarmScope, DeliveryState, Kind, Why
from taskops_provider.exceptions import BadInput, Forbidden, NotFound
from taskops_provider.models import AlarmDelivery, AlarmEvent
from taskops_provider.services.actor import Actor
from taskops_provider.services.alarm_fire import delivery_row
from taskops_provider.services.alarm_message import alarm_content, headline
from taskops_provider.services.alarm_people import book_for, names_of, owners_of
from taskops_provider.services.alarm_rules import editable_rule
from taskops_provider.services.paging import Page, check_page
from taskops_provider.services.pairs import CHUNK


@dataclass(frozen=True)
class EventFilter:
    """Which firings. Several fields mean all of them; several values of one field any of them.

    :param confirmed: those that somebody has confirmed, or those alone that nobody has
    :param since: fired then or later
    :param search: a part of the Dag's or task's id
    """

    rule_id: int | None = None
    dag_id: str = ""
    task_id: str = ""
    kinds: tuple[str, ...] = ()
    levels: tuple[int, ...] = ()
    confirmed: bool | None = None
    since: datetime | None = None
    until: datetime | None = None
    search: str = ""


def list_events(
    session: Session, actor: Actor, where: EventFilter, *, limit: int, offset: int = 0
) -> Page[dict[str, Any]]:
    """Return firings, the newest first, with the messages about them. A constant number of queries.

    :raises BadInput: for an unknown kind, a negative limit or offset
    """
    check_page(limit, offset)
    query = _matching(select(AlarmEvent), where, actor)
    total = session.scalar(select(func.count()).select_from(query.subquery())) or 0
    found = session.scalars(query.order_by(AlarmEvent.id.desc()).limit(limit).offset(offset)).all()
    return Page(_shown(session, found), total, limit, offset)


def show_event(session: Session, actor: Actor, event_id: int) -> dict[str, Any]:
    """Return one firing.

    :raises NotFound: where there is no such firing, or it may not be seen
    """
    return _shown(session, [_get(session, actor, event_id)])[0]


def confirm_event(session: Session, actor: Actor, event_id: int, now: datetime) -> dict[str, Any]:
    """Confirm a firing: it is neither repeated nor escalated any more. Confirming twice changes nothing.

    Repeats and escalations that still wait for their channel are not sent either. The caller commits.

    :raises NotFound: where there is no such firing, or it may not be seen
    :raises Forbidden: where the actor may not edit its Dag
    """
    return confirm_events(session, actor, [event_id], now)[0]


def confirm_events(session: Session, actor: Actor, event_ids: Collection[int], now: datetime) -> list[dict[str, Any]]:
    """Confirm firings, as :func:`confirm_event` does one: all or none. Queries do not depend on how many, up to 400.

    :raises NotFound: where one does not exist, or may not be seen
    :raises Forbidden: where the actor may not edit the Dag of one
    """
    events = confirmable_events(session, actor, event_ids)
    opened = [event for event in events if event.confirmed_at is None]
    for event in opened:
        event.confirmed_at, event.confirmed_by = now, actor.name[:250]
        event.next_repeat_at = event.escalates_at = None
    _drop_waiting(session, [event.id for event in opened])
    audit.write(
        session,
        event="taskops.alarm-confirm",
        actor=actor.name,
        at=now,
        entries=[
            (
                event.dag_id,
                event.task_id or None,
                {"event_id": event.id, "rule_id": event.rule_id, "source": actor.source},
            )
            for event in opened
        ],
    )
    session.flush()
    return _shown(session, events)


def _drop_waiting(session: Session, event_ids: Sequence[int]) -> None:
    """Take back what was to be said again: a channel that was down would deliver it after the confirmation."""
    again = (
        AlarmDelivery.state == DeliveryState.WAITING.value,
        AlarmDelivery.why.in_((Why.REPEAT.value, Why.ESCALATION.value)),
    )
    for at in range(0, len(event_ids), CHUNK):
        session.execute(delete(AlarmDelivery).where(AlarmDelivery.event_id.in_(event_ids[at : at + CHUNK]), *again))


def confirmable_events(session: Session, actor: Actor, event_ids: Collection[int]) -> list[AlarmEvent]:
    """Return firings that the actor may confirm, each once, in the order of their numbers.

    :raises NotFound: where one does not exist, or may not be seen
    :raises Forbidden: where the actor may not edit the Dag of one
    """
    wanted = sorted(set(event_ids))
    events: list[AlarmEvent] = []
    for at in range(0, len(wanted), CHUNK):
        query = _visible(select(AlarmEvent), actor).where(AlarmEvent.id.in_(wanted[at : at + CHUNK]))
        events += session.scalars(query.order_by(AlarmEvent.id))
    if missing := sorted(set(wanted) - {event.id for event in events}):
        raise NotFound(f"alarm {missing[0]} does not exist")
    editable = actor.permissions.editable({event.dag_id for event in events})
    for event in events:
        if event.dag_id not in editable:
            raise Forbidden(f"you may not confirm alarms of Dag {event.dag_id!r}")
    return events


def open_events(session: Session, actor: Actor, where: EventFilter) -> list[int]:
    """Return the numbers of all firings that match, that nobody has confirmed and the actor may, the oldest first.

    :raises BadInput: for an unknown kind
    """
    query = _matching(select(AlarmEvent), where, actor).where(AlarmEvent.confirmed_at.is_(None))
    columns = query.with_only_columns(AlarmEvent.id, AlarmEvent.dag_id)
    found = session.execute(columns.order_by(AlarmEvent.id)).all()
    editable = actor.permissions.editable({row.dag_id for row in found})
    return [row.id for row in found if row.dag_id in editable]


def prepare_test(session: Session, actor: Actor, rule_id: int, now: datetime) -> tuple[list[int], list[str]]:
    """Write the messages of a test of a rule; return their numbers, and who has no address. The caller commits, and
    then has them sent (``alarm_send.send_now``).

    :raises NotFound: where there is no such rule, or it may not be seen
    :raises Forbidden: where the actor may not edit what it is on
    """
    row, rule = editable_rule(session, actor, rule_id)
    pair = (rule.dag_id, rule.task_id)
    owners = owners_of(session, [pair]) if rule.dag_id else {}
    own = owners.get(pair, [])
    names = names_of(rule.recipients, own)
    people = book_for(session, [rule.recipients], owners).people(names, rule.recipients.addresses)
    facts = {
        "rule_id": row.id,
        "rule": rule.name,
        "kind": rule.kind.value,
        "level": rule.level,
        "project": rule.project,
        "dag_id": rule.dag_id or rule.project,
        "task_id": rule.task_id,
        "run_id": None,
        "map_index": -1,
        "data_time": None,
        "what": f"This is how the rule would tell that something {rule.kind.value.replace('_', ' ')}",
        "at": now.isoformat(),
        "fired_at": now.isoformat(),
        "owners": own,
    }
    content = alarm_content([facts], Why.TEST, has_links=rule.scope is not AlarmScope.PROJECT)
    rows = [
        AlarmDelivery(**delivery_row(channel, recipient, content, Why.TEST, now, rule_id=row.id))
        for channel in rule.channels
        for recipient in (people.addresses if channel.channel == EMAIL else [""])
    ]
    session.add_all(rows)
    session.flush()
    emails = any(channel.channel == EMAIL for channel in rule.channels)
    return [one.id for one in rows], people.unreachable if emails else []


def deliveries_by_id(session: Session, ids: Collection[int]) -> list[dict[str, Any]]:
    """Return messages as every surface shows them."""
    query = select(*_DELIVERY).where(AlarmDelivery.id.in_(sorted(ids))).order_by(AlarmDelivery.id)
    return [_delivery(row) for row in session.execute(query)]


_DELIVERY = (
    AlarmDelivery.id,
    AlarmDelivery.event_id,
    AlarmDelivery.why,
    AlarmDelivery.channel,
    AlarmDelivery.recipient,
    AlarmDelivery.state,
    AlarmDelivery.attempts,
    AlarmDelivery.created_at,
    AlarmDelivery.ended_at,
    AlarmDelivery.last_error,
)


def _delivery(row: Any) -> dict[str, Any]:
    return {
        "delivery_id": row.id,
        "why": row.why,
        "channel": row.channel["channel"],
        "connection": row.channel["connection"],
        "recipient": row.recipient or None,
        "state": row.state,
        "attempts": row.attempts,
        "created_at": row.created_at,
        "ended_at": row.ended_at,
        "error": row.last_error,
    }


def _matching(query: Select[Any], where: EventFilter, actor: Actor) -> Select[Any]:
    for kind in where.kinds:
        if kind not in set(Kind):
            raise BadInput(f"kind {kind!r} does not exist; allowed are {', '.join(one.value for one in Kind)}")
    if where.rule_id is not None:
        query = query.where(AlarmEvent.rule_id == where.rule_id)
    if where.dag_id:
        query = query.where(AlarmEvent.dag_id == where.dag_id)
    if where.task_id:
        query = query.where(AlarmEvent.task_id == where.task_id)
    if where.kinds:
        query = query.where(AlarmEvent.kind.in_(where.kinds))
    if where.levels:
        query = query.where(AlarmEvent.level.in_(where.levels))
    if where.confirmed is not None:
        is_open = AlarmEvent.confirmed_at.is_(None)
        query = query.where(~is_open if where.confirmed else is_open)
    if where.since:
        query = query.where(AlarmEvent.fired_at >= where.since)
    if where.until:
        query = query.where(AlarmEvent.fired_at <= where.until)
    if where.search:
        columns = (AlarmEvent.dag_id, AlarmEvent.task_id)
        query = query.where(or_(*(column.icontains(where.search, autoescape=True) for column in columns)))
    return _visible(query, actor)


def _visible(query: Select[Any], actor: Actor) -> Select[Any]:
    readable = actor.permissions.readable()
    return query if readable is None else query.where(AlarmEvent.dag_id.in_(sorted(readable)))


def _get(session: Session, actor: Actor, event_id: int) -> AlarmEvent:
    found = session.scalar(_visible(select(AlarmEvent), actor).where(AlarmEvent.id == event_id))
    if found is None:
        raise NotFound(f"alarm {event_id} does not exist")
    return found


def _shown(session: Session, events: Sequence[AlarmEvent]) -> list[dict[str, Any]]:
    """Firings with their messages: one query. A message about several hangs on the first of them."""
    messages: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for at in range(0, len(events), CHUNK):
        query = select(*_DELIVERY).where(AlarmDelivery.event_id.in_([event.id for event in events[at : at + CHUNK]]))
        for row in session.execute(query.order_by(AlarmDelivery.id)):
            messages[row.event_id].append(_delivery(row))
    return [
        {
            "event_id": event.id,
            "rule_id": event.rule_id,
            "kind": event.kind,
            "level": event.level,
            "dag_id": event.dag_id,
            "task_id": event.task_id or None,
            "run_id": event.run_id,
            "map_index": event.map_index,
            "data_time": event.data_time,
            "headline": headline(event.facts),
            "what": event.facts["what"],
            "owners": event.facts["owners"],
            "fired_at": event.fired_at,
            "held_until": event.held_until,
            "confirmed_at": event.confirmed_at,
            "confirmed_by": event.confirmed_by,
            "repeats": event.repeats,
            "next_repeat_at": event.next_repeat_at,
            "escalated_at": event.escalated_at,
            "unreachable": event.unreachable,
            "deliveries": messages[event.id],
        }
        for event in events
    ]
