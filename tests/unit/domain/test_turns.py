"""Taking turns."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from taskops_provider.domain.turns import in_turn


def test_one_of_each_then_the_second_of_each():
    assert in_turn(["a1", "a2", "a3", "b1", "c1", "c2"], lambda one: one[0]) == ["a1", "b1", "c1", "a2", "c2", "a3"]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers())))
def test_nothing_is_lost_and_those_of_one_stay_in_order(things):
    turns = in_turn(things, lambda one: one[0])
    for name in "abc":
        assert [one for one in turns if one[0] == name] == [one for one in things if one[0] == name]
    assert len(turns) == len(things)
