"""Last step of a layered drawing: the columns from left to right, and the way of each line.

Lines change their height in the gaps between columns alone, where no box is, and pass a column at a point that has
its own place in it. Those that have no points go round the outside: in the gap behind their start to a lane above or
below everything, along it, and in the gap before their end to the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from taskops_provider.domain.layering.places import BOX_GAP
from taskops_provider.domain.layering.ranks import Edge, Ranks, Way

Point = tuple[float, float]

#: between two columns: the steeper lines are, the more
LEAST_GAP, MOST_GAP = 48.0, 150.0
STEEPNESS = 0.1
LANE = 12.0
#: lanes above and below each; when there is no free one, lines share
MOST_LANES = 24
#: how far a line that turns round reaches beyond the boxes
TURN = 20.0


@dataclass
class Drawn:
    """The drawing of one connected part, its upper left corner at (0, 0)."""

    corners: list[Point]
    routes: list[list[Point]]
    width: float
    height: float


def route(ranks: Ranks, order: Sequence[Sequence[int]], middles: Sequence[float], width: float, height: float) -> Drawn:
    """Return where the boxes stand and how the lines go.

    :param middles: the height of each vertex
    """
    lefts = _lefts(ranks, order, middles, width)
    outside = [line for line, way in enumerate(ranks.ways) if way is None]
    turns = any(ranks.column[ranks.edges[line][0]] >= ranks.column[ranks.edges[line][1]] for line in outside)
    lines = _Lines(ranks, lefts, middles, width)
    routes = [lines.inside(edge, way) if way else [] for edge, way in zip(ranks.edges, ranks.ways, strict=True)]
    ceiling, floor = min(middles) - height / 2, max(middles) + height / 2
    lanes = _Lanes(ceiling, floor)
    for line in outside:
        routes[line] = lines.around(ranks.edges[line], height, lanes)
    left, top = (-TURN if turns else 0.0), lanes.top
    highest = min([middles[box] - height / 2 for box in range(ranks.boxes)] + [y for way in routes for _, y in way])
    lowest = max([middles[box] + height / 2 for box in range(ranks.boxes)] + [y for way in routes for _, y in way])
    top = min(highest, top if lanes.is_used else highest)
    return Drawn(
        corners=[(lefts[ranks.column[box]] - left, middles[box] - height / 2 - top) for box in range(ranks.boxes)],
        routes=[[(x - left, y - top) for x, y in way] for way in routes],
        width=lefts[-1] + width - 2 * left,
        height=lowest - top,
    )


def _lefts(ranks: Ranks, order: Sequence[Sequence[int]], middles: Sequence[float], width: float) -> list[float]:
    """Return the left side of each column."""
    lefts = [0.0]
    for column in order[:-1]:
        steepest = max(
            (abs(middles[vertex] - middles[other]) for vertex in column for other in ranks.below[vertex]), default=0.0
        )
        lefts.append(lefts[-1] + width + round(min(LEAST_GAP + STEEPNESS * steepest, MOST_GAP)))
    return lefts


class _Lines:
    """The ways of lines: inside, past columns at their points, or around the outside."""

    def __init__(self, ranks: Ranks, lefts: Sequence[float], middles: Sequence[float], width: float):
        self._column = ranks.column
        self._lefts = lefts
        self._middles = middles
        self._width = width
        #: by trunk: for each of its points the nearest one that lies straight before it
        self._straight: dict[int, list[int]] = {}

    def inside(self, edge: Edge, way: Way) -> list[Point]:
        """Return the points of one line with a way; if it passes columns straight on, there are none in between."""
        points: list[Point] = []
        straight = self._straight_of(way.trunk) if way.count else []
        far = way.count - 1
        while far >= 0:
            near = straight[far]
            first, last = (far, near) if way.to_end else (near, far)
            level = self._middles[way.trunk[far]]
            run = [(self._left(way.trunk[first]), level), (self._left(way.trunk[last]) + self._width, level)]
            points += run if way.to_end else reversed(run)
            far = near - 1
        if not way.to_end:
            points.reverse()
        start = (self._left(edge[0]) + self._width, self._middles[edge[0]])
        end = (self._left(edge[1]), self._middles[edge[1]])
        points = [start, *points, end]
        if len(points) > 2 and points[1][1] == start[1]:
            del points[1]
        if len(points) > 2 and points[-2][1] == end[1]:
            del points[-2]
        return points

    def around(self, edge: Edge, height: float, lanes: _Lanes) -> list[Point]:
        """Return the points of one line that has no way.

        :param height: of a box
        """
        start, end = edge
        first = (self._left(start) + self._width, self._middles[start])
        last = (self._left(end), self._middles[end])
        if start == end:
            above = self._middles[start] - height / 2 - BOX_GAP / 2
            return [first, (first[0], above), (last[0], above), last]
        lane = lanes.take(first, last)
        if self._column[start] >= self._column[end]:
            return [first, (first[0], lane), (last[0], lane), last]
        return [
            first,
            (self._lefts[self._column[start] + 1], lane),
            (self._lefts[self._column[end] - 1] + self._width, lane),
            last,
        ]

    def _left(self, vertex: int) -> float:
        return self._lefts[self._column[vertex]]

    def _straight_of(self, trunk: list[int]) -> list[int]:
        found = self._straight.get(id(trunk))
        if found is None:
            found = []
            for index, vertex in enumerate(trunk):
                goes_on = index and self._middles[vertex] == self._middles[trunk[index - 1]]
                found.append(found[-1] if goes_on else index)
            self._straight[id(trunk)] = found
        return found


class _Lanes:
    """Lanes above and below the boxes; each line takes the nearest one that is free from its start to its end."""

    def __init__(self, ceiling: float, floor: float):
        self._edges = {-1: ceiling, 1: floor}
        self._taken: dict[int, list[list[tuple[float, float]]]] = {-1: [], 1: []}

    @property
    def is_used(self) -> bool:
        """Whether any line took one."""
        return any(self._taken.values())

    @property
    def top(self) -> float:
        """The highest lane, or the ceiling."""
        return self._edges[-1] - LANE * len(self._taken[-1])

    def take(self, start: Point, end: Point) -> float:
        """Return the height of a lane for a line between two points."""
        middle = (start[1] + end[1]) / 2
        side = -1 if middle - self._edges[-1] < self._edges[1] - middle else 1
        taken = self._taken[side]
        left, right = sorted((start[0], end[0]))
        free = (
            number
            for number, lane in enumerate(taken)
            if all(right < other_left or left > other_right for other_left, other_right in lane)
        )
        number = next(free, min(len(taken), MOST_LANES - 1))
        if number == len(taken):
            taken.append([])
        taken[number].append((left, right))
        return self._edges[side] + side * LANE * (number + 1)
