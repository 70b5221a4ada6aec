"""A clock that only moves when the history says so, and reads differently in each process.

Python's clocks are moved by time-machine. The database's own clock (``CURRENT_TIMESTAMP``, ``now()``) is written into
each statement as a literal, see :meth:`Clock.in_sql`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import time_machine

#: where every history begins; a Sunday, so that no weekly schedule is due at once
START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)

_SQL_NOW = re.compile(r"\bCURRENT_TIMESTAMP\b|\bnow\(\)", re.IGNORECASE)


class Clock:
    """The time of one history.

    :param skews: process ("scheduler", "api", "monitor") -> seconds by which its clock is ahead of the true one
    """

    def __init__(self, skews: Mapping[str, float] | None = None):
        self.now = START
        self._skews = dict(skews or {})
        #: whose clock is read
        self.process = ""
        self._travel = time_machine.travel(START, tick=False)
        self._coordinates = self._travel.start()

    def stop(self) -> None:
        """Give Python its clocks back."""
        self._travel.stop()

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.now += timedelta(seconds=seconds)
        self._show()

    @contextmanager
    def of(self, process: str) -> Iterator[datetime]:
        """Read the clock of a process meanwhile; yields what it shows."""
        before, self.process = self.process, process
        yield self._show()
        self.process = before
        self._show()

    def resume(self, process: str) -> None:
        """Go on in a process that was interrupted by another."""
        self.process = process
        self._show()

    def _show(self) -> datetime:
        shown = self.now + timedelta(seconds=self._skews.get(self.process, 0.0))
        self._coordinates.move_to(shown, tick=False)
        return shown

    def in_sql(self, statement: str, dialect: str) -> str:
        """Return a statement with the time of the history in place of the database's clock."""
        if "now()" not in statement and "CURRENT_TIMESTAMP" not in statement:
            return statement
        literal = f"'{self.now:%Y-%m-%d %H:%M:%S.%f}'"
        if dialect == "postgresql":
            literal = f"(timestamptz '{self.now:%Y-%m-%d %H:%M:%S.%f}+00')"
        return _SQL_NOW.sub(literal, statement)
