"""The gate: the cluster policy that makes the scheduler obey task states.

Loaded by every Airflow process through the ``airflow.policy`` entry point, while ``airflow.settings`` is being
set up: nothing heavy may be imported here, and whatever fails here would take all of Airflow down.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable
from typing import Any

from taskops_provider.airflow_versions import MISSING_NAME, is_tried, log_unavailable
from taskops_provider.policies import in_airflow as _in_airflow  # noqa: F401  takes its places in Airflow

log = logging.getLogger(__name__)

_GATE = "the gate (tasks that you paused execute)"


def _as_hook(function: Callable[..., None]) -> Callable[..., None]:
    """Mark a function as a hook of Airflow, and have Airflow ask it; one that Airflow would refuse stays as it is."""
    try:
        from airflow import policies, settings

        asked_with = list(inspect.signature(policies.task_instance_mutation_hook).parameters)
        if not {"task_instance", "dag_run"} <= set(asked_with):
            # Airflow would not start
            raise ImportError(f"Airflow asks cluster policies with {', '.join(asked_with)}")
        # last: what another policy does to the pool must not undo the gate
        hook: Callable[..., None] = policies.hookimpl(trylast=True)(function)
        # A hook that comes through the entry point alone leaves this True, and Airflow then creates instances in bulk
        # without asking it.
        settings.task_instance_mutation_hook.is_noop = False  # type: ignore[attr-defined]
        return hook
    except MISSING_NAME as error:
        log_unavailable(log, _GATE, error)
        return function


@_as_hook
def task_instance_mutation_hook(task_instance: Any, dag_run: Any) -> None:
    """Gate the new instances of tasks that are not scheduling (requirements 3)."""
    # from the constructor the run is not known yet; Airflow calls again with it
    if dag_run is None:
        return
    try:
        from taskops_provider.policies.gate import apply

        apply(task_instance, dag_run)
    except MISSING_NAME as error:
        # with a version that was tried, nothing that a running gate needs is missing: that is a fault of ours
        if is_tried() and not isinstance(error, ImportError):
            raise
        log_unavailable(log, _GATE, error)
