"""What the lists of alarms and of alarm rules have alike: their filters, and what of them is selected."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from taskops_provider.exceptions import BadInput
from taskops_provider.www.page_request import PageRequest
from taskops_provider.www.presenters.alarms import words
from taskops_provider.www.presenters.lists import filters
from taskops_provider.www.presenters.lists.filters import Field, Problems, Quick


@dataclass(frozen=True, slots=True)
class ListState:
    """One of the two states of what is listed."""

    value: str
    label: str
    tone: str
    meaning: bool


@dataclass(frozen=True, slots=True)
class SharedFilter:
    """What both lists can be filtered by.

    :param state: the meaning of the one state that is asked for; None for both
    """

    rule_id: int | None
    dag_id: str
    task_id: str
    kinds: tuple[str, ...]
    levels: tuple[int, ...]
    search: str
    state: bool | None


def read_filter(asked: PageRequest, problems: Problems, states: Sequence[ListState]) -> SharedFilter:
    """Return what the list's fields ask for.

    :raises BadInput: for the number of a rule that is none
    """
    levels = problems.only("Level", asked.many("level"), map(str, words.LEVELS))
    chosen = problems.only("State", asked.many("state"), [state.value for state in states])
    meanings = [state.meaning for state in states if state.value in chosen]
    return SharedFilter(
        rule_id=asked.number("rule") if asked.one("rule") else None,
        dag_id=asked.one("dag_id"),
        task_id=asked.one("task_id"),
        kinds=problems.only("Kind", asked.many("kind"), words.KINDS),
        levels=tuple(int(level) for level in levels),
        search=asked.one("q"),
        state=meanings[0] if len(meanings) == 1 else None,
    )


def fields(where: SharedFilter, hint: str, states: Sequence[ListState]) -> list[Field]:
    """Return the fields that both lists have.

    :param hint: what the field for words looks in
    """
    levels = {str(level): badge.text for level, badge in words.LEVELS.items()}
    chosen = [state.value for state in states if state.meaning is where.state]
    return [
        filters.text_field("q", hint, where.search, hint),
        filters.hidden_field("dag_id", "Workflow", [where.dag_id] if where.dag_id else []),
        filters.hidden_field("task_id", "Task", [where.task_id] if where.task_id else []),
        filters.hidden_field("rule", "Rule", [str(where.rule_id)] if where.rule_id else []),
        filters.fixed_field("state", "State", chosen, {state.value: state.label for state in states}),
        filters.fixed_field("kind", "Kind", where.kinds, words.KINDS),
        filters.fixed_field("level", "Level", [str(level) for level in where.levels], levels),
    ]


def quick_links(asked: PageRequest, page: str, shown: Sequence[Field], states: Sequence[ListState]) -> list[Quick]:
    """Return links to all, and to those of one state, of the workflow or task where there is one."""
    values = {field.name: field.values for field in shown}
    of = {name: values[name] for name in ("dag_id", "task_id") if values[name]}
    is_plain = not any(values[name] for name in values.keys() - {"dag_id", "task_id", "state"})
    links = [Quick("All", asked.urls.page(page, of), "", is_plain and not values["state"])]
    for state in states:
        url = asked.urls.page(page, of | {"state": state.value})
        links.append(Quick(state.label, url, state.tone, is_plain and values["state"] == (state.value,)))
    return links


def chosen_ids(
    asked: PageRequest, matching: Callable[[PageRequest, Problems], list[int]], noun: str, most: int
) -> list[int]:
    """Return the numbers of what is selected: one by one, or all that match the list's filter.

    :param matching: finds all that match what the list was asked for
    :param noun: what is selected
    :raises BadInput: when nothing is, or too much, or the filter cannot be
    """
    if query := asked.one("matching"):
        ids = filters.read_matching(asked, query, matching)
    else:
        ids = [replace(asked, args={"target": [value]}).number("target") for value in asked.many("target")]
    if not ids:
        raise BadInput(f"no {noun} is selected")
    if len(ids) > most:
        raise BadInput(f"{len(ids):,} {noun}s are selected; at most {most:,} are taken at once")
    return ids
