"""The strict-mode rule and the cascade against a brute-force model (requirements 4)."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from taskops_provider.domain.strict_mode import blockers, waves

NODES = range(9)
graphs = st.sets(st.tuples(st.sampled_from(NODES), st.sampled_from(NODES)).filter(lambda e: e[0] < e[1]))
subsets = st.sets(st.sampled_from(NODES))


@given(edges=graphs, selected=subsets, live=subsets)
def test_a_node_is_blocked_by_exactly_its_live_downstream(edges, selected, live):
    down = {n: [b for a, b in edges if a == n] for n in NODES}
    found = blockers(selected, down.__getitem__, live.__contains__)
    assert found == {n: tuple(sorted(b for b in down[n] if b in live)) for n in selected}


@given(edges=graphs, selected=subsets, others_live=subsets)
def test_waves_are_what_taking_down_one_by_one_allows(edges, selected, others_live):
    """Repeat the plain rule, marking what it allows as stopped, until nothing more is allowed."""
    live = selected | others_live
    down = {n: [b for a, b in edges if a == n] for n in NODES}
    planned, blocked = waves(selected, down.__getitem__, live.__contains__)

    still_live, left, expected = set(live), set(selected), []
    while True:
        allowed = sorted(n for n in left if not any(b in still_live for b in down[n]))
        if not allowed:
            break
        expected.append(allowed)
        still_live -= set(allowed)
        left -= set(allowed)
    assert planned == expected
    assert blocked == {n: tuple(sorted(b for b in down[n] if b in still_live)) for n in left}


@given(edges=graphs, selected=subsets)
def test_a_whole_closed_selection_always_comes_down(edges, selected):
    """With nothing live outside the selection, a cascade takes all of it."""
    down = {n: [b for a, b in edges if a == n] for n in NODES}
    planned, blocked = waves(selected, down.__getitem__, selected.__contains__)
    assert not blocked
    assert sorted(n for wave in planned for n in wave) == sorted(selected)


def test_long_chains_are_linear():
    """100,000 nodes in a chain: one pass, no recursion."""
    size = 100_000
    planned, blocked = waves(range(size), lambda n: [n + 1] if n + 1 < size else [], lambda n: True)
    assert len(planned) == size
    assert not blocked
