"""The list of alarm rules, and what can be done with them (SPEC 7)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from taskops_provider.services.alarm_rules import RuleFilter, list_rules, matching_rules, may_edit, may_make_rules
from taskops_provider.www.asked import Asked
from taskops_provider.www.presenters import alarm_filters, alarm_rule, alarm_words, alarms, filters, listing, text
from taskops_provider.www.presenters.alarm_filters import State
from taskops_provider.www.presenters.columns import Column
from taskops_provider.www.presenters.rows import Action, Link
from taskops_provider.www.presenters.text import Badge

PAGE = "alarm_rules"
COLUMNS = (
    Column("number", "No."),
    Column("called", "Rule"),
    Column("level", "Level"),
    Column("tells", "Tells"),
    Column("how", "How"),
    Column("follow-up", "Later"),
    Column("state", "State"),
    Column("changed", "Changed", kind="time"),
)
_STATES = (State("on", "On", "green", meaning=True), State("off", "Off", "grey", meaning=False))
_ON, _OFF = Badge("On", "green"), Badge("Off", "grey")


@dataclass(frozen=True)
class Verb:
    """What is done with rules: as a button, in a question, as what was done, and what it means."""

    name: str
    label: str
    done: str
    about: str
    is_danger: bool = False


VERBS: Mapping[str, Verb] = {
    verb.name: verb
    for verb in (
        Verb("enable", "Turn on", "turned on", "They watch from now on; what happened meanwhile is not told."),
        Verb("disable", "Turn off", "turned off", "They do not watch, and repeat nothing, until they are on again."),
        Verb("delete", "Delete", "deleted", "What they fired stays in the list of alarms.", is_danger=True),
    )
}
TEST = "test"


def present(asked: Asked) -> dict[str, Any]:
    """Return what the template ``alarm_rules.html`` shows."""
    problems = filters.Problems()
    where = _filter(asked, problems)

    def read(*, limit: int, offset: int, order_by: str) -> Any:
        return list_rules(asked.session, asked.actor, where, limit=limit, offset=offset)

    found, page = listing.fetch(read, listing.page_of(asked, problems), "", problems)
    fields = alarm_filters.fields(where, "Name, workflow or task ID", _STATES, where.enabled)
    address = listing.Address(asked, PAGE, {field.name: field.values for field in fields})
    editable = may_edit(asked.actor, {_on(rule) for rule in found.rows})
    rows = [_row(asked, rule, may_change=_on(rule) in editable) for rule in found.rows]
    return {
        "page": PAGE,
        "section": alarms.PAGE,
        "nouns": "rules",
        "title": "Alarm rules",
        "problems": problems.lines,
        "fields": fields,
        "quick": alarm_filters.quick(asked, PAGE, fields, _STATES),
        "quick_label": "State",
        "chips": listing.chips(fields, address),
        "reset_url": asked.urls.page(PAGE),
        "refresh_url": address.url(page=str(page) if page > 1 else ""),
        "new_url": asked.urls.page(alarm_rule.NEW) if may_make_rules(asked.session, asked.actor) else "",
        "headers": listing.headers(COLUMNS, "", address),
        "matching": listing.query_string(address.query),
        "toolbar": tuple(_actions(asked)) if any(row["target"] for row in rows) else (),
        "rows": rows,
        "pager": listing.pager(found, page, address),
        "counted": text.count(found.total_entries, "rule"),
        "reads_all": asked.actor.permissions.readable() is None,
    }


def _on(rule: Mapping[str, Any]) -> tuple[str, str]:
    return rule["dag_id"] or "", rule["project"] or ""


def matching(asked: Asked, problems: filters.Problems) -> list[int]:
    """Return the numbers of all rules that the list's fields ask for."""
    return matching_rules(asked.session, asked.actor, _filter(asked, problems))


def _filter(asked: Asked, problems: filters.Problems) -> RuleFilter:
    shared, is_on = alarm_filters.read(asked, problems, _STATES)
    return RuleFilter(**shared, enabled=is_on)


def _actions(asked: Asked, why_not: Mapping[str, str] | None = None) -> list[Action]:
    return [
        Action(verb.name, verb.label, asked.urls.page(f"{PAGE}/{verb.name}"), (why_not or {}).get(verb.name, ""))
        for verb in VERBS.values()
    ]


def _row(asked: Asked, rule: Mapping[str, Any], *, may_change: bool) -> dict[str, Any]:
    number = str(rule["rule_id"])
    urls, dag_id, task_id = asked.urls, rule["dag_id"], rule["task_id"]
    own = (
        Action("edit", "Change", urls.page(alarm_rule.EDIT)),
        Action(TEST, "Send a test", urls.page(f"{PAGE}/{TEST}")),
    )
    why_not = {"enable": "This rule is on"} if rule["enabled"] else {"disable": "This rule is off"}
    return {
        "number": number,
        "target": number if may_change else "",
        "id": text.name(f"rule {number}"),
        "name": text.name(rule["name"] or f"Rule {number}"),
        "called": rule["name"],
        "before": alarm_words.before(rule),
        "on": text.name(f"{dag_id}.{task_id}" if task_id else dag_id or rule["project"]),
        "on_url": _on_url(asked, rule),
        "condition": alarm_words.condition(rule),
        "level": alarm_words.LEVELS[rule["level"]],
        "tells": alarm_words.people(rule["recipients"]),
        "how": ", ".join(alarm_words.channel(one["channel"], one["connection"]) for one in rule["channels"]),
        "follow_up": alarm_words.follow_up(rule),
        "badge": _ON if rule["enabled"] else _OFF,
        "changed": text.time(rule["changed_at"]),
        "changed_by": rule["changed_by"],
        "actions": (*own, *_actions(asked, why_not)) if may_change else (),
        "links": [Link("Alarms of this rule", urls.page(alarms.PAGE, {"rule": number}))],
    }


def _on_url(asked: Asked, rule: Mapping[str, Any]) -> str:
    if rule["task_id"]:
        return asked.urls.page("task", {"dag_id": rule["dag_id"], "task_id": rule["task_id"]})
    return asked.urls.page("workflow", {"dag_id": rule["dag_id"]}) if rule["dag_id"] else ""
