"""Trying again what fails: later each time, and logged once."""

from __future__ import annotations

import time
from dataclasses import dataclass


@dataclass(slots=True)
class Backoff:
    """How something fares that fails and is tried again.

    :param first: seconds until it is tried again after its first failure; they double with each further one
    :param longest: seconds that it waits at most
    """

    first: float
    longest: float
    #: failures in a row, and the line about the last one
    failures: int = 0
    error: str = ""
    #: ``time.monotonic()`` of the next try
    again: float = 0.0

    @property
    def is_due(self) -> bool:
        """Whether it may be tried now."""
        return self.again <= time.monotonic()

    def note(self, error: str) -> bool:
        """Put it off after a failure; tell whether that is news, to be logged: it fails first or in another way."""
        is_news = not self.failures or error != self.error
        self.failures += 1
        self.error = error
        wait = min(self.first * 2 ** min(self.failures - 1, 10), self.longest)
        self.again = time.monotonic() + wait
        return is_news
