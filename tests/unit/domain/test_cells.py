"""Cells: their class, what is wanted, the roles and waves of tasks (D5)."""

from __future__ import annotations

import pytest

from taskops_provider.domain.cells import (
    CellClass,
    CellFacts,
    CellSelection,
    Role,
    classify,
    reachable,
    reverse,
    roles,
    skipped_by_gate,
    topological,
    wanted_classes,
    waves,
)

#: a -> b -> c -> d, and x beside
CHAIN = {"a": {"b"}, "b": {"c"}, "c": {"d"}, "d": set(), "x": set()}


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        ([], CellClass.NO_INSTANCE),
        ([("removed", False)], CellClass.NO_INSTANCE),
        ([("success", False)], CellClass.DONE),
        ([("skipped", False)], CellClass.DONE),
        ([("success", False), ("removed", False)], CellClass.DONE),
        ([("failed", False)], CellClass.FAILED),
        ([("upstream_failed", False)], CellClass.UPSTREAM_FAILED),
        # a gated instance that Airflow ended because of what is upstream of it
        ([("upstream_failed", True)], CellClass.UPSTREAM_FAILED),
        ([("success", False), ("failed", False)], CellClass.FAILED),
        ([("failed", False), ("running", False)], CellClass.RUNNING),
        ([(None, False)], CellClass.RUNNING),
        ([("up_for_retry", False)], CellClass.RUNNING),
        ([("skipped", True)], CellClass.GATED),
        ([("success", True)], CellClass.GATED),
        ([("failed", True)], CellClass.GATED),
        ([("up_for_retry", True)], CellClass.GATED),
        ([("success", False), ("skipped", True)], CellClass.GATED),
        ([("failed", False), ("skipped", True)], CellClass.FAILED),
    ],
)
def test_the_class_of_a_cell(seen, expected):
    assert classify([CellFacts(*one) for one in seen]) is expected


def test_what_is_wanted():
    assert wanted_classes([CellSelection.MISSING]) == {CellClass.NO_RUN, CellClass.GATED, CellClass.CUT_OFF}
    assert wanted_classes([CellSelection.FAILED]) == {CellClass.FAILED, CellClass.UPSTREAM_FAILED}
    assert CellClass.DONE in wanted_classes([CellSelection.ALL])
    assert CellClass.RUNNING not in wanted_classes([CellSelection.ALL])


def test_what_a_gated_task_skips_is_missing_with_it():
    upstream = reverse(CHAIN)
    classes = {"a": CellClass.DONE, "b": CellClass.GATED, "c": CellClass.DONE, "d": CellClass.DONE}
    assert skipped_by_gate(classes, ["c", "d", "x"], upstream) == {"c", "d"}
    # d executed: whatever was skipped below it was not for the gate's sake
    assert skipped_by_gate(classes, ["d"], upstream) == set()


def test_roles_in_a_run_that_is_made():
    assert roles({"b", "d"}, CHAIN) == {
        "a": Role.DONE,
        "b": Role.EXECUTE,
        "c": Role.PASS,
        "d": Role.EXECUTE,
        "x": Role.SKIP,
    }
    assert roles({"b"}, CHAIN)["c"] is Role.FOLLOW


def test_waves_where_something_done_lies_between():
    assert waves({"a", "b"}, CHAIN) == {"a": 0, "b": 0}
    assert waves({"a", "c"}, CHAIN) == {"a": 0, "c": 1}
    assert waves({"a", "d"}, CHAIN) == {"a": 0, "d": 1}
    assert waves({"a", "c", "d"}, CHAIN) == {"a": 0, "c": 1, "d": 1}
    # a -> c directly and over b: the way over b decides
    assert waves({"a", "c"}, {"a": {"b", "c"}, "b": {"c"}, "c": set()}) == {"a": 0, "c": 1}


def test_graph_walks():
    assert reachable({"b"}, CHAIN) == {"c", "d"}
    order = topological(CHAIN)
    assert [task for task in order if task != "x"] == ["a", "b", "c", "d"]
    assert sorted(order) == sorted(CHAIN)
