"""The list of alarm rules, and what can be done with them (SPEC 7)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qs

from taskops_provider.domain.alarms import DeliveryState
from taskops_provider.exceptions import BadInput, TaskOpsError
from taskops_provider.services import alarm_changes, alarm_send
from taskops_provider.services.alarm_changes import MAX_RULES
from taskops_provider.services.alarm_events import deliveries_by_id, prepare_test
from taskops_provider.services.alarm_rules import (
    RuleFilter,
    editable_rules,
    list_rules,
    matching_rules,
    may_edit,
    rule_json,
)
from taskops_provider.www.asked import Asked
from taskops_provider.www.forms import selection_of, step_of
from taskops_provider.www.presenters import alarm_rule, alarm_words, alarms, filters, listing, text
from taskops_provider.www.presenters.changes import CHANGED, Answer, refused
from taskops_provider.www.presenters.columns import Column
from taskops_provider.www.presenters.filters import Quick
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
_STATES: Mapping[str, str] = {"on": "On", "off": "Off"}
_ON, _OFF = Badge("On", "green"), Badge("Off", "grey")
#: rules that the dialog names; the others are counted
_NAMED = 10


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
    fields = _fields(where)
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
        "quick": _quick(asked, where),
        "quick_label": "State",
        "chips": listing.chips(fields, address),
        "reset_url": asked.urls.page(PAGE),
        "refresh_url": address.url(page=str(page) if page > 1 else ""),
        "new_url": asked.urls.page(alarm_rule.NEW),
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


def _filter(asked: Asked, problems: filters.Problems) -> RuleFilter:
    states = problems.only("State", asked.many("state"), _STATES)
    levels = problems.only("Level", asked.many("level"), map(str, alarm_words.LEVELS))
    return RuleFilter(
        rule_id=asked.number("rule") if asked.one("rule") else None,
        dag_id=asked.one("dag_id"),
        task_id=asked.one("task_id"),
        kinds=problems.only("Kind", asked.many("kind"), alarm_words.KINDS),
        levels=tuple(int(level) for level in levels),
        enabled=states[0] == "on" if len(states) == 1 else None,
        search=asked.one("q"),
    )


def _fields(where: RuleFilter) -> list[filters.Field]:
    states = () if where.enabled is None else ("on" if where.enabled else "off",)
    levels = {str(level): badge.text for level, badge in alarm_words.LEVELS.items()}
    hint = "Name, workflow or task ID"
    return [
        filters.text_field("q", hint, where.search, hint),
        filters.hidden_field("dag_id", "Workflow", [where.dag_id] if where.dag_id else []),
        filters.hidden_field("task_id", "Task", [where.task_id] if where.task_id else []),
        filters.hidden_field("rule", "Rule", [str(where.rule_id)] if where.rule_id else []),
        filters.fixed_field("state", "State", states, _STATES),
        filters.fixed_field("kind", "Kind", where.kinds, alarm_words.KINDS),
        filters.fixed_field("level", "Level", [str(level) for level in where.levels], levels),
    ]


def _quick(asked: Asked, where: RuleFilter) -> list[Quick]:
    of = {"dag_id": where.dag_id, "task_id": where.task_id}
    of = {name: value for name, value in of.items() if value}
    plain = RuleFilter(dag_id=where.dag_id, task_id=where.task_id)
    views: Sequence[tuple[str, RuleFilter, dict[str, str], str]] = (
        ("All", plain, {}, ""),
        ("On", replace(plain, enabled=True), {"state": "on"}, "green"),
        ("Off", replace(plain, enabled=False), {"state": "off"}, "grey"),
    )
    return [Quick(label, asked.urls.page(PAGE, of | query), tone, where == view) for label, view, query, tone in views]


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
        "before": _before(rule),
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


def _before(rule: Mapping[str, Any]) -> str:
    """What stands in front of the name of what a rule is on."""
    if rule["task_id"]:
        return ""
    return "any task of" if rule["dag_id"] else "any task of project"


def present_change(asked: Asked, verb: Verb) -> Answer:
    """Return the dialog that asks whether to turn rules on or off or to delete them, or do it."""
    return _answer(asked, verb.label, lambda: _ask(asked, verb), lambda: _do(asked, verb))


def present_test(asked: Asked) -> Answer:
    """Return the dialog that asks whether to send a test, or send it and say what came of it."""
    return _answer(asked, "Send a test", lambda: _ask_test(asked), lambda: _test(asked))


def _answer(asked: Asked, title: str, ask: Callable[[], Answer], do: Callable[[], Answer]) -> Answer:
    """Errors are shown in the dialog."""
    try:
        return do() if step_of(asked) == "apply" else ask()
    except TaskOpsError as error:
        # nothing of what the error interrupted is kept
        asked.session.rollback()
        return refused(title, error, is_part=False)


def _chosen(asked: Asked) -> list[int]:
    if matching := asked.one("matching"):
        problems = filters.Problems()
        where = _filter(replace(asked, args=parse_qs(matching.removeprefix("?"))), problems)
        if problems.lines:
            raise BadInput(problems.lines[0])
        ids = matching_rules(asked.session, asked.actor, where)
    else:
        ids = [replace(asked, args={"target": [value]}).number("target") for value in asked.many("target")]
    if not ids:
        raise BadInput("no rule is selected")
    if len(ids) > MAX_RULES:
        raise BadInput(f"{len(ids):,} rules are selected; at most {MAX_RULES:,} are changed at once")
    return ids


def _ask(asked: Asked, verb: Verb) -> Answer:
    found = [rule_json(row) for row, _ in editable_rules(asked.session, asked.actor, _chosen(asked))]
    noun = text.count(len(found), "rule")
    return Answer(
        "ask.html",
        {
            "title": f"{verb.label} {noun}?",
            "address": asked.urls.page(f"{PAGE}/{verb.name}"),
            "fields": selection_of(asked),
            "lines": [verb.about],
            "items": [_line(rule) for rule in found[:_NAMED]],
            "more": max(len(found) - _NAMED, 0),
            "action": f"{verb.label} {noun}",
            "is_danger": verb.is_danger,
        },
    )


def _line(rule: Mapping[str, Any]) -> str:
    on = ".".join(filter(None, (rule["dag_id"], rule["task_id"]))) or rule["project"]
    named = f"{rule['name']}: " if rule["name"] else ""
    return f"{rule['rule_id']}: {named}{f'{_before(rule)} {on}'.strip()} {alarm_words.condition(rule)}"


def _do(asked: Asked, verb: Verb) -> Answer:
    session, actor, now = asked.session, asked.actor, asked.now
    ids = _chosen(asked)
    if verb.name == "delete":
        done = alarm_changes.delete_rules(session, actor, ids, now)
    else:
        done = alarm_changes.enable_rules(session, actor, ids, now, enabled=verb.name == "enable")
    return Answer("asked.html", {"title": f"{text.count(len(done), 'rule')} {verb.done}"}, headers=CHANGED)


def _ask_test(asked: Asked) -> Answer:
    number = asked.number("target")
    ((row, _),) = editable_rules(asked.session, asked.actor, [number])
    rule = rule_json(row)
    how = [alarm_words.channel(one["channel"], one["connection"]) for one in rule["channels"]]
    told = alarm_words.people(rule["recipients"])
    return Answer(
        "ask.html",
        {
            "title": f"Send a test of rule {number}?",
            "address": asked.urls.page(f"{PAGE}/{TEST}"),
            "fields": selection_of(asked),
            "lines": [f"A message goes out at once{f' to {told}' if told else ''}, quiet hours or not, by:"],
            "items": how,
            "action": "Send a test",
        },
    )


def _test(asked: Asked) -> Answer:
    number = asked.number("target")
    ids, unreachable = prepare_test(asked.session, asked.actor, number, asked.now)
    # the sender works in transactions of its own, and must find them
    asked.session.commit()
    alarm_send.send_now(ids, f"test of rule {number}")
    asked.session.rollback()
    sent = deliveries_by_id(asked.session, ids)
    well = sum(one["state"] == DeliveryState.SENT for one in sent)
    title = f"{well:,} of {text.count(len(sent), 'message')} sent" if sent else "Nobody to tell"
    lines = [f"No address is known for {', '.join(unreachable)}."] if unreachable else []
    return Answer("asked.html", {"title": title, "lines": lines, "deliveries": [alarms.delivery(one) for one in sent]})
