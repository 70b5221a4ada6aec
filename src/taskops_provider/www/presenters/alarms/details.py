"""The page of one alarm (requirements 7)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from taskops_provider.services.alarms.listing import show_alarm
from taskops_provider.www.page_request import PageRequest
from taskops_provider.www.presenters import text
from taskops_provider.www.presenters.alarms import words
from taskops_provider.www.presenters.alarms.deliveries import HIDDEN, DeliveryRow, delivery_row
from taskops_provider.www.presenters.alarms.rows import DETAILS, AlarmRow, alarm_row
from taskops_provider.www.presenters.lists.rows import CellLink
from taskops_provider.www.presenters.text import Name, Time


@dataclass(frozen=True, slots=True)
class AlarmPage:
    """What ``alarms/event.html`` shows."""

    page: str
    section: str
    title: str
    row: AlarmRow
    kind: str
    dag_id: Name
    dag_url: str
    task_id: Name | None
    task_url: str
    run_id: str
    run_url: str
    map_index: int
    owners: str
    acknowledged_at: Time | None
    acknowledged_by: str | None
    repeats: int
    next_repeat_at: Time | None
    escalated_at: Time | None
    unreachable: str
    deliveries: Sequence[DeliveryRow]
    links: Sequence[CellLink]
    hidden: str


def present_alarm(asked: PageRequest) -> AlarmPage:
    """Return the page of an alarm.

    :raises BadInput: for a number that is none
    :raises ResourceNotFound: if there is no such alarm, or the actor may not read its Dag
    """
    alarm = show_alarm(asked.session, asked.actor, asked.number("id"))
    row = alarm_row(asked, alarm, is_editable=bool(asked.actor.permissions.editable([alarm.dag_id])))
    urls = asked.urls
    return AlarmPage(
        page=DETAILS,
        section="alarms",
        title=f"Alarm {row.number}: {alarm.headline}",
        row=row,
        kind=words.KINDS[alarm.kind],
        dag_id=text.name(alarm.dag_id),
        dag_url=urls.page("workflow", {"dag_id": alarm.dag_id}),
        task_id=text.name(alarm.task_id) if alarm.task_id else None,
        task_url=urls.page("task", {"dag_id": alarm.dag_id, "task_id": alarm.task_id or ""}),
        run_id=alarm.run_id or "",
        run_url=urls.run(alarm.dag_id, alarm.run_id) if alarm.run_id else "",
        map_index=-1 if alarm.iteration else alarm.map_index,  # the title has the iteration
        owners=", ".join(alarm.owners),
        acknowledged_at=text.time(alarm.acknowledged_at),
        acknowledged_by=alarm.acknowledged_by,
        repeats=alarm.repeats,
        next_repeat_at=text.time(alarm.next_repeat_at),
        escalated_at=text.time(alarm.escalated_at),
        unreachable=", ".join(alarm.unreachable),
        deliveries=[delivery_row(one) for one in alarm.deliveries],
        links=row.links[1:],
        hidden="" if asked.actor.permissions.may_read_addresses() else HIDDEN,
    )
