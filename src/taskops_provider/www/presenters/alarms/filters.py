"""What the lists of alarms and of alarm rules have alike: their filters, and what of them is selected."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qs

from taskops_provider.exceptions import BadInput
from taskops_provider.www.asked import Asked
from taskops_provider.www.presenters import alarm_words, filters
from taskops_provider.www.presenters.filters import Field, Problems, Quick


@dataclass(frozen=True)
class State:
    """One of the two states of what is listed."""

    value: str
    label: str
    tone: str
    meaning: bool


def read(asked: Asked, problems: Problems, states: Sequence[State]) -> tuple[dict[str, Any], bool | None]:
    """Return the fields that both filters of the services have, and which state is asked for, None for both.

    :raises BadInput: for the number of a rule that is none
    """
    levels = problems.only("Level", asked.many("level"), map(str, alarm_words.LEVELS))
    chosen = problems.only("State", asked.many("state"), [state.value for state in states])
    shared = {
        "rule_id": asked.number("rule") if asked.one("rule") else None,
        "dag_id": asked.one("dag_id"),
        "task_id": asked.one("task_id"),
        "kinds": problems.only("Kind", asked.many("kind"), alarm_words.KINDS),
        "levels": tuple(int(level) for level in levels),
        "search": asked.one("q"),
    }
    meant = [state.meaning for state in states if state.value in chosen]
    return shared, meant[0] if len(meant) == 1 else None


def fields(where: Any, hint: str, states: Sequence[State], meaning: bool | None) -> list[Field]:
    """Return the fields that both lists have.

    :param where: the filter, as a service takes it
    :param hint: what the field for words looks in
    """
    levels = {str(level): badge.text for level, badge in alarm_words.LEVELS.items()}
    chosen = [state.value for state in states if state.meaning is meaning]
    return [
        filters.text_field("q", hint, where.search, hint),
        filters.hidden_field("dag_id", "Workflow", [where.dag_id] if where.dag_id else []),
        filters.hidden_field("task_id", "Task", [where.task_id] if where.task_id else []),
        filters.hidden_field("rule", "Rule", [str(where.rule_id)] if where.rule_id else []),
        filters.fixed_field("state", "State", chosen, {state.value: state.label for state in states}),
        filters.fixed_field("kind", "Kind", where.kinds, alarm_words.KINDS),
        filters.fixed_field("level", "Level", [str(level) for level in where.levels], levels),
    ]


def quick(asked: Asked, page: str, shown: Sequence[Field], states: Sequence[State]) -> list[Quick]:
    """Return links to all, and to those of one state, of the workflow or task where there is one."""
    values = {field.name: field.values for field in shown}
    of = {name: values[name] for name in ("dag_id", "task_id") if values[name]}
    is_plain = not any(values[name] for name in values.keys() - {"dag_id", "task_id", "state"})
    links = [Quick("All", asked.urls.page(page, of), "", is_plain and not values["state"])]
    for state in states:
        url = asked.urls.page(page, of | {"state": state.value})
        links.append(Quick(state.label, url, state.tone, is_plain and values["state"] == (state.value,)))
    return links


def chosen(asked: Asked, matching: Callable[[Asked, Problems], list[int]], noun: str, most: int) -> list[int]:
    """Return the numbers of what is selected: one by one, or all that match the list's filter.

    :param matching: finds all that match what the list was asked for
    :param noun: what is selected
    :raises BadInput: when nothing is, or too much, or the filter cannot be
    """
    if query := asked.one("matching"):
        problems = Problems()
        ids = matching(replace(asked, args=parse_qs(query.removeprefix("?"))), problems)
        if problems.lines:
            raise BadInput(problems.lines[0])
    else:
        ids = [replace(asked, args={"target": [value]}).number("target") for value in asked.many("target")]
    if not ids:
        raise BadInput(f"no {noun} is selected")
    if len(ids) > most:
        raise BadInput(f"{len(ids):,} {noun}s are selected; at most {most:,} are taken at once")
    return ids
