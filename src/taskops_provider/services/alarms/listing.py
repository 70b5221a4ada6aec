"""Alarms: list them and show one, with the deliveries about them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, and_, func, or_, select
from sqlalchemy.orm import Session

from taskops_provider.adapter.any_case import holds
from taskops_provider.domain.alarms.deliveries import DeliveryCause, DeliveryState
from taskops_provider.domain.alarms.kinds import REPLENISHMENTS, Kind
from taskops_provider.domain.chunks import chunks
from taskops_provider.exceptions import NotAllowed, ResourceNotFound
from taskops_provider.models import AlarmDelivery, AlarmEvent
from taskops_provider.services.alarms.answers import AlarmAnswer, DeliveryAnswer
from taskops_provider.services.alarms.facts import AlarmFacts
from taskops_provider.services.alarms.message import headline
from taskops_provider.services.shared.actor import Actor
from taskops_provider.services.shared.filter_size import check_size
from taskops_provider.services.shared.paging import Page, check_page
from taskops_provider.services.shared.task_keys import CHUNK


@dataclass(frozen=True, slots=True)
class AlarmFilter:
    """Which alarms. Several fields mean all of them; several values of one field any of them.

    :param acknowledged: those that somebody has acknowledged, or only those that nobody has
    :param since: fired then or later
    :param search: a part of the Dag's or task's id
    """

    rule_id: int | None = None
    dag_id: str = ""
    task_id: str = ""
    kinds: tuple[str, ...] = ()
    levels: tuple[int, ...] = ()
    acknowledged: bool | None = None
    since: datetime | None = None
    until: datetime | None = None
    search: str = ""


def list_alarms(
    session: Session, actor: Actor, where: AlarmFilter, *, limit: int, offset: int = 0
) -> Page[AlarmAnswer]:
    """Return alarms, the newest first, with their deliveries. A constant number of queries.

    :raises BadInput: for an unknown kind, a negative limit or offset
    """
    check_page(limit, offset)
    query = matching_alarms(where, actor)
    total = session.scalar(select(func.count()).select_from(query.subquery())) or 0
    found = session.scalars(query.order_by(AlarmEvent.id.desc()).limit(limit).offset(offset)).all()
    return Page(alarm_answers(session, actor, found), total, limit, offset)


def show_alarm(session: Session, actor: Actor, alarm_id: int) -> AlarmAnswer:
    """Return one alarm.

    :raises ResourceNotFound: if there is no such alarm, or the actor may not see it
    """
    found = session.scalar(visible_alarms(actor).where(AlarmEvent.id == alarm_id))
    if found is None:
        raise ResourceNotFound(f"alarm {alarm_id} does not exist")
    return alarm_answers(session, actor, [found])[0]


def visible_alarms(actor: Actor) -> Select[AlarmEvent]:
    """Return the query of the alarms that the actor may see.

    An alarm tells the state of an instance or of a run: who may not read these does not see it. Alarms of
    replenishments tell only what everybody sees of them who may read the Dag.
    """
    may = actor.permissions
    is_replenishment = AlarmEvent.kind.in_([kind.value for kind in REPLENISHMENTS])
    query = select(AlarmEvent)
    for condition, dag_ids in (
        (is_replenishment, may.readable()),
        (and_(~is_replenishment, AlarmEvent.task_id != ""), may.instances_readable()),
        (and_(~is_replenishment, AlarmEvent.task_id == ""), may.runs_readable()),
    ):
        if dag_ids is not None:
            query = query.where(or_(~condition, AlarmEvent.dag_id.in_(sorted(dag_ids))))
    return query


def matching_alarms(where: AlarmFilter, actor: Actor) -> Select[AlarmEvent]:
    """Return the query of the alarms that match and that the actor may see.

    :raises BadInput: for an unknown kind, a filter that is too large
    """
    check_size(where)
    for kind in where.kinds:
        if kind not in set(Kind):
            raise NotAllowed("kind", kind, ", ".join(one.value for one in Kind))
    query = visible_alarms(actor)
    is_open = AlarmEvent.confirmed_at.is_(None)
    ids = (AlarmEvent.dag_id, AlarmEvent.task_id)
    conditions = (
        (where.rule_id is not None, AlarmEvent.rule_id == where.rule_id),
        (where.dag_id, AlarmEvent.dag_id == where.dag_id),
        (where.task_id, AlarmEvent.task_id == where.task_id),
        (where.kinds, AlarmEvent.kind.in_(where.kinds)),
        (where.levels, AlarmEvent.level.in_(where.levels)),
        (where.acknowledged is True, ~is_open),
        (where.acknowledged is False, is_open),
        (where.search, or_(*(holds(column, where.search) for column in ids))),
    )
    if where.since:
        query = query.where(AlarmEvent.fired_at >= where.since)
    if where.until:
        query = query.where(AlarmEvent.fired_at <= where.until)
    return query.where(*(condition for is_asked, condition in conditions if is_asked))


_COLUMNS = (
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


def deliveries_by_id(session: Session, actor: Actor, ids: Collection[int]) -> list[DeliveryAnswer]:
    """Return those of some deliveries that the actor may see, the oldest first."""
    query = _visible_deliveries(actor).where(AlarmDelivery.id.in_(sorted(ids))).order_by(AlarmDelivery.id)
    reads = actor.permissions.may_read_addresses()
    return [_delivery(row, reads_addresses=reads) for row in session.execute(query)]


def _visible_deliveries(actor: Actor) -> Select[*tuple[Any, ...]]:
    """The query of deliveries without those to an address that the actor may not know of: nor that there is one."""
    query = select(*_COLUMNS)
    return query if actor.permissions.may_read_addresses() else query.where(AlarmDelivery.by_name.is_(False))


def _delivery(row: Row[*tuple[Any, ...]], *, reads_addresses: bool) -> DeliveryAnswer:
    return DeliveryAnswer(
        delivery_id=row.id if reads_addresses else None,
        why=DeliveryCause(row.why),
        channel=str(row.channel.get("channel", "")) if isinstance(row.channel, dict) else "",
        connection=None,
        recipient=row.recipient or None,
        state=DeliveryState(row.state),
        attempts=row.attempts,
        created_at=row.created_at,
        ended_at=row.ended_at,
        error=row.last_error,
    )


def alarm_answers(session: Session, actor: Actor, rows: Sequence[AlarmEvent]) -> list[AlarmAnswer]:
    """Return alarms with their deliveries: one query for each 400. A delivery about several hangs on the first.

    Addresses that were found by a name, and who has none, are for those who may read addresses.
    """
    reads = actor.permissions.may_read_addresses()
    deliveries: dict[int, list[DeliveryAnswer]] = defaultdict(list)
    for ids in chunks((row.id for row in rows), CHUNK):
        query = _visible_deliveries(actor).where(AlarmDelivery.event_id.in_(ids)).order_by(AlarmDelivery.id)
        for found in session.execute(query):
            deliveries[found.event_id].append(_delivery(found, reads_addresses=reads))
    return [_alarm(row, deliveries[row.id], row.unreachable if reads else []) for row in rows]


def _alarm(row: AlarmEvent, deliveries: list[DeliveryAnswer], unreachable: list[str]) -> AlarmAnswer:
    facts = AlarmFacts.stored(row.facts)
    return AlarmAnswer(
        event_id=row.id,
        rule_id=row.rule_id,
        kind=Kind(row.kind),
        level=row.level,
        dag_id=row.dag_id,
        task_id=row.task_id or None,
        run_id=row.run_id,
        map_index=row.map_index,
        iteration=facts.iteration,
        data_time=row.data_time,
        headline=headline(facts),
        what=facts.what,
        owners=facts.owners,
        fired_at=row.fired_at,
        held_until=row.held_until,
        acknowledged_at=row.confirmed_at,
        acknowledged_by=row.confirmed_by,
        repeats=row.repeats,
        next_repeat_at=row.next_repeat_at,
        escalated_at=row.escalated_at,
        unreachable=unreachable,
        deliveries=deliveries,
    )
