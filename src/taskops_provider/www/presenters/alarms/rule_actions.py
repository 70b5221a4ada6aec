"""What can be done with alarm rules from their list: turn on and off, delete, send a test (requirements 7)."""

from __future__ import annotations

from datetime import timedelta

from taskops_provider.domain.alarms.deliveries import DeliveryState
from taskops_provider.exceptions import BadInput
from taskops_provider.services.alarms.answers import RuleAnswer, RuleTestAnswer
from taskops_provider.services.alarms.rule_changes import MAX_RULES, delete_rules, enable_rules
from taskops_provider.services.alarms.rule_test import last_test, start_test
from taskops_provider.services.alarms.rules import editable_rules, rule_answer
from taskops_provider.www.page_request import PageRequest
from taskops_provider.www.presenters import text
from taskops_provider.www.presenters.alarms import words
from taskops_provider.www.presenters.alarms.deliveries import HIDDEN, delivery_row
from taskops_provider.www.presenters.alarms.filters import chosen_ids
from taskops_provider.www.presenters.alarms.question import NAMED, Done, FollowedTest, Question, ask_or_do
from taskops_provider.www.presenters.alarms.rules import PAGE, TEST, TESTED, RuleAction, matching_ids
from taskops_provider.www.presenters.answer import CHANGED, DialogAnswer
from taskops_provider.www.presenters.operations.form import selection_of

_TEST_LABEL = "Send a test"
#: seconds between two looks at a test that is under way; fewer at first
_SOON, _LATER = 2, 15
_LONG = timedelta(minutes=1)


def present_change(asked: PageRequest, action: RuleAction) -> DialogAnswer:
    """Return the dialog that asks whether to turn rules on or off or to delete them, or do it."""
    return ask_or_do(asked, action.label, lambda: _ask(asked, action), lambda: _do(asked, action))


def present_test(asked: PageRequest) -> DialogAnswer:
    """Return the dialog that asks whether to send a test, or have it sent."""
    return ask_or_do(asked, _TEST_LABEL, lambda: _ask_test(asked), lambda: _test(asked))


def _chosen(asked: PageRequest) -> list[int]:
    return chosen_ids(asked, matching_ids, "rule", MAX_RULES)


def _ask(asked: PageRequest, action: RuleAction) -> DialogAnswer:
    rules = [rule_answer(row) for row, _ in editable_rules(asked.session, asked.actor, _chosen(asked))]
    if action.name != "delete":
        enables = action.name == "enable"
        rules = [rule for rule in rules if rule.enabled is not enables]
        if not rules:
            raise BadInput(f"they are {'on' if enables else 'off'} already")
    noun = text.count(len(rules), "rule")
    question = Question(
        title=f"{action.label} {noun}?",
        address=asked.urls.page(f"{PAGE}/{action.name}"),
        fields=selection_of(asked),
        lines=[action.about],
        items=[_line(rule) for rule in rules[:NAMED]],
        more=max(len(rules) - NAMED, 0),
        action=f"{action.label} {noun}",
        is_danger=action.is_danger,
    )
    return DialogAnswer("alarms/ask.html", question)


def _line(rule: RuleAnswer) -> str:
    named = f"{rule.name}: " if rule.name else ""
    on = f"{words.prefix(rule)} {words.target(rule)}".strip()
    return f"{rule.rule_id}: {named}{on} {words.condition(rule)}"


def _do(asked: PageRequest, action: RuleAction) -> DialogAnswer:
    session, actor, now = asked.session, asked.actor, asked.now
    ids = _chosen(asked)
    if action.name == "delete":
        rules = delete_rules(session, actor, ids, now)
    else:
        rules = enable_rules(session, actor, ids, now, enabled=action.name == "enable")
    return DialogAnswer("alarms/asked.html", Done(f"{text.count(len(rules), 'rule')} {action.done}"), headers=CHANGED)


def _ask_test(asked: PageRequest) -> DialogAnswer:
    number = asked.number("target")
    ((row, _),) = editable_rules(asked.session, asked.actor, [number])
    rule = rule_answer(row)
    told = ", ".join(rule.recipients.words)
    question = Question(
        title=f"Send a test of rule {number}?",
        address=asked.urls.page(f"{PAGE}/{TEST}"),
        fields=selection_of(asked),
        lines=[f"A message goes out at once{f' to {told}' if told else ''}, quiet hours or not, by:"],
        items=words.channels(rule),
        action=_TEST_LABEL,
    )
    return DialogAnswer("alarms/ask.html", question)


def _test(asked: PageRequest) -> DialogAnswer:
    answer = start_test(asked.session, asked.actor, asked.number("target"), asked.now)
    lines = [f"No address is known for {', '.join(answer.unreachable)}."] if answer.unreachable else []
    if not asked.actor.permissions.may_read_addresses():
        lines.append(HIDDEN)
    return DialogAnswer("alarms/asked.html", Done("Test of the rule", lines, followed=_followed(asked, answer)))


def present_tested(asked: PageRequest) -> FollowedTest:
    """Return what came of the last test of a rule so far.

    :raises ResourceNotFound: where there is no such rule, or it may not be seen
    :raises Forbidden: where the actor may not edit what it is on
    """
    return _followed(asked, last_test(asked.session, asked.actor, asked.number("id"), asked.now))


def _followed(asked: PageRequest, answer: RuleTestAnswer) -> FollowedTest:
    deliveries = answer.deliveries
    sent = sum(one.state is DeliveryState.SENT for one in deliveries)
    asks_again = answer.is_under_way
    return FollowedTest(
        line=f"{sent:,} of {text.count(len(deliveries), 'message')} sent" if deliveries else "Nobody to tell",
        deliveries=[delivery_row(one) for one in deliveries],
        poll_url=asked.urls.page(f"{PAGE}/{TESTED}", {"id": str(answer.rule_id)}) if asks_again else "",
        poll_seconds=_SOON if asks_again and asked.now - deliveries[0].created_at < _LONG else _LATER,
    )
