"""The metrics: names, units, meanings. ``docs/metrics.md`` and the Grafana board are checked against this list.

What varies is a part of the name and no tag, because plain StatsD has no tags. No part is the name of a Dag, task or
person, so the number of metrics is bounded.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from taskops_provider.domain.alarms.deliveries import DeliveryState
from taskops_provider.domain.operations.outcomes import OperationOutcome
from taskops_provider.domain.progress import CellState
from taskops_provider.domain.states import Downstream

_NOT_IN_NAMES = re.compile(r"[^a-z0-9_]+")


class MetricKind(StrEnum):
    """How a metric is counted."""

    COUNTER = "counter"
    GAUGE = "gauge"
    TIMER = "timer"


@dataclass(frozen=True)
class Metric:
    """One metric, or one for each value of the part of its name in braces.

    :param values: of that part; empty: there is none, or others may come
    """

    name: str
    kind: MetricKind
    unit: str
    meaning: str
    values: tuple[str, ...] = ()

    def full_name(self, part: str = "") -> str:
        """Return the name with a value of its part, in characters that every backend takes."""
        stem, brace, _ = self.name.partition("{")
        return stem + _NOT_IN_NAMES.sub("_", part.lower()) if brace else self.name

    @property
    def family(self) -> str:
        """The name without its part: ``taskops.gated``."""
        return self.name.partition(".{")[0]


def _metric(name: str, kind: MetricKind, unit: str, meaning: str, values: Iterable[str] = ()) -> Metric:
    return Metric(f"taskops.{name}", kind, unit, meaning, tuple(values))


_COUNTER, _GAUGE, _TIMER = MetricKind.COUNTER, MetricKind.GAUGE, MetricKind.TIMER
#: what became of an operation, or ``error`` where it ended with a fault
OUTCOMES = (*(outcome.value for outcome in OperationOutcome), "error")
#: what became of a message
MESSAGE_OUTCOMES = {
    DeliveryState.SENT.value: "sent",
    DeliveryState.FAILED.value: "failed",
    DeliveryState.UNCERTAIN.value: "uncertain",
    DeliveryState.WAITING.value: "put_off",
}

GATED = _metric(
    "gated.{effect}",
    _COUNTER,
    "instances",
    "New instances that the gate kept from executing, in the process that created the run",
    Downstream,
)
SETTLED = _metric(
    "settled.{effect}",
    _COUNTER,
    "instances",
    "Gated instances that the monitor ended when their turn had come",
    [effect for effect in Downstream if effect is not Downstream.HOLD],
)
WAITING = _metric("waiting.{effect}", _GAUGE, "instances", "Gated instances that wait now", Downstream)
OLDEST_WAITING = _metric(
    "waiting_age.{effect}",
    _GAUGE,
    "seconds",
    "Age of the run of the oldest waiting instance; 0 if none waits",
    Downstream,
)
ESCAPED = _metric(
    "escaped.{what}",
    _COUNTER,
    "instances",
    "Instances of stopped tasks in runs that a process without the gate created: gated in time, or executed",
    ("gated", "executed"),
)
UNCOVERED = _metric(
    "schedulers_without_gate", _GAUGE, "schedulers", "Live schedulers that are not known to have the gate"
)
ROUNDS = _metric(
    "monitor.round", _TIMER, "milliseconds", "Duration of a round of the monitor; its count is the number of rounds"
)
STEP = _metric("monitor.step.{step}", _TIMER, "milliseconds", "Duration of a step of the monitor")
LAG = _metric("monitor.lag.{step}", _GAUGE, "seconds", "How long after its time a step of the monitor began")
STEP_FAILED = _metric("monitor.failed.{step}", _COUNTER, "failures", "Failures of a step of the monitor")
OPERATION = _metric(
    "operation.{verb}",
    _TIMER,
    "milliseconds",
    "Duration of a recorded operation, from the request to the commit, waiting for locks included",
)
OPERATIONS = _metric("operations.{outcome}", _COUNTER, "operations", "Operations by outcome", OUTCOMES)
CELLS = _metric(
    "replenishment.cells.{state}", _GAUGE, "cells", "Cells of replenishments that have not ended", CellState
)
MESSAGES = _metric(
    "messages.{outcome}",
    _COUNTER,
    "messages",
    "Attempts to send a message of an alarm or to an owner, by outcome; put_off is tried again",
    MESSAGE_OUTCOMES.values(),
)
MESSAGES_WAITING = _metric("messages_waiting", _GAUGE, "messages", "Messages that are to be sent")

METRICS: tuple[Metric, ...] = (
    GATED,
    SETTLED,
    WAITING,
    OLDEST_WAITING,
    ESCAPED,
    UNCOVERED,
    ROUNDS,
    STEP,
    LAG,
    STEP_FAILED,
    OPERATION,
    OPERATIONS,
    CELLS,
    MESSAGES,
    MESSAGES_WAITING,
)
