"""The sender of messages: a thread of its own with a lease of its own.

A mail server that is dead or slow delays neither the monitor's steps nor the messages of other channels.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from datetime import UTC, datetime

from airflow.utils.session import create_session

from taskops_provider import metrics
from taskops_provider.domain.alarms.deliveries import DeliveryState
from taskops_provider.domain.metrics import MESSAGE_OUTCOMES, MESSAGES
from taskops_provider.monitor.backoff import Backoff
from taskops_provider.monitor.leased import LeasedLoop
from taskops_provider.services.alarms import deliver
from taskops_provider.services.shared.monitor_life import SENDER_LEASE

log = logging.getLogger(__name__)

#: seconds for which a channel that does not work is left alone, at first and at most
FIRST_PAUSE, LONGEST_PAUSE = 5.0, 60.0
#: seconds that a message under way may still take when the sender ends
_PATIENCE = 5.0


class Sender(LeasedLoop):
    """The loop that sends: each channel has a thread of its own, so that a slow one delays no other."""

    title = "The sender of TaskOps' messages"
    lease_name = SENDER_LEASE

    def __init__(self, interval: float | None = None, holder: str | None = None):
        super().__init__(interval, holder)
        self._busy: dict[str, threading.Thread] = {}
        #: of channels that do not work
        self._pauses: dict[str, Backoff] = {}

    def play(self, now: datetime | None) -> bool:
        """Have everything sent that is due."""
        moment = now or datetime.now(UTC)
        with create_session(scoped=False) as session:
            lost = deliver.give_up_lost(session, moment)
            due = deliver.due_channels(session, moment)
        if lost:
            metrics.count(MESSAGES, MESSAGE_OUTCOMES[DeliveryState.UNCERTAIN.value], lost)
            log.warning("TaskOps: %d messages may or may not have gone out: their sender ended", lost)
        for key in due:
            self._start(key, now)
        return True

    def wait(self, seconds: float | None = None) -> None:
        """Wait until what is being sent is sent.

        :param seconds: for each channel, at most
        """
        for thread in list(self._busy.values()):
            thread.join(seconds)

    def finish(self) -> None:
        """Let the messages under way be sent, unless they take too long."""
        self.wait(_PATIENCE)

    def _start(self, key: str, now: datetime | None) -> None:
        thread = self._busy.get(key)
        if thread is not None and thread.is_alive():
            return
        if now is None and key in self._pauses and not self._pauses[key].is_due:
            return
        thread = threading.Thread(target=self._drain, args=(key, now), name=f"taskops-sender {key}", daemon=True)
        self._busy[key] = thread
        thread.start()

    def _drain(self, key: str, now: datetime | None) -> None:
        """Send what a channel has, one message after the other, until there is none or it does not work."""
        line: deque[int] = deque()
        try:
            while self._holds:
                outcome = deliver.send_next(key, self.holder, now, line)
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
        # each channel has one thread at a time
        if self._pauses.setdefault(key, Backoff(FIRST_PAUSE, LONGEST_PAUSE)).note(error):
            log.warning("TaskOps' channel %s does not work and is tried again: %s", key, error)
