"""Steps that see to many things: each alone, so that what is wrong with one keeps nobody else waiting."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

from airflow.utils.session import create_session
from sqlalchemy.orm import Session

from taskops_provider import metrics
from taskops_provider.domain.metrics import STEP_FAILED
from taskops_provider.monitor.backoff import Backoff
from taskops_provider.monitor.leased import first_line
from taskops_provider.services.shared.retries import is_transient

log = logging.getLogger(__name__)

T = TypeVar("T")

#: seconds until something that failed is tried again: they double each time
FIRST_WAIT = 2.0
LONGEST_WAIT = 60.0


@dataclass(frozen=True)
class PerItemStep(Generic[T]):
    """A step that lists what there is to do and does each in a transaction of its own.

    :param each: lists it; what it writes is committed
    :param do: does one; tells whether it changed anything
    :param name_of: what the status calls one, ``d/run_1`` say
    """

    name: str
    #: seconds between two times; 0: every round
    every: float
    each: Callable[[Session, datetime], Iterable[T]]
    do: Callable[[Session, T, datetime], object]
    name_of: Callable[[T], str]


class PerItemRunner(Generic[T]):
    """Runs an :class:`PerItemStep`; remembers what it set aside, and why."""

    def __init__(self, step: PerItemStep[T]):
        self._step = step
        self._aside: dict[str, Backoff] = {}

    def run(self, now: datetime) -> bool:
        """Do all that is listed, but what failed lately; tell whether anything changed.

        :raises Exception: when the list cannot be made
        """
        with create_session(scoped=False) as session:
            listed = list(self._step.each(session, now))
        did = [self._do(one, now) for one in listed if self._is_due(self._step.name_of(one))]
        names = {self._step.name_of(one) for one in listed}
        moment = time.monotonic()
        self._aside = {
            name: aside for name, aside in self._aside.items() if name in names or aside.again + LONGEST_WAIT > moment
        }
        return any(did)

    def trouble(self) -> str:
        """What is set aside, with its reason; empty if nothing is."""
        if not self._aside:
            return ""
        name, aside = next(iter(self._aside.items()))
        more = f" and {len(self._aside) - 1} more" if len(self._aside) > 1 else ""
        return f"{name}{more}: {aside.error}"

    def _is_due(self, name: str) -> bool:
        return name not in self._aside or self._aside[name].is_due

    def _do(self, one: T, now: datetime) -> bool:
        name = self._step.name_of(one)
        try:
            with create_session(scoped=False) as session:
                did = bool(self._step.do(session, one, now))
        except Exception as error:
            if not is_transient(error):  # what the database gave up is simply done in the next round
                self._set_aside(name, error)
            return False
        if self._aside.pop(name, None):
            log.info("The TaskOps monitor's step %s works again for %s", self._step.name, name)
        return did

    def _set_aside(self, name: str, error: Exception) -> None:
        metrics.count(STEP_FAILED, self._step.name)
        reason = first_line(error)
        if self._aside.setdefault(name, Backoff(FIRST_WAIT, LONGEST_WAIT)).note(reason):
            log.error(
                "The TaskOps monitor's step %s sets %s aside and tries again later: %s",
                self._step.name,
                name,
                reason,
                exc_info=True,
            )
