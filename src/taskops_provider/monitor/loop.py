"""The monitor loop: runs the steps that are due, as long as this monitor holds the lease."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from airflow.utils.session import create_session

from taskops_provider import config
from taskops_provider.exceptions import NotMigrated
from taskops_provider.monitor import lease
from taskops_provider.monitor.steps import STEPS, Step
from taskops_provider.services.health import require_tables

log = logging.getLogger(__name__)

#: seconds a step that fails again and again waits at most
LONGEST_WAIT = 60.0


@dataclass
class _Plan:
    """When a step is due, and how it fares."""

    step: Step
    #: ``time.monotonic()`` of the next time
    due: float = 0.0
    failures: int = 0
    last_error: str | None = None


class Monitor:
    """One monitor. Any number may run; the one that holds the lease works, the others wait for it to end.

    Call it from one thread.

    :param interval: seconds between two rounds
    """

    def __init__(self, interval: float | None = None, steps: Sequence[Step] = STEPS, holder: str | None = None):
        self.interval = config.monitor_interval() if interval is None else interval
        self.holder = holder or lease.new_holder()
        self._plans = [_Plan(step) for step in steps]
        self._lasts = lease.lifetime(self.interval)
        self._renewed = float("-inf")
        self._migrated = False
        self._holds = False
        self._trouble: str | None = None
        self._status = "started"

    @property
    def status(self) -> str:
        """What the last round did, in one line; it is kept with the lease."""
        return self._status

    def run_once(self, now: datetime | None = None) -> bool:
        """Play one round if this monitor holds, or gets, the lease; tell whether it does.

        Does nothing where our tables are missing. Errors of steps are logged and kept in :attr:`status`.

        :param now: the time to go by; for tests
        :raises Exception: when the database does not answer
        """
        if not self._is_migrated() or not self._hold(now):
            return False
        started = time.perf_counter()
        did: list[str] = []
        for plan in self._plans:
            if plan.due > time.monotonic():
                continue
            # a long step must not lose the lease for those behind it
            if time.monotonic() - self._renewed > self._lasts.total_seconds() / 3 and not self._hold(now):
                return False
            if self._run(plan, now):
                did.append(plan.step.name)
        self._status = self._told(did, time.perf_counter() - started)
        return True

    def run_forever(self, stop: threading.Event) -> None:
        """Play rounds until ``stop`` is set, then give the lease back. No error ends it."""
        try:
            while not stop.is_set():
                self._run_safely()
                stop.wait(self.interval)
        finally:
            self.close()

    def close(self) -> None:
        """Give the lease back, so that another monitor takes over at once."""
        if not self._holds:
            return
        self._holds = False
        try:
            with create_session(scoped=False) as session:
                lease.release(session, self.holder)
        except Exception as error:
            log.warning("The TaskOps monitor could not give its lease back; it ends by itself: %s", error)

    def _run_safely(self) -> None:
        try:
            self.run_once()
        except Exception as error:
            self._holds = False
            self._warn_of(f"The TaskOps monitor waits for the database: {_first_line(error)}")
        else:
            if self._trouble:
                log.info("The TaskOps monitor goes on")
            self._trouble = None

    def _warn_of(self, trouble: str) -> None:
        """Log trouble once, until it changes or is over."""
        if trouble != self._trouble:
            log.warning("%s", trouble)
        self._trouble = trouble

    def _is_migrated(self) -> bool:
        if not self._migrated:
            with create_session(scoped=False) as session:
                try:
                    require_tables(session)
                except NotMigrated:
                    return False
            self._migrated = True
        return True

    def _hold(self, now: datetime | None) -> bool:
        with create_session(scoped=False) as session:
            holds = lease.acquire(session, self.holder, now or datetime.now(UTC), self._lasts, self._status)
        if holds != self._holds:
            log.info("The TaskOps monitor %s %s", self.holder, "works" if holds else "waits: another one works")
        self._holds = holds
        self._renewed = time.monotonic()
        return holds

    def _run(self, plan: _Plan, now: datetime | None) -> bool:
        """Run a step in a transaction of its own; tell whether it did anything. Never raises."""
        step = plan.step
        plan.due = time.monotonic() + step.every
        try:
            with create_session(scoped=False) as session:
                did = step.do(session, now or datetime.now(UTC))
        except Exception as error:
            self._failed(plan, error)
            return False
        if plan.failures:
            log.info("The TaskOps monitor's step %s works again after %d failures", step.name, plan.failures)
            plan.failures, plan.last_error = 0, None
        return bool(did)

    def _failed(self, plan: _Plan, error: Exception) -> None:
        """Put the step off, for longer each time; log the error once, with where it came from."""
        plan.failures += 1
        wait = max(plan.step.every, self.interval) * 2 ** min(plan.failures - 1, 10)
        plan.due = time.monotonic() + max(min(wait, LONGEST_WAIT), plan.step.every)
        line = _first_line(error)
        if line != plan.last_error:
            log.error(
                "The TaskOps monitor's step %s failed and is tried again: %s", plan.step.name, line, exc_info=True
            )
        plan.last_error = line

    def _told(self, did: list[str], seconds: float) -> str:
        failing = [f"{plan.step.name}: {plan.last_error}" for plan in self._plans if plan.failures]
        told = f"last round took {seconds:.2f} s"
        if did:
            told += f", did {', '.join(did)}"
        if failing:
            told += f"; failing: {'; '.join(failing)}"
        return told[:500]


def _first_line(error: Exception) -> str:
    text = str(error).strip().partition("\n")[0]
    return f"{type(error).__name__}: {text}"[:200]
