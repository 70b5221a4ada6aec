"""The drawing of a diagram (A7): whatever the graph, boxes do not overlap and lines do not run through them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskops_provider.domain.layering import ranks as layering_ranks
from taskops_provider.domain.layering.layout import Layout, layout
from taskops_provider.domain.layering.routes import Point
from taskops_provider.www.presenters.diagram import path

WIDTH, HEIGHT = 160.0, 50.0
Edges = list[tuple[int, int]]


@st.composite
def graphs(draw: st.DrawFn, *, acyclic: bool = False) -> tuple[int, Edges]:
    count = draw(st.integers(1, 14))
    ends = st.integers(0, count - 1)
    edges = draw(st.lists(st.tuples(ends, ends), max_size=30))
    return count, [edge for edge in edges if edge[0] < edge[1]] if acyclic else edges


def drawn(graph: tuple[int, Edges]) -> Layout:
    return layout(*graph, WIDTH, HEIGHT)


def along(route: Sequence[Point]) -> Iterator[Point]:
    """Points on the line as SVG draws it."""
    x = y = 0.0
    for command, values in re.findall(r"([MHC])([^MHC]*)", path(route)):
        numbers = [float(number) for number in values.split()]
        if command == "M":
            x, y = numbers
        elif command == "H":
            for step in range(21):
                yield x + (numbers[0] - x) * step / 20, y
            x = numbers[0]
        else:
            x1, y1, x2, y2, x3, y3 = numbers
            for step in range(21):
                t = step / 20
                weights = (1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3
                yield (
                    sum(w * v for w, v in zip(weights, (x, x1, x2, x3), strict=True)),
                    sum(w * v for w, v in zip(weights, (y, y1, y2, y3), strict=True)),
                )
            x, y = x3, y3


def reachable(count: int, edges: Edges) -> list[set[int]]:
    found: list[set[int]] = [set() for _ in range(count)]
    for start in range(count):
        stack = [start]
        while stack:
            node = stack.pop()
            for end in {end for begin, end in edges if begin == node} - found[start]:
                found[start].add(end)
                stack.append(end)
    return found


def check(graph: tuple[int, Edges], result: Layout) -> None:
    count, edges = graph
    boxes = result.corners
    assert len(boxes) == len(result.columns) == count
    for x, y in boxes:
        assert 0 <= x <= result.width - WIDTH + 0.01
        assert 0 <= y <= result.height - HEIGHT + 0.01
    for one in range(count):
        for other in range(one):
            apart_x = abs(boxes[one][0] - boxes[other][0]) - WIDTH
            apart_y = abs(boxes[one][1] - boxes[other][1]) - HEIGHT
            assert max(apart_x, apart_y) > 8, (one, other)
    assert len(result.routes) == len(edges)
    for (start, end), route in zip(edges, result.routes, strict=True):
        assert route[0] == pytest.approx((boxes[start][0] + WIDTH, boxes[start][1] + HEIGHT / 2))
        assert route[-1] == pytest.approx((boxes[end][0], boxes[end][1] + HEIGHT / 2))
        for x, y in along(route):
            assert -0.1 <= x <= result.width + 0.1
            assert -0.1 <= y <= result.height + 0.1
            for left, top in boxes:
                assert not (left + 0.2 < x < left + WIDTH - 0.2 and top + 0.2 < y < top + HEIGHT - 0.2), (start, end)


@given(graph=graphs())
def test_boxes_do_not_overlap_and_lines_lead_from_start_to_end_around_them(graph):
    check(graph, drawn(graph))


@given(graph=graphs())
def test_the_same_without_points_for_long_lines(graph):
    with mock.patch.multiple(layering_ranks, MOST_POINTS=0, POINTS_PER_BOX=0):
        check(graph, drawn(graph))


@given(graph=graphs(acyclic=True))
def test_columns_grow_along_the_lines(graph):
    result = drawn(graph)
    for start, end in graph[1]:
        assert result.columns[start] < result.columns[end]
        assert result.corners[start][0] < result.corners[end][0]


@given(graph=graphs())
def test_only_lines_of_circles_lead_back(graph):
    result = drawn(graph)
    reached = reachable(*graph)
    for start, end in graph[1]:
        if start not in reached[end]:
            assert result.columns[start] < result.columns[end]


@given(graph=graphs())
def test_the_same_graph_gives_the_same_drawing(graph):
    assert drawn(graph) == drawn(graph)


def test_nothing_and_a_single_box():
    assert drawn((0, [])) == Layout(0.0, 0.0, [], [], [])
    assert drawn((1, [])) == Layout(WIDTH, HEIGHT, [(0.0, 0.0)], [0], [])


def test_a_chain_is_straight():
    result = drawn((6, [(i, i + 1) for i in range(5)]))
    assert {y for _, y in result.corners} == {0.0}
    assert result.height == HEIGHT
    assert all(len(route) == 2 for route in result.routes)


@pytest.mark.parametrize("wide", [2, 3, 8])
def test_what_fans_out_stands_in_the_middle(wide):
    edges = [(0, 1 + i) for i in range(wide)] + [(1 + i, wide + 1) for i in range(wide)]
    result = drawn((wide + 2, edges))
    heights = [y for _, y in result.corners]
    assert heights[1:-1] == sorted(heights[1:-1])  # as they are written
    middle = (heights[1] + heights[-2]) / 2
    assert heights[0] == pytest.approx(middle, abs=0.2)
    assert heights[-1] == pytest.approx(middle, abs=0.2)


def test_a_chain_stays_straight_beside_a_line_that_passes_it():
    result = drawn((5, [(0, 1), (1, 2), (2, 3), (3, 4), (0, 4)]))
    assert len({y for _, y in result.corners}) == 1


def test_a_tree_and_a_grid_of_pipelines_have_no_crossings():
    tree = [((child - 1) // 3, child) for child in range(1, 40)]
    pipelines = [(i, i + 1) for i in range(40) if i % 8 != 7] + [(40, i) for i in range(0, 40, 8)]
    for edges in (tree, pipelines):
        ranks = layering_ranks.rank(41, edges)
        from taskops_provider.domain.layering import order as layering_order

        assert layering_order.crossings(ranks, layering_order.order(ranks)) == 0


def test_lines_with_the_same_end_share_their_way():
    # each of ten steps also leads to the last one: one line beside the chain, not ten
    edges = [(i, i + 1) for i in range(10)] + [(i, 10) for i in range(9)]
    result = drawn((11, edges))
    heights = {round(y, 1) for route in result.routes for _, y in route}
    assert len(heights) == 2
    assert result.height < 2 * HEIGHT


def test_single_boxes_fill_a_rectangle():
    result = drawn((200, []))
    assert 1 < result.width / result.height < 4
