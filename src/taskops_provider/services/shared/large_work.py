"""Work of seconds inside a request: a few at a time, so that the others are answered meanwhile.

Python computes one thing at a time, and the threads of the API server, which answer its health check too, are few. Who
comes when all slots are taken is refused at once and does not wait: waiting takes a thread as well.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from taskops_provider.exceptions import Conflict

#: large pieces of work that one process does at a time
AT_ONCE = 2
_slots = threading.BoundedSemaphore(AT_ONCE)


class WorkSlot:
    """A slot that is taken once the work turns out to be large."""

    def __init__(self, what: str):
        self._what = what
        self.is_taken = False

    def take(self) -> None:
        """Take the slot, unless it is taken already.

        :raises Conflict: when all are taken
        """
        if self.is_taken:
            return
        if not _slots.acquire(blocking=False):
            raise Conflict(f"the server is busy with {AT_ONCE} other large requests; ask for {self._what} in a moment")
        self.is_taken = True

    def give_back(self) -> None:
        """Let the next one take it."""
        if self.is_taken:
            self.is_taken = False
            _slots.release()


@contextmanager
def large_work(what: str) -> Iterator[WorkSlot]:
    """Give the slot back at the end, whatever happens.

    :param what: what is worked on, for who is refused
    """
    slot = WorkSlot(what)
    try:
        yield slot
    finally:
        slot.give_back()
