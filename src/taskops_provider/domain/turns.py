"""Taking turns: however much somebody has, others wait for one thing of theirs, and not for all."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import TypeVar

Thing = TypeVar("Thing")


def in_turn(things: Iterable[Thing], whose: Callable[[Thing], Hashable]) -> list[Thing]:
    """Return the first thing of each, then the second of each, and so on; those of one stay in their order."""
    had: dict[Hashable, int] = {}
    placed: list[tuple[int, Thing]] = []
    for thing in things:
        name = whose(thing)
        had[name] = place = had.get(name, 0) + 1
        placed.append((place, thing))
    # sorting is stable: within a round they come as they came
    return [thing for _, thing in sorted(placed, key=lambda one: one[0])]
