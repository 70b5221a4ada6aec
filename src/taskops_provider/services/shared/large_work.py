"""Work of seconds inside a request: a few at a time, so that the others are answered meanwhile.

Python computes one thing at a time, and the threads of the API server, which answer its health check too, are few. Who
comes when all slots are taken is refused at once and does not wait: waiting takes a thread as well.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from taskops_provider.exceptions import Conflict

#: large pieces of work that one process does at a time
AT_ONCE = 2
#: those of them that one person has: whoever asks on and on would keep everybody else out
OF_ONE = 1
_lock = threading.Lock()
#: who -> the slots that they have
_taken: Counter[str] = Counter()


class WorkSlot:
    """A slot that is taken once the work turns out to be large."""

    def __init__(self, what: str, who: str):
        self._what, self._who = what, who
        self.is_taken = False

    def take(self) -> None:
        """Take the slot, unless it is taken already.

        :raises Conflict: when all are taken, or who asks has one already
        """
        if self.is_taken:
            return
        with _lock:
            if _taken.total() >= AT_ONCE:
                busy = f"the server is busy with {AT_ONCE} other large requests"
                raise Conflict(f"{busy}; ask for {self._what} in a moment")
            if self._who and _taken[self._who] >= OF_ONE:
                raise Conflict(f"another large request of yours is under way; ask for {self._what} when it is done")
            _taken[self._who] += 1
            self.is_taken = True

    def give_back(self) -> None:
        """Let the next one take it."""
        if self.is_taken:
            self.is_taken = False
            with _lock:
                _taken[self._who] -= 1


@contextmanager
def large_work(what: str, who: str) -> Iterator[WorkSlot]:
    """Give the slot back at the end, whatever happens.

    :param what: what is worked on, for who is refused
    :param who: the name of who asks; empty for nobody in particular
    """
    slot = WorkSlot(what, who)
    try:
        yield slot
    finally:
        slot.give_back()
