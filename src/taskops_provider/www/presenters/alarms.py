"""What fired: the list, one of them, and the dialog that confirms (SPEC 7)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from taskops_provider.exceptions import BadInput, TaskOpsError
from taskops_provider.services.alarm_events import (
    EventFilter,
    confirm_events,
    confirmable_events,
    list_events,
    open_events,
    show_event,
)
from taskops_provider.services.alarm_message import headline
from taskops_provider.www.asked import Asked
from taskops_provider.www.forms import selection_of, step_of
from taskops_provider.www.presenters import alarm_filters, alarm_words, filters, listing, moments, text
from taskops_provider.www.presenters.alarm_filters import State
from taskops_provider.www.presenters.changes import CHANGED, Answer, refused
from taskops_provider.www.presenters.columns import Column
from taskops_provider.www.presenters.rows import Action, Link

PAGE, DETAILS = "alarms", "alarm"
CONFIRM = "alarms/confirm"
COLUMNS = (
    Column("number", "No."),
    Column("at", "Fired", kind="time"),
    Column("level", "Level"),
    Column("what", "What"),
    Column("data-time", "Data time", kind="time"),
    Column("state", "State"),
    Column("messages", "Messages"),
)
#: alarms that are confirmed at once
MAX_CONFIRMED = 10_000
#: alarms that the dialog names; the others are counted
_NAMED = 10
_STATES = (State("open", "Open", "red", meaning=False), State("confirmed", "Confirmed", "green", meaning=True))
_TITLE = "Confirm"


def present(asked: Asked) -> dict[str, Any]:
    """Return what the template ``alarms.html`` shows."""
    problems = filters.Problems()
    where = _filter(asked, problems)

    def read(*, limit: int, offset: int, order_by: str) -> Any:
        return list_events(asked.session, asked.actor, where, limit=limit, offset=offset)

    found, page = listing.fetch(read, listing.page_of(asked, problems), "", problems)
    fields = _fields(asked, where)
    query = {field.name: field.values for field in fields}
    query["zone"] = (asked.one("zone"),) if where.since or where.until else ()
    address = listing.Address(asked, PAGE, query)
    editable = asked.actor.permissions.editable({event["dag_id"] for event in found.rows})
    rows = [_row(asked, event, may_confirm=event["dag_id"] in editable) for event in found.rows]
    return {
        "page": PAGE,
        "title": "Alarms",
        "problems": problems.lines,
        "fields": fields,
        "quick": alarm_filters.quick(asked, PAGE, fields, _STATES),
        "quick_label": "State",
        "zone": "".join(query["zone"]),
        "chips": listing.chips(fields, address),
        "reset_url": asked.urls.page(PAGE),
        "refresh_url": address.url(page=str(page) if page > 1 else ""),
        "headers": listing.headers(COLUMNS, "", address),
        "matching": listing.query_string(query),
        "toolbar": (_confirm(asked),) if any(row["target"] for row in rows) else (),
        "rows": rows,
        "pager": listing.pager(found, page, address),
        "counted": text.count(found.total_entries, "alarm"),
        "reads_all": asked.actor.permissions.readable() is None,
    }


def _filter(asked: Asked, problems: filters.Problems) -> EventFilter:
    """Return what the list's fields ask for."""
    shared, is_confirmed = alarm_filters.read(asked, problems, _STATES)
    since, until = moments.period(asked, problems)
    return EventFilter(**shared, confirmed=is_confirmed, since=since, until=until)


def _fields(asked: Asked, where: EventFilter) -> list[filters.Field]:
    return [
        *alarm_filters.fields(where, "Workflow or task ID", _STATES, where.confirmed),
        filters.moment_field("since", "Fired since", asked.one("since") if where.since else "", asked.one("zone")),
        filters.moment_field("until", "until", asked.one("until") if where.until else "", asked.one("zone")),
    ]


def _confirm(asked: Asked, why_not: str = "") -> Action:
    return Action("confirm", _TITLE, asked.urls.page(CONFIRM), why_not)


def _row(asked: Asked, event: Mapping[str, Any], *, may_confirm: bool) -> dict[str, Any]:
    number = str(event["event_id"])
    url = asked.urls.page(DETAILS, {"id": number})
    why_not = f"{event['confirmed_by']} has confirmed it" if event["confirmed_at"] else ""
    return {
        "number": number,
        "target": number if may_confirm and not why_not else "",
        "id": text.name(f"alarm {number}"),
        "name": text.name(f"Alarm {number}"),
        "url": url,
        "at": text.time(event["fired_at"]),
        "level": alarm_words.LEVELS[event["level"]],
        "headline": event["headline"],
        "what": event["what"],
        "data_time": text.time(event["data_time"]),
        "badge": alarm_words.state(event),
        "beside_state": _beside_state(event),
        "held_until": text.time(event["held_until"]),
        "messages": alarm_words.messages(event),
        "actions": (_confirm(asked, why_not),) if may_confirm else (),
        "links": [Link("Details", url), *_links(asked, event)],
    }


def _beside_state(event: Mapping[str, Any]) -> str:
    if event["confirmed_at"]:
        return f"by {event['confirmed_by']}"
    parts = [f"said again {text.count(event['repeats'], 'time')}"] if event["repeats"] else []
    if event["escalated_at"]:
        parts.append("escalated")
    return ", ".join(parts)


def _links(asked: Asked, event: Mapping[str, Any]) -> list[Link]:
    """Where one looks for the cause."""
    dag_id, task_id, run_id, urls = event["dag_id"], event["task_id"], event["run_id"], asked.urls
    found = []
    if task_id:
        found.append(Link("Task", urls.page("task", {"dag_id": dag_id, "task_id": task_id, "view": "history"})))
    found.append(Link("Workflow", urls.page("workflow", {"dag_id": dag_id})))
    if event["rule_id"]:
        found.append(Link("Rule", urls.page("alarm_rules", {"rule": str(event["rule_id"])})))
    if task_id and run_id:
        found.append(Link("Log in Airflow", urls.instance(dag_id, run_id, task_id, event["map_index"]), "airflow"))
    return found


def present_details(asked: Asked) -> dict[str, Any]:
    """Return what the template ``alarm.html`` shows.

    :raises BadInput: for a number that is none
    :raises NotFound: when there is no such alarm, or the actor may not read its Dag
    """
    event = show_event(asked.session, asked.actor, asked.number("id"))
    may_confirm = bool(asked.actor.permissions.editable([event["dag_id"]]))
    row = _row(asked, event, may_confirm=may_confirm)
    return {
        "page": DETAILS,
        "section": PAGE,
        "title": f"Alarm {row['number']}: {event['headline']}",
        "row": row,
        "kind": alarm_words.KINDS[event["kind"]],
        "dag_id": text.name(event["dag_id"]),
        "dag_url": asked.urls.page("workflow", {"dag_id": event["dag_id"]}),
        "task_id": text.name(event["task_id"]) if event["task_id"] else None,
        "task_url": asked.urls.page("task", {"dag_id": event["dag_id"], "task_id": event["task_id"] or ""}),
        "run_id": event["run_id"] or "",
        "run_url": asked.urls.run(event["dag_id"], event["run_id"]) if event["run_id"] else "",
        "map_index": event["map_index"],
        "owners": ", ".join(event["owners"]),
        "confirmed_at": text.time(event["confirmed_at"]),
        "confirmed_by": event["confirmed_by"],
        "repeats": event["repeats"],
        "next_repeat_at": text.time(event["next_repeat_at"]),
        "escalated_at": text.time(event["escalated_at"]),
        "unreachable": ", ".join(event["unreachable"]),
        "deliveries": [delivery(one) for one in event["deliveries"]],
        "links": row["links"][1:],
    }


def delivery(one: Mapping[str, Any]) -> dict[str, Any]:
    """Return one message, as the pages show it."""
    return {
        "why": alarm_words.WHY[one["why"]],
        "channel": alarm_words.channel(one["channel"], one["connection"]),
        "recipient": one["recipient"] or "",
        "badge": alarm_words.DELIVERIES[one["state"]],
        "attempts": one["attempts"],
        "created": text.time(one["created_at"]),
        "ended": text.time(one["ended_at"]),
        "error": one["error"] or "",
    }


def present_confirm(asked: Asked) -> Answer:
    """Return the dialog that asks whether, or confirm and say so. Errors are shown in the dialog."""
    try:
        return _apply(asked) if step_of(asked) == "apply" else _preview(asked)
    except TaskOpsError as error:
        # nothing of what the error interrupted is kept
        asked.session.rollback()
        return refused(_TITLE, error, is_part=False)


def _chosen(asked: Asked) -> list[int]:
    """The alarms that are selected, or all open ones that match the list's filter."""
    newest = asked.number("newest") if asked.one("newest") else None

    def matching(listed: Asked, problems: filters.Problems) -> list[int]:
        ids = open_events(asked.session, asked.actor, _filter(listed, problems))
        # what fired since the dialog asked is not meant
        return [number for number in ids if newest is None or number <= newest]

    return alarm_filters.chosen(asked, matching, "open alarm", MAX_CONFIRMED)


def _preview(asked: Asked) -> Answer:
    events = [
        event for event in confirmable_events(asked.session, asked.actor, _chosen(asked)) if not event.confirmed_at
    ]
    if not events:
        raise BadInput("they are confirmed already")
    noun = text.count(len(events), "alarm")
    return Answer(
        "ask.html",
        {
            "title": f"Confirm {noun}?",
            "address": asked.urls.page(CONFIRM),
            "fields": (*selection_of(asked), ("newest", str(events[-1].id))),
            "lines": ["What is confirmed is neither said again nor escalated any more."],
            "items": [headline(event.facts) for event in events[:_NAMED]],
            "more": max(len(events) - _NAMED, 0),
            "action": f"Confirm {noun}",
        },
    )


def _apply(asked: Asked) -> Answer:
    done = confirm_events(asked.session, asked.actor, _chosen(asked), asked.now)
    noun = text.count(len(done), "alarm")
    return Answer("asked.html", {"title": f"{noun} confirmed"}, headers=CHANGED)
