"""The sender of messages: a thread of its own with a lease of its own.

A mail server that is dead or slow delays neither the monitor's steps nor the messages of other channels.
"""

from __future__ import annotations

import logging
import threading
import time
from datetime import UTC, datetime, timedelta

from airflow.utils.session import create_session

from taskops_provider import config
from taskops_provider.exceptions import NotMigrated
from taskops_provider.monitor import lease
from taskops_provider.services import alarm_send
from taskops_provider.services.health import require_tables

log = logging.getLogger(__name__)

LEASE = "alarm sender"
#: seconds for which a channel that does not work is left alone, at first and at most
FIRST_PAUSE, LONGEST_PAUSE = 5.0, 60.0


class Sender:
    """One sender. Any number may run; the one that holds the lease sends, each channel in a thread of its own.

    :param interval: seconds between two rounds
    """

    def __init__(self, interval: float | None = None, holder: str | None = None):
        self.interval = config.monitor_interval() if interval is None else interval
        self.holder = holder or lease.new_holder()
        self._lasts = timedelta(seconds=max(30.0, 5 * self.interval))
        self._busy: dict[str, threading.Thread] = {}
        #: channel -> failures in a row, and ``time.monotonic()`` of when it is tried again
        self._pauses: dict[str, tuple[int, float]] = {}
        self._holds = False
        self._migrated = False
        self._trouble: str | None = None

    def run_once(self, now: datetime | None = None, *, waits: bool = False) -> bool:
        """Have everything sent that is due, if this sender holds, or gets, the lease; tell whether it does.

        :param now: the time to go by; for tests
        :param waits: until it is sent
        :raises Exception: when the database does not answer
        """
        if not self._is_migrated():
            return False
        moment = now or datetime.now(UTC)
        with create_session(scoped=False) as session:
            self._holds = lease.acquire(session, self.holder, moment, self._lasts, name=LEASE)
        if not self._holds:
            return False
        with create_session(scoped=False) as session:
            lost = alarm_send.give_up_lost(session, moment)
            due = alarm_send.due_channels(session, moment)
        if lost:
            log.warning("TaskOps: %d messages may or may not have gone out: their sender ended", lost)
        for key in due:
            self._start(key, now)
        if waits:
            for thread in list(self._busy.values()):
                thread.join()
        return True

    def run_forever(self, stop: threading.Event) -> None:
        """Play rounds until ``stop`` is set, then give the lease back. No error ends it."""
        while not stop.is_set():
            try:
                self.run_once()
                self._trouble = None
            except Exception as error:
                self._holds = False
                if str(error) != self._trouble:
                    log.warning("The sender of TaskOps' messages waits for the database: %s", error)
                self._trouble = str(error)
            stop.wait(self.interval)
        self.close()

    def close(self) -> None:
        """Take up no more messages, and give the lease back once those under way are sent (or take too long)."""
        if not self._holds:
            return
        self._holds = False
        for thread in list(self._busy.values()):
            thread.join(5)
        try:
            with create_session(scoped=False) as session:
                lease.release(session, self.holder, name=LEASE)
        except Exception as error:
            log.warning("The sender of TaskOps' messages could not give its lease back; it ends by itself: %s", error)

    def _is_migrated(self) -> bool:
        if not self._migrated:
            with create_session(scoped=False) as session:
                try:
                    require_tables(session)
                except NotMigrated:
                    return False
            self._migrated = True
        return True

    def _start(self, key: str, now: datetime | None) -> None:
        thread = self._busy.get(key)
        if thread is not None and thread.is_alive():
            return
        _, again = self._pauses.get(key, (0, 0.0))
        if now is None and time.monotonic() < again:
            return
        thread = threading.Thread(target=self._drain, args=(key, now), name=f"taskops-sender {key}", daemon=True)
        self._busy[key] = thread
        thread.start()

    def _drain(self, key: str, now: datetime | None) -> None:
        """Send what a channel has, one message after the other, until there is none or it does not work."""
        try:
            while self._holds:
                outcome = alarm_send.send_next(key, self.holder, now)
                if outcome is None:
                    return
                if outcome.is_down:
                    self._pause(key, outcome.error or "")
                    return
                if self._pauses.pop(key, None):
                    log.info("TaskOps' channel %s works again", key)
        except Exception:
            log.exception("TaskOps could not go on sending by %s; it is tried again", key)

    def _pause(self, key: str, error: str) -> None:
        failures = self._pauses.get(key, (0, 0.0))[0] + 1
        if failures == 1:
            log.warning("TaskOps' channel %s does not work and is tried again: %s", key, error)
        wait = min(FIRST_PAUSE * 2 ** min(failures - 1, 10), LONGEST_PAUSE)
        self._pauses[key] = (failures, time.monotonic() + wait)
