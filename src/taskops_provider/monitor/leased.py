"""A loop of which any number may run: the one that holds the lease works, the others wait for it to end."""

from __future__ import annotations

import logging
import threading
import time
from abc import ABC, abstractmethod
from datetime import UTC, datetime
from typing import ClassVar

from airflow.utils.session import create_session

from taskops_provider import config
from taskops_provider.exceptions import NotMigrated
from taskops_provider.monitor import lease
from taskops_provider.services.health import require_tables

log = logging.getLogger(__name__)


class LeasedLoop(ABC):
    """Plays rounds as long as it holds the lease. Call it from one thread.

    :param interval: seconds between two rounds; default ``[taskops] monitor_interval``
    :param holder: a name that no other loop has
    """

    #: what it is called in logs
    title: ClassVar[str]
    #: the name of its lease
    lease_name: ClassVar[str]

    def __init__(self, interval: float | None = None, holder: str | None = None):
        self.interval = config.monitor_interval() if interval is None else interval
        self.holder = holder or lease.new_holder()
        self._lasts = lease.lifetime(self.interval)
        self._renewed = float("-inf")
        self._has_tables = False
        self._holds = False
        self._trouble: str | None = None

    @property
    def status(self) -> str | None:
        """One line for people about what it last did; it is kept with the lease."""
        return None

    @abstractmethod
    def play(self, now: datetime | None) -> bool:
        """Play one round; tell whether the lease was held to its end.

        :param now: the time to go by; None: that of the clock
        """

    def run_once(self, now: datetime | None = None) -> bool:
        """Play one round if this loop holds, or gets, the lease; tell whether it does.

        Does nothing where our tables are missing.

        :param now: the time to go by; for tests
        :raises Exception: when the database does not answer
        """
        return self._tables_are_there() and self._hold(now) and self.play(now)

    def run_forever(self, stop: threading.Event) -> None:
        """Play rounds until ``stop`` is set, then give the lease back. No error ends it."""
        try:
            while not stop.is_set():
                self._run_safely()
                stop.wait(self.interval)
        finally:
            self.close()

    def close(self) -> None:
        """Give the lease back, so that another loop takes over at once."""
        if not self._holds:
            return
        self._holds = False
        self.finish()
        try:
            with create_session(scoped=False) as session:
                lease.release(session, self.holder, name=self.lease_name)
        except Exception as error:
            log.warning("%s could not give its lease back; it ends by itself: %s", self.title, error)

    def finish(self) -> None:  # noqa: B027 - most have nothing to do here
        """Bring to an end what is under way, before the lease is given back."""

    def renewed_in_time(self, now: datetime | None) -> bool:
        """Renew the lease where a third of its time has passed; tell whether this loop still holds it.

        For rounds that may take long.
        """
        return time.monotonic() - self._renewed <= self._lasts.total_seconds() / 3 or self._hold(now)

    def _run_safely(self) -> None:
        try:
            self.run_once()
        except Exception as error:
            self._holds = False
            trouble = first_line(error)
            # once, until it changes or is over
            if trouble != self._trouble:
                log.warning("%s waits for the database: %s", self.title, trouble)
            self._trouble = trouble
        else:
            if self._trouble:
                log.info("%s goes on", self.title)
            self._trouble = None

    def _tables_are_there(self) -> bool:
        """Whether our tables are there, and of this version: a loop may begin before they are migrated."""
        if not self._has_tables:
            with create_session(scoped=False) as session:
                try:
                    require_tables(session)
                except NotMigrated:
                    return False
            self._has_tables = True
        return True

    def _hold(self, now: datetime | None) -> bool:
        moment = now or datetime.now(UTC)
        with create_session(scoped=False) as session:
            holds = lease.acquire(session, self.holder, moment, self._lasts, self.status, name=self.lease_name)
        if holds != self._holds:
            log.info("%s %s %s", self.title, self.holder, "works" if holds else "waits: another one works")
        self._holds = holds
        self._renewed = time.monotonic()
        return holds


def first_line(error: Exception) -> str:
    """Return an error's kind and the first line of its text, at most 200 characters."""
    text = str(error).strip().partition("\n")[0]
    return f"{type(error).__name__}: {text}"[:200]
