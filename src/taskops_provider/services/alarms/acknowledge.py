"""Acknowledging alarms: they are neither repeated nor escalated any more."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import delete
from sqlalchemy.orm import Session

from taskops_provider.adapter import audit
from taskops_provider.domain.alarms.deliveries import DeliveryCause, DeliveryState
from taskops_provider.domain.chunks import chunks
from taskops_provider.exceptions import Forbidden, ResourceNotFound
from taskops_provider.models import AlarmDelivery, AlarmEvent
from taskops_provider.services.alarms.answers import AlarmAnswer
from taskops_provider.services.alarms.listing import AlarmFilter, alarm_answers, matching_alarms, visible_alarms
from taskops_provider.services.shared.actor import Actor
from taskops_provider.services.shared.task_keys import CHUNK


def acknowledge_alarm(session: Session, actor: Actor, alarm_id: int, now: datetime) -> AlarmAnswer:
    """Acknowledge an alarm: it is neither repeated nor escalated any more. A second time changes nothing.

    Repeats and escalations that still wait for their channel are not sent either. The caller commits.

    :raises ResourceNotFound: if there is no such alarm, or the actor may not see it
    :raises Forbidden: if the actor may not edit its Dag
    """
    return acknowledge_alarms(session, actor, [alarm_id], now)[0]


def acknowledge_alarms(session: Session, actor: Actor, alarm_ids: Collection[int], now: datetime) -> list[AlarmAnswer]:
    """Acknowledge alarms, as :func:`acknowledge_alarm` does one: all or none. Queries do not depend on how many, up to
    400.

    :raises ResourceNotFound: if one does not exist, or the actor may not see it
    :raises Forbidden: if the actor may not edit the Dag of one
    """
    rows = changeable_alarms(session, actor, alarm_ids)
    unacknowledged = [row for row in rows if row.confirmed_at is None]
    for row in unacknowledged:
        row.confirmed_at, row.confirmed_by = now, actor.recorded_name
        row.next_repeat_at = row.escalates_at = None
    _drop_waiting(session, [row.id for row in unacknowledged])
    audit.write(
        session,
        event="taskops.alarm-confirm",
        actor=actor.name,
        at=now,
        entries=[
            (row.dag_id, row.task_id or None, {"event_id": row.id, "rule_id": row.rule_id, "source": actor.source})
            for row in unacknowledged
        ],
    )
    session.flush()
    return alarm_answers(session, actor, rows)


def _drop_waiting(session: Session, alarm_ids: Sequence[int]) -> None:
    """Take back repeats and escalations: a channel that was down would deliver them later."""
    again = (
        AlarmDelivery.state == DeliveryState.WAITING.value,
        AlarmDelivery.why.in_((DeliveryCause.REPEAT.value, DeliveryCause.ESCALATION.value)),
    )
    for some in chunks(alarm_ids, CHUNK):
        session.execute(delete(AlarmDelivery).where(AlarmDelivery.event_id.in_(some), *again))


def changeable_alarms(session: Session, actor: Actor, alarm_ids: Collection[int]) -> list[AlarmEvent]:
    """Return alarms that the actor may acknowledge, each once, in the order of their numbers.

    :raises ResourceNotFound: if one does not exist, or the actor may not see it
    :raises Forbidden: if the actor may not edit the Dag of one
    """
    wanted = sorted(set(alarm_ids))
    rows: list[AlarmEvent] = []
    for some in chunks(wanted, CHUNK):
        query = visible_alarms(actor).where(AlarmEvent.id.in_(some))
        rows += session.scalars(query.order_by(AlarmEvent.id))
    if missing := sorted(set(wanted) - {row.id for row in rows}):
        raise ResourceNotFound(f"alarm {missing[0]} does not exist")
    editable = actor.permissions.editable({row.dag_id for row in rows})
    for row in rows:
        if row.dag_id not in editable:
            raise Forbidden(f"you may not acknowledge alarms of Dag {row.dag_id!r}")
    return rows


def unacknowledged_ids(session: Session, actor: Actor, where: AlarmFilter) -> list[int]:
    """Return the numbers of all alarms that match, that nobody has acknowledged and the actor may, the oldest first.

    :raises BadInput: for an unknown kind
    """
    query = matching_alarms(where, actor).where(AlarmEvent.confirmed_at.is_(None))
    found = session.execute(query.with_only_columns(AlarmEvent.id, AlarmEvent.dag_id).order_by(AlarmEvent.id)).all()
    editable = actor.permissions.editable({row.dag_id for row in found})
    return [row.id for row in found if row.dag_id in editable]
