"""Laying out the diagrams of large workflows (requirements A7)."""

from __future__ import annotations

import random
import time

from benchmarks.measure import Row
from taskops_provider.domain.layering.layout import layout

TASKS = 2000
SECONDS = 0.2
TIMES = 5
Edges = list[tuple[int, int]]


def fan() -> Edges:
    """One task, all the others, one task."""
    return [(0, end) for end in range(1, TASKS - 1)] + [(start, TASKS - 1) for start in range(1, TASKS - 1)]


def chain() -> Edges:
    """One after the other, and each before the last one."""
    return [(start, start + 1) for start in range(TASKS - 1)] + [(start, TASKS - 1) for start in range(TASKS - 2)]


def diamonds() -> Edges:
    """Three that do not hang together."""
    size = TASKS // 3
    found: Edges = []
    for first in range(0, size * 3, size):
        last = first + size - 1
        found += [edge for task in range(first + 1, last) for edge in ((first, task), (task, last))]
    return found


def layers() -> Edges:
    """Forty layers of fifty tasks with two upstream tasks each, mostly of the layer before."""
    source = random.Random(3)
    found: set[tuple[int, int]] = set()
    for task in range(50, TASKS):
        for _ in range(2):
            layer = max(0, task // 50 - source.choice((1, 1, 1, 1, 2, 3)))
            found.add((source.randrange(layer * 50, layer * 50 + 50), task))
    return sorted(found)


def pipelines() -> Edges:
    """Pipelines of ten tasks, with as many dependencies again between neighbours."""
    source = random.Random(5)
    found = {(task - 1, task) for task in range(1, TASKS) if task % 10}
    found |= {(source.randrange(task // 100 * 100 - 100, task // 100 * 100), task) for task in range(100, TASKS, 10)}
    found |= {(0, task) for task in range(10, 100, 10)}
    while len(found) < 2 * TASKS:
        task = source.randrange(50, TASKS)
        found.add((task - source.randrange(1, 50), task))
    return sorted(found)


def best(edges: Edges) -> float:
    """Return the shortest CPU time of several, in seconds."""
    taken = []
    for _ in range(TIMES):
        started = time.process_time()
        layout(TASKS, edges, 200.0, 50.0)
        taken.append(time.process_time() - started)
    return min(taken)


def measure() -> list[Row]:
    """The rows of the table; the target is absolute."""
    return [
        Row(f"lay out {TASKS:,} tasks: {shape.__name__} (CPU)", best(shape()), f"{SECONDS} s", None, SECONDS)
        for shape in (fan, chain, diamonds, layers, pipelines)
    ]
