"""The actors' deeds by name: what a script's events call."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Protocol

#: name of an event -> what does it: ``do(world, **arguments)``
DEEDS: dict[str, Callable[..., None]] = {}
#: name of an event -> the process that does it, whose clock it goes by
PROCESS: dict[str, str] = {}


class _HasClock(Protocol):
    clock: Any


def actor(process: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Make a function an event of this name, done by a process: "scheduler", "api" or "monitor"."""

    def register(do: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(do)
        def timed(world: _HasClock, **arguments: Any) -> None:
            with world.clock.of(process):
                do(world, **arguments)

        DEEDS[do.__name__] = timed
        PROCESS[do.__name__] = process
        return timed

    return register
