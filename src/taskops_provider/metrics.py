"""Sends metrics through Airflow's own ``Stats``: StatsD, Datadog or OpenTelemetry, as ``[metrics]`` says.

What is measured is never harmed: nothing here raises, and where no backend is on nothing is sent.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta
from functools import cache
from typing import Any

from taskops_provider.domain.metrics import Metric

log = logging.getLogger(__name__)

_failed_before = False


def is_on() -> bool:
    """Whether Airflow sends metrics anywhere, so that it is worth asking the database for some."""
    try:
        from airflow.configuration import conf

        return any(
            conf.getboolean("metrics", name, fallback=False)
            for name in ("statsd_on", "statsd_datadog_enabled", "otel_on")
        )
    except Exception as error:
        _tell(error)
        return False


def start() -> None:
    """Have Airflow's ``Stats`` set up in a process in which Airflow itself does not: a command."""
    try:
        from airflow.configuration import conf
        from airflow.observability.metrics import stats_utils

        if is_on():
            _stats().initialize(
                factory=stats_utils.get_stats_factory(),
                export_legacy_names=conf.getboolean("metrics", "legacy_names_on", fallback=True),
            )
    except Exception as error:
        _tell(error)


def count(metric: Metric, part: str = "", number: int = 1) -> None:
    """Count something that happened."""
    if number:
        _send(lambda stats: stats.incr(metric.full_name(part), number))


def gauge(metric: Metric, value: float, part: str = "") -> None:
    """Say how much there is of something now."""
    _send(lambda stats: stats.gauge(metric.full_name(part), value))


def duration(metric: Metric, seconds: float, part: str = "") -> None:
    """Say how long something took."""
    _send(lambda stats: stats.timing(metric.full_name(part), timedelta(seconds=seconds)))


def _send(send: Callable[[Any], object]) -> None:
    try:
        send(_stats())
    except Exception as error:
        _tell(error)


@cache
def _stats() -> Any:
    from airflow.observability import stats

    return stats


def _tell(error: Exception) -> None:
    global _failed_before
    if not _failed_before:
        _failed_before = True
        log.warning("TaskOps cannot send metrics; nothing else is affected: %s: %s", type(error).__name__, error)
