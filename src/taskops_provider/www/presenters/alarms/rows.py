"""A row of the list of alarms, which the page of an alarm shows too."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from taskops_provider.services.alarms.answers import AlarmAnswer
from taskops_provider.www.page_request import PageRequest
from taskops_provider.www.presenters import text
from taskops_provider.www.presenters.alarms import words
from taskops_provider.www.presenters.lists.rows import Action, CellLink
from taskops_provider.www.presenters.text import Badge, Name, Time

DETAILS, ACKNOWLEDGE = "alarm", "alarms/confirm"
LABEL = "Acknowledge"


@dataclass(frozen=True, slots=True)
class AlarmRow:
    """An alarm.

    :param target: what its box sends; empty: it has none
    :param beside_state: who has acknowledged it, or how often it was repeated
    :param messages: what became of its deliveries, and whether that is bad
    """

    number: str
    target: str
    id: Name
    name: Name
    url: str
    at: Time | None
    level: Badge
    headline: str
    what: str
    data_time: Time | None
    rule: str
    rule_url: str
    badge: Badge
    beside_state: str
    held_until: Time | None
    messages: list[tuple[str, bool]]
    actions: Sequence[Action]
    links: Sequence[CellLink]


def alarm_row(asked: PageRequest, alarm: AlarmAnswer, *, is_editable: bool) -> AlarmRow:
    """Return an alarm as a row.

    :param is_editable: whether the actor may acknowledge it
    """
    number = str(alarm.event_id)
    url = asked.urls.page(DETAILS, {"id": number})
    why_not = f"{alarm.acknowledged_by} has acknowledged it" if alarm.is_acknowledged else ""
    return AlarmRow(
        number=number,
        target=number if is_editable and not why_not else "",
        id=text.name(f"alarm {number}"),
        name=text.name(f"Alarm {number}"),
        url=url,
        at=text.time(alarm.fired_at),
        level=words.LEVELS[alarm.level],
        headline=alarm.headline,
        what=alarm.what,
        data_time=text.time(alarm.data_time),
        rule=f"Rule {alarm.rule_id}" if alarm.rule_id else "",
        rule_url=asked.urls.page("alarm_rules", {"rule": str(alarm.rule_id)}) if alarm.rule_id else "",
        badge=words.state(alarm),
        beside_state=_beside_state(alarm),
        held_until=text.time(alarm.held_until),
        messages=words.delivery_lines(alarm),
        actions=(acknowledge_action(asked, why_not),) if is_editable else (),
        links=[CellLink("Details", url), *_links(asked, alarm)],
    )


def acknowledge_action(asked: PageRequest, why_not: str = "") -> Action:
    """Return the button that acknowledges."""
    return Action("confirm", LABEL, asked.urls.page(ACKNOWLEDGE), why_not)


def _beside_state(alarm: AlarmAnswer) -> str:
    if alarm.is_acknowledged:
        return f"by {alarm.acknowledged_by}"
    parts = [f"said again {text.count(alarm.repeats, 'time')}"] if alarm.repeats else []
    if alarm.escalated_at:
        parts.append("escalated")
    return ", ".join(parts)


def _links(asked: PageRequest, alarm: AlarmAnswer) -> list[CellLink]:
    """Where to look for the cause."""
    dag_id, task_id, run_id, urls = alarm.dag_id, alarm.task_id, alarm.run_id, asked.urls
    found = []
    if task_id:
        found.append(CellLink("Task", urls.page("task", {"dag_id": dag_id, "task_id": task_id, "view": "history"})))
    found.append(CellLink("Workflow", urls.page("workflow", {"dag_id": dag_id})))
    if alarm.rule_id:
        found.append(CellLink("Rule", urls.page("alarm_rules", {"rule": str(alarm.rule_id)})))
    if task_id and run_id:
        found.append(CellLink("Log in Airflow", urls.instance(dag_id, run_id, task_id, alarm.map_index), "airflow"))
    return found
