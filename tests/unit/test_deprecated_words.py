"""The table of old words and what is written of it: docs/stability.md lists each; the rest is tested on its surface."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest
from airflow.exceptions import AirflowNotFoundException, AirflowProviderDeprecationWarning

from taskops_provider.domain.deprecated_words import OLD_WORDS, OldWord, WordKind
from taskops_provider.hooks.deprecated import with_new_names
from taskops_provider.hooks.errors import RequestRefused
from taskops_provider.hooks.taskops import TaskOpsHook
from taskops_provider.operators.replenishment import DataReplenishmentOperator

PAGE = Path(__file__).parents[2] / "docs" / "stability.md"
ARGUMENTS = [(where, word) for word in OLD_WORDS if word.kind is WordKind.ARGUMENT for where in word.where]
#: how a hook's method is called apart from its old arguments
CALLS = {
    "TaskOpsHook.list_tasks": {},
    "TaskOpsHook.plan_replenishment": {"workflows": ["d"], "ranges": []},
    "TaskOpsHook.create_replenishment": {"workflows": ["d"], "ranges": []},
}


def rows_of_the_page() -> set[tuple[str, str]]:
    lines = PAGE.read_text().partition("## Deprecated now")[2].splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| ")]
    return {(old, new) for _, old, new in cells if old != "old"}


def test_the_page_lists_each_old_word_and_no_other():
    words = {(f"`{word.old}`", f"`{word.new}`" if word.new else "nothing") for word in OLD_WORDS}
    assert rows_of_the_page() == words


def test_no_word_stands_twice_in_one_place():
    places = [(word.kind, where, word.old) for word in OLD_WORDS for where in word.where or ("",)]
    assert len(places) == len(set(places))


@pytest.mark.parametrize(("where", "word"), ARGUMENTS, ids=lambda one: one.old if isinstance(one, OldWord) else one)
def test_an_old_argument_is_named_anew_and_warns(where, word):
    value = next(iter(word.values), 3)
    with pytest.warns(AirflowProviderDeprecationWarning, match=f"^{word.sentence}$"):
        assert with_new_names(where, {word.old: value}) == {word.new: word.values.get(value, value)}
    with pytest.raises(RequestRefused, match=f"^{word.refusal}$"):
        with_new_names(where, {word.old: value, word.new: value})


@pytest.mark.parametrize(("where", "word"), ARGUMENTS, ids=lambda one: one.old if isinstance(one, OldWord) else one)
def test_the_warning_points_at_the_line_that_calls(where, word):
    call = calls(where)
    # there is no such connection: that is found out after the warning
    with pytest.warns(AirflowProviderDeprecationWarning) as warned, suppress(AirflowNotFoundException):
        call(**{word.old: next(iter(word.values), 3)})
    assert [Path(one.filename) for one in warned] == [Path(__file__)]


def calls(where: str) -> Callable[..., object]:
    """What is called, with all that it needs."""
    if where == DataReplenishmentOperator.__name__:
        return partial(DataReplenishmentOperator, task_id="t", workflows=["d"], ranges=[])
    return partial(getattr(TaskOpsHook("nowhere"), where.partition(".")[2]), **CALLS[where])
