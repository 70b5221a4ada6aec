"""What becomes of a task where windows and pauses meet: the strictest effect, whatever the order."""

from __future__ import annotations

from itertools import permutations, product

import pytest

from taskops_provider.domain.gate import ANY_TASK, IntervalInForce, effect_for, effects_with_windows, strictest
from taskops_provider.domain.states import Downstream

ORDER = ["run", "skip", "fail", "hold"]


def window(task_id, effect):
    return IntervalInForce(task_id, "paused", effect, is_window=True)


def pause(task_id, effect, state="paused"):
    return IntervalInForce(task_id, state, effect, is_window=False)


def effect(task_id, *intervals):
    found = {effect_for(task_id, effects_with_windows(order)) for order in permutations(intervals)}
    (one,) = found
    return one and one.value


@pytest.mark.parametrize(("one", "other"), product(ORDER, ORDER))
def test_the_strictest_wins(one, other):
    expected = max(one, other, key=ORDER.index)
    for task_id in ("t", ANY_TASK):
        assert effect("t", window("t", one), window(task_id, other)) == expected
        assert effect("t", pause("t", one), window(task_id, other)) == expected


@pytest.mark.parametrize(("state", "by", "other"), product(["offline", "deleted"], ["run", "skip", "fail"], ORDER))
def test_what_is_out_of_service_stays_as_it_is(state, by, other):
    for task_id in ("t", ANY_TASK):
        assert effect("t", pause("t", by, state), window(task_id, other)) == by
        # the workflow's own row is for tasks without one of their own
        assert effect("t", pause(ANY_TASK, by, state), window(task_id, other)) == by


def test_a_window_on_one_task_leaves_the_others():
    assert effect("u", window("t", "hold")) is None
    assert effect("u", window("t", "hold"), pause("u", "run")) == "run"
    assert effect("u", window("t", "hold"), pause(ANY_TASK, "skip", "offline")) == "skip"


def test_an_effect_of_another_version_holds():
    assert effect("t", window("t", "melt")) == "hold"
    assert effect("t", pause("t", "melt"), window("t", "run")) == "hold"


def test_of_no_effects_none_is_the_strictest():
    assert strictest(None, None) is None
    assert strictest(None, Downstream.RUN) is Downstream.RUN
