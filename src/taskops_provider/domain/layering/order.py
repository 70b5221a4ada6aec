"""Second step of a layered drawing: the order of each column, so that few lines cross."""

from __future__ import annotations

from bisect import bisect_right, insort

from taskops_provider.domain.layering.ranks import Ranks

#: links that all sweeps together may look at; a small graph is swept until it no longer improves
WORK = 60_000
LEAST_SWEEPS, MOST_SWEEPS = 4, 24
#: larger graphs are not improved by swapping neighbours
MOST_LINKS_TO_SWAP = 600
SWAP_ROUNDS = 4


def order(ranks: Ranks) -> list[list[int]]:
    """Return the vertices of each column from top to bottom."""
    columns = _first(ranks)
    links = sum(map(len, ranks.below))
    sweeps = min(max(WORK // max(links, 1), LEAST_SWEEPS), MOST_SWEEPS)
    best, fewest = [list(column) for column in columns], crossings(ranks, columns)
    idle = 0
    for sweep in range(sweeps):
        if not fewest or idle > 3:
            break
        _sweep(ranks, columns, downwards=sweep % 2 == 0)
        found = crossings(ranks, columns)
        idle += 1
        if found < fewest:
            best, fewest, idle = [list(column) for column in columns], found, 0
    if fewest and links <= MOST_LINKS_TO_SWAP:
        _swap(ranks, best)
    return best


def _first(ranks: Ranks) -> list[list[int]]:
    """The order of a walk along the lines: a tree has no crossings then, and what is written first comes first."""
    columns: list[list[int]] = [[] for _ in range(ranks.columns)]
    seen = [False] * len(ranks.column)
    for root in range(len(ranks.column)):
        if ranks.above[root] or seen[root]:
            continue
        stack = [root]
        while stack:
            vertex = stack.pop()
            if not seen[vertex]:
                seen[vertex] = True
                columns[ranks.column[vertex]].append(vertex)
                stack.extend(reversed(ranks.below[vertex]))
    return columns


def _sweep(ranks: Ranks, columns: list[list[int]], *, downwards: bool) -> None:
    """Sort each column by where its neighbours in the column before (or after) stand on average."""
    near = ranks.above if downwards else ranks.below
    place = [0.0] * len(ranks.column)
    for column in columns if downwards else reversed(columns):
        size = len(column)
        keys = {}
        for index, vertex in enumerate(column):
            found = near[vertex]
            keys[vertex] = sum([place[other] for other in found]) / len(found) if found else (index + 0.5) / size
        column.sort(key=keys.__getitem__)
        for index, vertex in enumerate(column):
            place[vertex] = (index + 0.5) / size


def crossings(ranks: Ranks, columns: list[list[int]]) -> int:
    """Count the pairs of lines that cross between two columns."""
    place = [0] * len(ranks.column)
    for column in columns:
        for index, vertex in enumerate(column):
            place[vertex] = index
    total = 0
    for column in columns[:-1]:
        ends: list[int] = []
        for vertex in column:
            found = [place[other] for other in ranks.below[vertex]]
            for end in found:
                total += len(ends) - bisect_right(ends, end)
            for end in found:
                # mostly in order already
                if not ends or end >= ends[-1]:
                    ends.append(end)
                else:
                    insort(ends, end)
    return total


def _swap(ranks: Ranks, columns: list[list[int]]) -> None:
    """Swap neighbours in a column wherever that takes crossings away."""
    place = [0] * len(ranks.column)
    for column in columns:
        for index, vertex in enumerate(column):
            place[vertex] = index
    for _ in range(SWAP_ROUNDS):
        improved = False
        for column in columns:
            for index in range(len(column) - 1):
                upper, lower = column[index], column[index + 1]
                if _gain(ranks, place, upper, lower) > 0:
                    column[index], column[index + 1] = lower, upper
                    place[lower], place[upper] = index, index + 1
                    improved = True
        if not improved:
            return


def _gain(ranks: Ranks, place: list[int], upper: int, lower: int) -> int:
    """How many crossings there would be less if two neighbours were swapped."""
    gain = 0
    for near in (ranks.above, ranks.below):
        ones, others = [place[v] for v in near[upper]], [place[v] for v in near[lower]]
        for one in ones:
            for other in others:
                gain += (one > other) - (one < other)
    return gain
