"""Third step of a layered drawing: the height of each vertex, in the order of its column and without overlap.

Each column in turn is put as near as its order allows to where its neighbours are (least squares, solved exactly by
pooling), first from the left, then from the right, until the columns agree. Last, lines are made straight where
there is room for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from taskops_provider.domain.layering.ranks import Ranks

BOX_GAP = 18.0
POINT_GAP = 12.0
#: links that all rounds together may look at
WORK = 80_000
LEAST_ROUNDS, MOST_ROUNDS = 2, 16
#: a point gives way to boxes where its line comes from a box, and less than they do further along
FIRST_WEIGHT, POINT_WEIGHT = 0.02, 4.0


def place(ranks: Ranks, order: Sequence[Sequence[int]], height: float) -> list[float]:
    """Return the middle of each vertex, the highest box at ``height / 2``.

    :param order: the vertices of each column from top to bottom
    """
    offsets = [_offsets(ranks, column, height) for column in order]
    middles = [0.0] * len(ranks.column)
    for column, distances in zip(order, offsets, strict=True):
        for vertex, distance in zip(column, distances, strict=True):
            middles[vertex] = distance - distances[-1] / 2
    above, below = _alike(ranks, ranks.above), _alike(ranks, ranks.below)
    links = sum(map(len, below))
    for _ in range(min(max(WORK // (4 * links + 1), LEAST_ROUNDS), MOST_ROUNDS)):
        for near, backwards in ((above, False), (below, True)):
            columns = zip(order, offsets, strict=True)
            for column, distances in reversed(list(columns)) if backwards else columns:
                _settle(ranks, column, distances, near, middles)
    _straighten(_continued(above, below), order, offsets, middles)
    highest = min(middles[: ranks.boxes]) - height / 2
    return [round(middle - highest, 1) for middle in middles]


def _offsets(ranks: Ranks, column: Sequence[int], height: float) -> list[float]:
    """Return how far below the first vertex of a column the others stand at least."""
    distances = [0.0]
    for upper, lower in pairwise(column):
        boxes = (upper < ranks.boxes) + (lower < ranks.boxes)
        distances.append(distances[-1] + boxes * height / 2 + (BOX_GAP if boxes == 2 else POINT_GAP))
    return distances


def _alike(ranks: Ranks, near: list[list[int]]) -> list[list[int]]:
    """Return which neighbours a vertex is to be level with: boxes with boxes, points with points, where there are any.

    Else a chain of boxes would lean towards the lines that run beside it.
    """
    found = []
    for vertex, others in enumerate(near):
        is_box = vertex < ranks.boxes
        found.append([other for other in others if (other < ranks.boxes) is is_box] or others)
    return found


def _settle(
    ranks: Ranks, column: Sequence[int], distances: Sequence[float], near: list[list[int]], middles: list[float]
) -> None:
    """Put a column where its neighbours on one side are, on average."""
    # blocks of vertices that stand as close as they may: [sum of weighted wishes, sum of weights, members]
    blocks: list[list[float]] = []
    for vertex, distance in zip(column, distances, strict=True):
        found = near[vertex]
        if found:
            wish = sum([middles[other] for other in found]) / len(found)
            if vertex < ranks.boxes:
                weight = float(len(found))
            else:
                weight = FIRST_WEIGHT if found[0] < ranks.boxes else POINT_WEIGHT
        else:
            wish, weight = middles[vertex], 0.5
        total, members = (wish - distance) * weight, 1.0
        while blocks and blocks[-1][0] * weight >= total * blocks[-1][1]:
            before = blocks.pop()
            total += before[0]
            weight += before[1]
            members += before[2]
        blocks.append([total, weight, members])
    index = 0
    for total, weight, members in blocks:
        start = total / weight
        for _ in range(int(members)):
            middles[column[index]] = start + distances[index]
            index += 1


def _continued(above: list[list[int]], below: list[list[int]]) -> list[int | None]:
    """Return the vertex that goes on where a vertex ends: each is the only one that the other is to be level with."""
    return [found[0] if len(found) == 1 and above[found[0]] == [start] else None for start, found in enumerate(below)]


def _straighten(
    following: Sequence[int | None],
    order: Sequence[Sequence[int]],
    offsets: Sequence[Sequence[float]],
    middles: list[float],
) -> None:
    """Give the vertices of each line one height, or as few heights as the room between their neighbours allows."""
    upper: list[tuple[int, float] | None] = [None] * len(middles)
    lower: list[tuple[int, float] | None] = [None] * len(middles)
    for column, distances in zip(order, offsets, strict=True):
        for index in range(len(column) - 1):
            distance = distances[index + 1] - distances[index]
            lower[column[index]] = (column[index + 1], distance)
            upper[column[index + 1]] = (column[index], distance)

    def room(vertex: int) -> tuple[float, float]:
        least, most = upper[vertex], lower[vertex]
        return (
            middles[least[0]] + least[1] if least else float("-inf"),
            middles[most[0]] - most[1] if most else float("inf"),
        )

    continued = set(following)
    for start in range(len(middles)):
        if start in continued:
            continue
        run: list[int] = []
        low, high = float("-inf"), float("inf")
        vertex: int | None = start
        while vertex is not None:
            least, most = room(vertex)
            if run and (max(low, least) > min(high, most)):
                _level(run, low, high, middles)
                run, low, high = [], float("-inf"), float("inf")
            run.append(vertex)
            low, high = max(low, least), min(high, most)
            vertex = following[vertex]
        _level(run, low, high, middles)


def _level(run: Sequence[int], low: float, high: float, middles: list[float]) -> None:
    if len(run) > 1:
        wish = sum([middles[vertex] for vertex in run]) / len(run)
        for vertex in run:
            middles[vertex] = min(max(wish, low), high)
