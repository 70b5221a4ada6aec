"""The list of alarm rules, and what can be done with them (requirements 7)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from taskops_provider.domain.answers import copy_as
from taskops_provider.services.alarms.answers import RuleAnswer
from taskops_provider.services.alarms.rules import (
    RuleFilter,
    editable_targets,
    list_rules,
    matching_rules,
    may_make_rules,
)
from taskops_provider.services.shared.paging import Page
from taskops_provider.www.page_request import PageRequest
from taskops_provider.www.presenters import text
from taskops_provider.www.presenters.alarms import filters as alarm_filters
from taskops_provider.www.presenters.alarms import rule_dialog, words
from taskops_provider.www.presenters.alarms.filters import ListState, SharedFilter
from taskops_provider.www.presenters.lists import filters
from taskops_provider.www.presenters.lists.columns import Column
from taskops_provider.www.presenters.lists.frame import ListFrame, ListKind, list_frame, read_page
from taskops_provider.www.presenters.lists.rows import Action, CellLink
from taskops_provider.www.presenters.text import Badge, Name, Time

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
LIST = ListKind(PAGE, "rule", COLUMNS)
_STATES = (ListState("on", "On", "green", meaning=True), ListState("off", "Off", "grey", meaning=False))
_ON, _OFF = Badge("On", "green"), Badge("Off", "grey")


@dataclass(frozen=True, slots=True)
class RuleAction:
    """What is done with rules: as a button, in a question, as what was done, and what it means."""

    name: str
    label: str
    done: str
    about: str
    is_danger: bool = False


RULE_ACTIONS: Mapping[str, RuleAction] = {
    action.name: action
    for action in (
        RuleAction("enable", "Turn on", "turned on", "They watch from now on; what happened meanwhile is not told."),
        RuleAction(
            "disable", "Turn off", "turned off", "They do not watch, and repeat nothing, until they are on again."
        ),
        RuleAction("delete", "Delete", "deleted", "What they fired stays in the list of alarms.", is_danger=True),
    )
}
TEST, TESTED = "test", "tested"


@dataclass(frozen=True, slots=True)
class RuleRow:
    """A rule.

    :param target: what its box sends; empty: it has none
    :param called: its name; empty: it has none
    :param before: what stands in front of the name of what it is on
    """

    number: str
    target: str
    id: Name
    name: Name
    called: str
    before: str
    on: Name
    on_url: str
    condition: str
    level: Badge
    tells: str
    how: str
    follow_up: Sequence[str]
    badge: Badge
    reach: str
    changed: Time | None
    changed_by: str
    actions: Sequence[Action]
    links: Sequence[CellLink]


@dataclass(frozen=True)
class RulesPage(ListFrame):
    """What ``alarms/rules.html`` shows.

    :param new_url: where a rule is made; empty: the actor may not
    """

    quick: Sequence[filters.Quick]
    new_url: str
    toolbar: Sequence[Action]
    rows: Sequence[RuleRow]
    page: str = PAGE
    section: str = "alarms"
    nouns: str = "rules"
    title: str = "Alarm rules"
    quick_label: str = "State"


def present_rules(asked: PageRequest) -> RulesPage:
    """Return one page of the list of rules."""
    problems = filters.Problems()
    shared = alarm_filters.read_filter(asked, problems, _STATES)
    where = _filter(shared)

    def list_in_order(*, limit: int, offset: int, order_by: str) -> Page[RuleAnswer]:
        return list_rules(asked.session, asked.actor, where, limit=limit, offset=offset)

    read = read_page(asked, LIST, problems, list_in_order)
    fields = alarm_filters.fields(shared, "Name, workflow or task ID", _STATES)
    editable = editable_targets(asked.actor, {_on(rule) for rule in read.found.rows})
    rows = [_row(asked, rule, is_editable=_on(rule) in editable) for rule in read.found.rows]
    return copy_as(
        RulesPage,
        list_frame(asked, LIST, read, fields, problems),
        quick=alarm_filters.quick_links(asked, PAGE, fields, _STATES),
        new_url=asked.urls.page(rule_dialog.NEW) if may_make_rules(asked.session, asked.actor) else "",
        toolbar=tuple(_actions(asked)) if any(row.target for row in rows) else (),
        rows=rows,
    )


def _on(rule: RuleAnswer) -> tuple[str, str]:
    return rule.dag_id or "", rule.project or ""


def matching_ids(asked: PageRequest, problems: filters.Problems) -> list[int]:
    """Return the numbers of all rules that the list's fields ask for."""
    where = _filter(alarm_filters.read_filter(asked, problems, _STATES))
    return matching_rules(asked.session, asked.actor, where)


def _filter(shared: SharedFilter) -> RuleFilter:
    return RuleFilter(
        rule_id=shared.rule_id,
        dag_id=shared.dag_id,
        task_id=shared.task_id,
        kinds=shared.kinds,
        levels=shared.levels,
        enabled=shared.state,
        search=shared.search,
    )


def _actions(asked: PageRequest, why_not: Mapping[str, str] | None = None) -> list[Action]:
    return [
        Action(one.name, one.label, asked.urls.page(f"{PAGE}/{one.name}"), (why_not or {}).get(one.name, ""))
        for one in RULE_ACTIONS.values()
    ]


def _row(asked: PageRequest, rule: RuleAnswer, *, is_editable: bool) -> RuleRow:
    number = str(rule.rule_id)
    urls = asked.urls
    own = (
        Action("edit", "Change", urls.page(rule_dialog.EDIT)),
        Action(TEST, "Send a test", urls.page(f"{PAGE}/{TEST}")),
    )
    why_not = {"enable": "This rule is on"} if rule.enabled else {"disable": "This rule is off"}
    return RuleRow(
        number=number,
        target=number if is_editable else "",
        id=text.name(f"rule {number}"),
        name=text.name(rule.name or f"Rule {number}"),
        called=rule.name,
        before=words.prefix(rule),
        on=text.name(words.target(rule)),
        on_url=_on_url(asked, rule),
        condition=words.condition(rule),
        level=words.LEVELS[rule.level],
        tells=", ".join(rule.recipients.words),
        how=", ".join(words.channels(rule)),
        follow_up=words.follow_up(rule),
        badge=_ON if rule.enabled else _OFF,
        reach=words.reach_line(rule) if rule.enabled else "",
        changed=text.time(rule.changed_at),
        changed_by=rule.changed_by,
        actions=(*own, *_actions(asked, why_not)) if is_editable else (),
        links=[CellLink("Alarms of this rule", urls.page("alarms", {"rule": number}))],
    )


def _on_url(asked: PageRequest, rule: RuleAnswer) -> str:
    if rule.task_id:
        return asked.urls.page("task", {"dag_id": rule.dag_id or "", "task_id": rule.task_id})
    return asked.urls.page("workflow", {"dag_id": rule.dag_id}) if rule.dag_id else ""
