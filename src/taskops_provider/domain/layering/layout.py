"""Where the boxes and lines of a diagram go: a layered drawing (Sugiyama) from left to right.

Each step is a module: ``domain.layering.ranks`` puts each box into a column so that lines lead to the right,
``domain.layering.order`` sorts the columns so that few lines cross, ``domain.layering.places`` finds heights at which
chains are straight and boxes stand in the middle of what they feed, ``domain.layering.routes`` leads the lines through
the gaps between boxes. Each connected part is drawn separately, and the drawings are put on shelves.

The same graph gives the same drawing, whatever the machine. Circles are allowed: some of their lines lead back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

from taskops_provider.domain.layering import order as layering_order
from taskops_provider.domain.layering import places as layering_places
from taskops_provider.domain.layering import routes as layering_routes
from taskops_provider.domain.layering.ranks import Edge, Ranks, rank
from taskops_provider.domain.layering.routes import Point

#: between drawings of parts that do not hang together
PART_GAP = 32.0
#: width to height that shelves of several parts aim at
ASPECT = 2.0


@dataclass(frozen=True)
class Layout:
    """A drawing; its upper left corner is (0, 0).

    :param corners: upper left corner of each box
    :param columns: the column of each box inside its part, from 0; grows along each line but those that lead back
    :param routes: the points of each line, from the middle of its start's right side to the middle of its end's left
        side. Between two points of one height it is straight, otherwise it leaves the first and reaches the second
        level; where they stand above each other it turns round on the way
    """

    width: float
    height: float
    corners: list[Point]
    columns: list[int]
    routes: list[list[Point]]


@dataclass
class _Part:
    """The drawing of one connected part: ``members`` and ``lines`` say which boxes and lines of the whole it holds."""

    members: list[int]
    lines: list[int]
    columns: list[int]
    corners: list[Point]
    routes: list[list[Point]]
    width: float
    height: float


#: boxes, lines, and points through which lines run, that are laid out at most: a second of work or two
MAX_BOXES, MAX_LINES, MAX_POINTS = 5_000, 12_000, 20_000


class TooLargeToDraw(ValueError):
    """There is more to draw than is laid out within a request."""

    def __init__(self) -> None:
        super().__init__(f"at most {MAX_BOXES:,} tasks with {MAX_LINES:,} links are drawn, fewer if links are long")


def layout(count: int, edges: Sequence[Edge], width: float, height: float) -> Layout:
    """Draw ``count`` boxes of one size, numbered from 0, and the lines between them.

    :param edges: (from, to) numbers; an edge may be given several times or lead from a box to itself
    :raises TooLargeToDraw: for more than is laid out within a request
    """
    if count > MAX_BOXES or len(edges) > MAX_LINES:
        raise TooLargeToDraw
    parts = [_draw(members, lines, edges, width, height) for members, lines in _connected(count, edges)]
    corners: list[Point] = [(0.0, 0.0)] * count
    columns = [0] * count
    routes: list[list[Point]] = [[] for _ in edges]
    places, whole_width, whole_height = _shelve(parts)
    for part, (left, top) in zip(parts, places, strict=True):
        for member, column, (x, y) in zip(part.members, part.columns, part.corners, strict=True):
            columns[member] = column
            corners[member] = (left + x, top + y)
        for line, route in zip(part.lines, part.routes, strict=True):
            routes[line] = [(left + x, top + y) for x, y in route]
    return Layout(whole_width, whole_height, corners, columns, routes)


def _connected(count: int, edges: Sequence[Edge]) -> list[tuple[list[int], list[int]]]:
    """Return the boxes and lines of each connected part, both in the order given."""
    leader = list(range(count))

    def find(node: int) -> int:
        while leader[node] != node:
            leader[node] = leader[leader[node]]
            node = leader[node]
        return node

    for start, end in edges:
        one, other = find(start), find(end)
        leader[max(one, other)] = min(one, other)
    parts: dict[int, tuple[list[int], list[int]]] = {}
    for node in range(count):
        parts.setdefault(find(node), ([], []))[0].append(node)
    for line, (start, _) in enumerate(edges):
        parts[find(start)][1].append(line)
    return list(parts.values())


def _draw(members: list[int], lines: list[int], edges: Sequence[Edge], width: float, height: float) -> _Part:
    if not lines:
        return _Part(members, lines, [0], [(0.0, 0.0)], [], width, height)
    number = {member: index for index, member in enumerate(members)}
    ranks = rank(len(members), [(number[edges[line][0]], number[edges[line][1]]) for line in lines])
    if len(ranks.column) > MAX_POINTS:
        raise TooLargeToDraw
    order = layering_order.order(ranks)
    middles = layering_places.place(ranks, order, height)
    return _part(members, lines, ranks, layering_routes.route(ranks, order, middles, width, height))


def _part(members: list[int], lines: list[int], ranks: Ranks, drawn: layering_routes.Drawn) -> _Part:
    columns = ranks.column[: len(members)]
    return _Part(members, lines, columns, drawn.corners, drawn.routes, drawn.width, drawn.height)


def _shelve(parts: Sequence[_Part]) -> tuple[list[Point], float, float]:
    """Put the parts on shelves, the highest first; return where each stands, and the size of the whole."""
    area = sum((part.width + PART_GAP) * (part.height + PART_GAP) for part in parts)
    limit = max([sqrt(area * ASPECT), *(part.width for part in parts)])
    places: list[Point] = [(0.0, 0.0)] * len(parts)
    left = top = shelf = right = 0.0
    for index in sorted(range(len(parts)), key=lambda i: (-parts[i].height, -parts[i].width, i)):
        part = parts[index]
        if left and left + part.width > limit:
            top += shelf + PART_GAP
            left = shelf = 0.0
        places[index] = (left, top)
        left += part.width + PART_GAP
        shelf = max(shelf, part.height)
        right = max(right, left - PART_GAP)
    return places, right, top + shelf
