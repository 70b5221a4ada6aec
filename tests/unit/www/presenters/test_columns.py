"""The order of columns that somebody chose, against the columns there are (B25)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from taskops_provider.domain.states import TASK_MAY_BE, WORKFLOW_MAY_BE, TaskStatus, Verb, WorkflowStatus
from taskops_provider.www.presenters.lists import rows, tasks, workflows
from taskops_provider.www.presenters.lists.columns import Arranged, Column, ColumnVisibility, arrange, choice_of
from taskops_provider.www.urls import Urls

NAME = Column("name", "Name")
COLUMNS = (
    Column("a", "A"),
    Column("b", "B", kind="time", shown=ColumnVisibility.WIDE),
    Column("c", "C", shown=ColumnVisibility.HIDDEN),
)


def classes(arranged: Arranged) -> list[str]:
    return [column.css for column in arranged.columns]


def test_the_default_hides_some_columns_and_some_in_narrow_windows_only() -> None:
    arranged = arrange(NAME, COLUMNS, None)
    assert arranged.is_default
    assert classes(arranged) == ["name", "a", "b time wide"]
    assert [(c.column.key, c.is_shown, c.is_wide) for c in arranged.choices] == [
        ("a", True, False),
        ("b", True, True),
        ("c", False, False),
    ]


def test_what_was_chosen_is_shown_in_any_window_and_in_that_order() -> None:
    arranged = arrange(NAME, COLUMNS, choice_of(COLUMNS, ["c", "b", "a"], {"c", "b"}))
    assert not arranged.is_default
    assert classes(arranged) == ["name", "c", "b time"]
    assert [(c.column.key, c.is_shown) for c in arranged.choices] == [("c", True), ("b", True), ("a", False)]


@pytest.mark.parametrize(
    ("chosen", "shown"),
    [
        ({"order": ["c", "a"], "hidden": []}, ["name", "c", "a", "b time wide"]),  # b came with a later version
        ({"order": ["gone", "a", "a"], "hidden": ["gone"]}, ["name", "a", "b time wide"]),
        ({"order": ["a", "b", "c"], "hidden": ["a", "b", "c"]}, ["name"]),
        ({}, ["name", "a", "b time wide"]),
    ],
)
def test_a_choice_of_other_columns_than_there_are_now(chosen: dict[str, Any], shown: list[str]) -> None:
    assert classes(arrange(NAME, COLUMNS, chosen)) == shown


def test_a_page_without_some_columns_keeps_their_choice() -> None:
    arranged = arrange(NAME, COLUMNS, None, {"a"})
    assert classes(arranged) == ["name", "b time wide"]
    assert [c.is_left_out for c in arranged.choices] == [True, False, False]


def test_a_choice_names_every_column() -> None:
    assert choice_of(COLUMNS, ["b"], ["c"]) == {"order": ["b", "a", "c"], "hidden": ["b", "a"]}


def test_the_source_has_twelve_columns_of_tasks_to_configure() -> None:
    """B25."""
    assert [column.label for column in tasks.COLUMNS] == [
        "Status", "Workflow", "Owners", "Type", "Schedule", "Pool", "Last submission", "First run", "Folder",
        "Created", "Effective from", "Expires",
    ]  # fmt: skip
    for columns in (tasks.COLUMNS, workflows.COLUMNS):
        assert len({column.key for column in columns}) == len(columns)


def offers(scope: rows.ListScope, editable: set[str], deletable: set[str]) -> rows.Offers:
    return rows.Offers(Urls("/"), scope, editable=editable, deletable=deletable)


def test_a_row_offers_what_its_status_allows_and_says_why_not_the_rest() -> None:
    """A13, B12-B18."""
    found = {a.verb: a for a in offers(tasks.ROWS, {"d"}, {"d"}).menu("d", "paused")}
    assert list(found) == [*(verb.value for verb in Verb), rows.REPLENISH, rows.ALARM]
    applicable = ["start", "offline", "set-owners", rows.REPLENISH, rows.ALARM]
    assert [verb for verb, action in found.items() if not action.why_not] == applicable
    assert found["pause"].why_not == "This task is paused; it would have to be scheduling"
    assert found["submit"].why_not == "This task is paused; it would have to be offline or deleted"
    assert found["start"].url == "/pluginsv2/taskops/change/tasks/start"
    of_workflow = {a.verb: a for a in offers(workflows.ROWS, {"d"}, {"d"}).menu("d", "all_paused")}
    assert [of_workflow[verb].label for verb in ("start", "pause", "offline")] == [
        "Start all",
        "Pause all",
        "Take all offline",
    ]
    assert of_workflow["delete"].why_not == "This workflow is all paused; it would have to be all offline"


def verbs(menu: Iterable[rows.Action]) -> set[Verb]:
    """The operations that can be done; what is offered beside them is none."""
    return {Verb(a.verb) for a in menu if not a.why_not and a.verb not in (rows.REPLENISH, rows.ALARM)}


def test_what_is_offered_is_what_the_operations_allow() -> None:
    of_task, of_workflow = offers(tasks.ROWS, {"d"}, {"d"}), offers(workflows.ROWS, {"d"}, {"d"})
    stopped = {a.verb: a for a in of_task.menu("d", TaskStatus.OFFLINE)}[rows.REPLENISH]
    assert stopped.why_not == "Offline tasks are not replenished; resubmit them first"
    for status in TaskStatus:
        assert verbs(of_task.menu("d", status)) == {verb for verb in Verb if status in TASK_MAY_BE[verb]}
        [alarm] = [a for a in of_task.menu("d", status) if a.verb == rows.ALARM]
        assert bool(alarm.why_not) is (status is TaskStatus.DELETED)
    for whole in WorkflowStatus:
        assert verbs(of_workflow.menu("d", whole)) == {verb for verb in Verb if whole in WORKFLOW_MAY_BE[verb]}


def test_what_somebody_may_not_do_is_not_offered() -> None:
    some = offers(workflows.ROWS, {"d"}, set())
    assert some.may_select("d")
    assert not some.may_select("e")
    assert some.menu("e", "all_paused") == ()
    assert "delete" not in {action.verb for action in some.menu("d", "all_offline")}
    assert "delete" not in {action.verb for action in some.toolbar()}
    assert offers(workflows.ROWS, set(), set()).toolbar() == ()
