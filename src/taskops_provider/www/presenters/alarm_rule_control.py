"""What can be done with alarm rules from their list: turn on and off, delete, send a test (SPEC 7)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from taskops_provider.domain.alarms import DeliveryState
from taskops_provider.exceptions import BadInput, TaskOpsError
from taskops_provider.services import alarm_changes, alarm_send
from taskops_provider.services.alarm_changes import MAX_RULES
from taskops_provider.services.alarm_events import deliveries_by_id, prepare_test
from taskops_provider.services.alarm_rules import editable_rules, rule_json
from taskops_provider.www.asked import Asked
from taskops_provider.www.forms import selection_of, step_of
from taskops_provider.www.presenters import alarm_filters, alarm_rules, alarm_words, alarms, text
from taskops_provider.www.presenters.alarm_rules import PAGE, TEST, Verb
from taskops_provider.www.presenters.changes import CHANGED, Answer, refused

#: rules that the dialog names; the others are counted
_NAMED = 10


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
    return alarm_filters.chosen(asked, alarm_rules.matching, "rule", MAX_RULES)


def _ask(asked: Asked, verb: Verb) -> Answer:
    found = [rule_json(row) for row, _ in editable_rules(asked.session, asked.actor, _chosen(asked))]
    if verb.name != "delete":
        is_on = verb.name == "enable"
        found = [rule for rule in found if rule["enabled"] is not is_on]
        if not found:
            raise BadInput(f"they are {'on' if is_on else 'off'} already")
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
    return f"{rule['rule_id']}: {named}{f'{alarm_words.before(rule)} {on}'.strip()} {alarm_words.condition(rule)}"


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
