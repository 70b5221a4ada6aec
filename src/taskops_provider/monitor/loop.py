"""The monitor loop: runs the steps that are due, as long as this monitor holds the lease."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from airflow.utils.session import create_session

from taskops_provider import metrics
from taskops_provider.domain.metrics import LAG, ROUNDS, STEP, STEP_FAILED
from taskops_provider.monitor.backoff import Backoff
from taskops_provider.monitor.leased import LeasedLoop, first_line
from taskops_provider.monitor.per_item import PerItemRunner, PerItemStep
from taskops_provider.monitor.steps import STEPS, Step
from taskops_provider.services.shared.monitor_life import MONITOR_LEASE

log = logging.getLogger(__name__)

#: seconds a step that fails again and again waits at most
LONGEST_WAIT = 60.0


@dataclass
class _StepSchedule:
    """When a step is due, and how it fares."""

    step: Step | PerItemStep[Any]
    backoff: Backoff
    #: ``time.monotonic()`` of the next time
    due: float = 0.0
    #: and of the last time
    began: float | None = None
    runner: PerItemRunner[Any] | None = None

    def __post_init__(self) -> None:
        if isinstance(self.step, PerItemStep):
            self.runner = PerItemRunner(self.step)

    def run(self, now: datetime) -> bool:
        """Run the step, in a transaction or several; tell whether it did anything."""
        if isinstance(self.step, Step):
            with create_session(scoped=False) as session:
                return bool(self.step.do(session, now))
        return self.runner is not None and self.runner.run(now)

    def lag(self, moment: float, interval: float) -> float:
        """How many seconds later than it should the step begins, with rounds at this interval."""
        return 0.0 if self.began is None else max(0.0, moment - self.began - max(self.step.every, interval))

    def trouble(self) -> str | None:
        """What is wrong with it at present, in a line."""
        if self.backoff.failures:
            return self.backoff.error
        return (self.runner.trouble() or None) if self.runner else None


class Monitor(LeasedLoop):
    """The loop that does whatever happens later. Errors of steps are logged and kept in :attr:`status`."""

    title = "The TaskOps monitor"
    lease_name = MONITOR_LEASE

    def __init__(
        self,
        interval: float | None = None,
        steps: Sequence[Step | PerItemStep[Any]] = STEPS,
        holder: str | None = None,
    ):
        super().__init__(interval, holder)
        self._schedules = [_StepSchedule(step, self._backoff(step)) for step in steps]
        self._status = "started"

    def _backoff(self, step: Step | PerItemStep[Any]) -> Backoff:
        return Backoff(max(step.every, self.interval), max(step.every, LONGEST_WAIT))

    @property
    def status(self) -> str:
        """What the last round did, in one line."""
        return self._status

    def play(self, now: datetime | None) -> bool:
        """Run the steps that are due."""
        started = time.perf_counter()
        did: list[str] = []
        for schedule in self._schedules:
            if schedule.due > time.monotonic():
                continue
            # a long step must not lose the lease for those behind it
            if not self.renewed_in_time(now):
                return False
            if self._run(schedule, now):
                did.append(schedule.step.name)
        seconds = time.perf_counter() - started
        metrics.duration(ROUNDS, seconds)
        self._status = self._told(did, seconds)
        return True

    def _run(self, schedule: _StepSchedule, now: datetime | None) -> bool:
        """Run a step in a transaction of its own; tell whether it did anything. Never raises."""
        step = schedule.step
        began = time.monotonic()
        metrics.gauge(LAG, schedule.lag(began, self.interval), step.name)
        schedule.due, schedule.began = began + step.every, began
        try:
            did = schedule.run(now or datetime.now(UTC))
        except Exception as error:
            metrics.count(STEP_FAILED, step.name)
            self._failed(schedule, error)
            return False
        finally:
            metrics.duration(STEP, time.monotonic() - began, step.name)
        if failures := schedule.backoff.failures:
            log.info("The TaskOps monitor's step %s works again after %d failures", step.name, failures)
            schedule.backoff = self._backoff(step)
        return did

    def _failed(self, schedule: _StepSchedule, error: Exception) -> None:
        """Put the step off, for longer each time; log the error once, with where it came from."""
        line = first_line(error)
        if schedule.backoff.note(line):
            log.error(
                "The TaskOps monitor's step %s failed and is tried again: %s", schedule.step.name, line, exc_info=True
            )
        schedule.due = schedule.backoff.again

    def _told(self, did: list[str], seconds: float) -> str:
        failing = [
            f"{schedule.step.name}: {trouble}" for schedule in self._schedules if (trouble := schedule.trouble())
        ]
        told = f"last round took {seconds:.2f} s"
        if did:
            told += f", did {', '.join(did)}"
        if failing:
            told += f"; failing: {'; '.join(failing)}"
        return told[:500]
