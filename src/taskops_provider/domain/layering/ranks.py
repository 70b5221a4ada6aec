"""First step of a layered drawing: a column for each box, and a point in each column that a line passes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

Edge = tuple[int, int]

#: points that lines passing columns may have: so many, and so many for each box. What is above goes round the outside
MOST_POINTS = 1000
POINTS_PER_BOX = 2


@dataclass(frozen=True)
class Way:
    """How a line passes columns: by the first ``count`` points of a trunk that it shares with others.

    :param trunk: the points that belong to the line's end (``to_end``) or to its start, the nearest first
    """

    trunk: list[int]
    count: int
    to_end: bool


@dataclass
class Ranks:
    """A graph whose links all lead from one column to the next.

    Vertices below ``boxes`` are boxes, the others points of lines.

    :param column: by vertex
    :param below: vertices of the next column that a vertex is linked with; ``above``: those of the column before
    :param ways: by line; None for one that goes round the outside: from a box to itself, back to an earlier column,
        or one for which there are no points left
    """

    boxes: int
    column: list[int]
    below: list[list[int]]
    above: list[list[int]]
    ways: list[Way | None]
    edges: Sequence[Edge]

    @property
    def columns(self) -> int:
        """How many columns there are."""
        return max(self.column) + 1


def rank(count: int, edges: Sequence[Edge]) -> Ranks:
    """Give each box a column, later than those of the boxes whose lines lead to it."""
    forward = _forward(count, edges)
    after: list[list[int]] = [[] for _ in range(count)]
    before: list[list[int]] = [[] for _ in range(count)]
    for start, end in sorted(forward):
        after[start].append(end)
        before[end].append(start)
    column = _columns(count, after, before)
    return _with_points(count, edges, forward, column)


def _forward(count: int, edges: Sequence[Edge]) -> set[Edge]:
    """Return the edges without those that close a circle, in a walk that starts at boxes nothing leads to."""
    after: list[list[int]] = [[] for _ in range(count)]
    entered = [False] * count
    for start, end in dict.fromkeys(edges):
        if start != end:
            after[start].append(end)
            entered[end] = True
    kept: set[Edge] = set()
    seen, on_path = [False] * count, [False] * count
    for root in sorted(range(count), key=lambda node: entered[node]):
        if seen[root]:
            continue
        seen[root] = on_path[root] = True
        path = [(root, iter(after[root]))]
        while path:
            node, rest = path[-1]
            for end in rest:
                if on_path[end]:
                    continue
                kept.add((node, end))
                if not seen[end]:
                    seen[end] = on_path[end] = True
                    path.append((end, iter(after[end])))
                    break
            else:
                on_path[node] = False
                path.pop()
    return kept


def _columns(count: int, after: list[list[int]], before: list[list[int]]) -> list[int]:
    """Return columns by longest path, with boxes moved to where their lines are shorter together."""
    column = [0] * count
    waiting = [len(found) for found in before]
    walk = [node for node in range(count) if not waiting[node]]
    for node in walk:
        for end in after[node]:
            column[end] = max(column[end], column[node] + 1)
            waiting[end] -= 1
            if not waiting[end]:
                walk.append(end)
    for _ in range(2):
        for node in reversed(walk):
            if len(after[node]) > len(before[node]):
                column[node] = min(column[end] for end in after[node]) - 1
        for node in walk:
            if len(before[node]) > len(after[node]):
                column[node] = max(column[start] for start in before[node]) + 1
    used = {found: index for index, found in enumerate(sorted(set(column)))}
    return [used[found] for found in column]


def _with_points(count: int, edges: Sequence[Edge], forward: set[Edge], column: list[int]) -> Ranks:
    """Add the points of lines that pass columns. Short lines get theirs first."""
    column = list(column)
    long = [edge for edge in forward if column[edge[1]] - column[edge[0]] > 1]
    starts, ends = Counter(start for start, _ in long), Counter(end for _, end in long)
    room = MOST_POINTS + POINTS_PER_BOX * count
    trunks: dict[tuple[bool, int], list[int]] = {}
    ways: dict[Edge, Way] = {}
    links: dict[Edge, None] = {}
    for start, end in sorted(forward, key=lambda edge: (column[edge[1]] - column[edge[0]], edge)):
        passed = column[end] - column[start] - 1
        # as many lines as can be share their points: those to the same end, or those from the same start
        to_end = ends[end] >= starts[start]
        trunk = trunks.setdefault((to_end, end if to_end else start), [])
        missing = passed - len(trunk)
        if missing > room:
            continue
        for _ in range(missing):
            room -= 1
            point = len(column)
            near = trunk[-1] if trunk else end if to_end else start
            column.append(column[near] + (-1 if to_end else 1))
            links[(point, near) if to_end else (near, point)] = None
            trunk.append(point)
        ways[start, end] = Way(trunk, passed, to_end)
        last = trunk[passed - 1] if passed else end if to_end else start
        links[(start, last) if to_end else (last, end)] = None
    return _linked(count, edges, column, links, ways)


def _linked(
    count: int,
    edges: Sequence[Edge],
    column: list[int],
    links: Iterable[Edge],
    ways: dict[Edge, Way],
) -> Ranks:
    below: list[list[int]] = [[] for _ in column]
    above: list[list[int]] = [[] for _ in column]
    for start, end in links:
        below[start].append(end)
        above[end].append(start)
    return Ranks(
        boxes=count,
        column=column,
        below=below,
        above=above,
        ways=[ways.get(edge) for edge in edges],
        edges=edges,
    )
