"""What Airflow sets on new instances when no hook is installed, and forgets when one is: not the gate's own work.

It rests on private names of Airflow's. Where one of them is gone the instances lack a display name and a trace context,
one warning says so, and the run is created all the same.
"""

from __future__ import annotations

import logging
from functools import cache
from typing import Any

from sqlalchemy.orm.attributes import set_committed_value

log = logging.getLogger(__name__)

#: the attribute of a run object that tells whether new instances have the run's trace context
_CARRIER_IS_RUNS = "_taskops_carrier"

_works = True


def set_airflow_defaults(ti: Any, dag_run: Any) -> None:
    """Set the display name and the trace context of an instance that is being created. Never raises."""
    global _works
    if not _works:
        return
    try:
        _set_airflow_defaults(ti, dag_run)
    except Exception as error:
        _works = False
        log.warning(
            "TaskOps cannot set display names and trace contexts of new instances with this version of Airflow; the "
            "gate itself is not affected: %s: %s",
            type(error).__name__,
            error,
        )


def _set_airflow_defaults(ti: Any, dag_run: Any) -> None:
    task = ti.task
    if task is None or "context_carrier" in ti.__dict__:
        return
    # Values for the INSERT alone: nobody listens to the attributes of an instance that is being created, and telling
    # them takes longer than all the rest of this hook.
    set_committed_value(ti, "_task_display_property_value", task.task_display_name)
    set_committed_value(ti, "context_carrier", _trace_context(dag_run))


def _trace_context(dag_run: Any) -> Any:
    """Return the trace context of a new instance of a run.

    Without tracing Airflow makes it the run's own, each time at the price of half an instance: ask it once.
    """
    if dag_run.__dict__.get(_CARRIER_IS_RUNS):
        return dict(dag_run.context_carrier)
    carrier = _new_carrier()(dag_run.context_carrier)
    dag_run.__dict__[_CARRIER_IS_RUNS] = carrier == dag_run.context_carrier
    return carrier


@cache
def _new_carrier() -> Any:
    from airflow.models.taskinstance import new_task_run_carrier  # type: ignore[attr-defined] # of a private module

    return new_task_run_carrier
