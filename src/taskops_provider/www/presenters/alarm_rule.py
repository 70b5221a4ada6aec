"""The dialog in which an alarm rule is made or changed: from a task, a selection, the list of rules (B16)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from taskops_provider.domain.alarms import (
    DEFAULT_LAST,
    EMAIL,
    LEVELS,
    MAX_DAYS,
    MAX_LAST,
    MAX_MINUTES,
    MAX_NAME_LENGTH,
    MAX_PERCENT,
    MAX_REPEATS,
    WEBHOOK,
    AlarmScope,
    Kind,
    On,
)
from taskops_provider.domain.operations import Scope, Target
from taskops_provider.exceptions import TaskOpsError
from taskops_provider.services.alarm_changes import check_targets, create_rule, create_rules, update_rule
from taskops_provider.services.alarm_rules import RuleFilter, editable_rule, list_rules, project_of, rule_json
from taskops_provider.www import alarm_form
from taskops_provider.www.asked import Asked
from taskops_provider.www.forms import selection_of, step_of, targets_of
from taskops_provider.www.presenters import alarm_words, text
from taskops_provider.www.presenters.changes import CHANGED, WHOLE, Answer, refused

NEW, EDIT = "alarm_rules/new", "alarm_rules/edit"
_TITLE = "Set alarm"
_EMPTY: Mapping[str, Any] = {
    "name": "",
    "scope": AlarmScope.TASK.value,
    "dag_id": None,
    "task_id": None,
    "project": None,
    "kind": Kind.FAILED.value,
    "level": 1,
    "parameters": {},
    "recipients": {"owners": True, "users": [], "addresses": []},
    "channels": [{"channel": EMAIL, "connection": None, "args": {}}],
    "quiet_hours": None,
    "repeat": None,
    "escalation": None,
    "enabled": True,
}
_LIMITS = {
    "minutes": MAX_MINUTES,
    "percent": MAX_PERCENT,
    "last": MAX_LAST,
    "days": MAX_DAYS,
    "repeats": MAX_REPEATS,
    "name": MAX_NAME_LENGTH,
}


def present_new(asked: Asked, scope: Scope | None) -> Answer:
    """Return the dialog of a new rule on what is selected, or make it. Errors are shown in the dialog.

    :param scope: what is selected; None: nothing, the dialog has fields for it
    """
    try:
        targets = targets_of(asked, scope) if scope else ()
        if step_of(asked) == "apply":
            return _create(asked, targets)
        check_targets(asked.session, asked.actor, targets)
        return _dialog(asked, _blank(asked, targets), targets, asked.urls.page(_address(scope)))
    except TaskOpsError as error:
        return _refused(asked, error)


def present_edit(asked: Asked) -> Answer:
    """Return the dialog of a rule, or change it. Errors are shown in the dialog."""
    try:
        number = asked.number("target")
        if step_of(asked) == "apply":
            changes = alarm_form.read_target(asked) | alarm_form.read_rule_fields(asked)
            update_rule(asked.session, asked.actor, number, changes, asked.now)
            return _done(asked, f"Rule {number} is changed", [number])
        row, _ = editable_rule(asked.session, asked.actor, number)
        return _dialog(asked, rule_json(row), (), asked.urls.page(EDIT), number=number)
    except TaskOpsError as error:
        return _refused(asked, error)


def _address(scope: Scope | None) -> str:
    return f"{NEW}/{scope.value}s" if scope else NEW


def _refused(asked: Asked, error: TaskOpsError) -> Answer:
    # nothing of what the error interrupted is kept
    asked.session.rollback()
    return refused(_TITLE, error, is_part=asked.one("step") == "apply")


def _create(asked: Asked, targets: Sequence[Target]) -> Answer:
    given = alarm_form.read_rule_fields(asked)
    if len(targets) > 1:
        made = create_rules(asked.session, asked.actor, given, targets, asked.now)
        return _done(asked, f"{len(made):,} rules are made", [one["rule_id"] for one in made])
    rule = create_rule(asked.session, asked.actor, alarm_form.read_target(asked) | given, asked.now)
    return _done(asked, f"Rule {rule['rule_id']} is made", [rule["rule_id"]])


def _done(asked: Asked, title: str, ids: Sequence[int]) -> Answer:
    one = {"rule": str(ids[0])} if len(ids) == 1 else {}
    return Answer(
        "asked.html",
        {
            "title": title,
            "lines": ["It watches from now on; what happened before is not told."],
            "link": ("See the rules" if len(ids) > 1 else "See the rule", asked.urls.page("alarm_rules", one)),
            "test": str(ids[0]) if len(ids) == 1 else "",
            "test_url": asked.urls.page("alarm_rules/test"),
        },
        headers=WHOLE | CHANGED,
    )


def _blank(asked: Asked, targets: Sequence[Target]) -> dict[str, Any]:
    """A new rule: on the one task or workflow that is selected."""
    rule = dict(_EMPTY)
    if len(targets) == 1:
        (target,) = targets
        rule["scope"] = (AlarmScope.TASK if target.task_id else AlarmScope.WORKFLOW).value
        rule["dag_id"], rule["task_id"] = target.dag_id, target.task_id or None
        rule["project"] = project_of(asked.session, target.dag_id)
    return rule


def _dialog(
    asked: Asked, rule: Mapping[str, Any], targets: Sequence[Target], address: str, number: int | None = None
) -> Answer:
    is_many = len(targets) > 1
    noun = "task" if targets and targets[0].task_id else "workflow"
    shown = {
        "title": f"Rule {number}" if number else _title(targets, noun),
        "action": "Save" if number else f"Set {text.count(len(targets), 'alarm')}" if is_many else _TITLE,
        "address": address,
        "fields": [("target", str(number))] if number else selection_of(asked),
        "is_many": is_many,
        "many": text.count(len(targets), noun),
        "noun": noun,
        "rule": rule,
        "scopes": _scopes(asked, rule),
        "kinds": list(alarm_words.KINDS.items()),
        "ons": list(alarm_words.ON.items()),
        "on": rule["parameters"].get("on", On.RETRIES_EXHAUSTED.value),
        "parameters": {"last": DEFAULT_LAST, "days": 0, "zone": "UTC", **rule["parameters"]},
        "levels": [(level, alarm_words.LEVELS[level].text) for level in LEVELS],
        "people": _people(rule["recipients"]),
        **_channels(rule["channels"]),
        "escalate_people": _people(rule["escalation"]["recipients"]) if rule["escalation"] else "",
        "limits": _LIMITS,
        "others": _others(asked, targets) if not number else None,
    }
    return Answer("alarm_rule_dialog.html", shown)


def _title(targets: Sequence[Target], noun: str) -> str:
    if not targets:
        return "New alarm rule"
    if len(targets) > 1:
        return f"Set alarm on {text.count(len(targets), noun)}"
    return f"Set alarm on {targets[0].task_id or targets[0].dag_id}"


def _scopes(asked: Asked, rule: Mapping[str, Any]) -> list[tuple[str, str]]:
    scopes = [(AlarmScope.TASK.value, "One task"), (AlarmScope.WORKFLOW.value, "Each task of a workflow")]
    if rule["scope"] == AlarmScope.PROJECT or asked.actor.permissions.may_change_settings():
        scopes.append((AlarmScope.PROJECT.value, "Each task of a project"))
    return scopes


def _others(asked: Asked, targets: Sequence[Target]) -> dict[str, str] | None:
    """The rules that there are on the one target already."""
    if len(targets) != 1:
        return None
    (target,) = targets
    where = RuleFilter(dag_id=target.dag_id, task_id=target.task_id)
    found = list_rules(asked.session, asked.actor, where, limit=1)
    query = {"dag_id": target.dag_id, "task_id": target.task_id}
    url = asked.urls.page("alarm_rules", {name: value for name, value in query.items() if value})
    return {"text": text.count(found.total_entries, "rule"), "url": url} if found.total_entries else None


def _people(recipients: Mapping[str, Any]) -> str:
    return ", ".join([*recipients["users"], *recipients["addresses"]])


def _channels(channels: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Plain e-mail and a plain webhook have fields; what has more arguments, and other notifiers, stand as JSON."""
    rest = list(channels)

    def take(name: str, allowed: frozenset[str]) -> Mapping[str, Any] | None:
        one = next((one for one in rest if one["channel"] == name and set(one["args"]) <= allowed), None)
        if one:
            rest.remove(one)
        return one

    return {
        "email": take(EMAIL, frozenset()),
        "webhook": take(WEBHOOK, frozenset({"endpoint"})),
        "other_channels": json.dumps(rest, indent=1) if rest else "",
    }
