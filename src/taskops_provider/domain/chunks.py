"""Many values in parts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")

#: what one statement takes
CHUNK = 500


def chunks(items: Iterable[T], size: int = CHUNK) -> Iterator[list[T]]:
    """Cut into lists of at most ``size``, in the order of the items."""
    every = list(items)
    for start in range(0, len(every), size):
        yield every[start : start + size]
