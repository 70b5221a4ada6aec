"""The gate: the cluster policy that makes the scheduler obey task states.

Loaded by every Airflow process through the ``airflow.policy`` entry point, while ``airflow.settings`` is being
set up: nothing heavy may be imported here.
"""

from __future__ import annotations

from typing import Any

from airflow import settings
from airflow.policies import hookimpl

from taskops_provider.policies import in_airflow as _in_airflow  # noqa: F401  takes its places in Airflow


# last: what another policy does to the pool must not undo the gate
@hookimpl(trylast=True)
def task_instance_mutation_hook(task_instance: Any, dag_run: Any) -> None:
    """Gate the new instances of tasks that are not scheduling (requirements 3)."""
    # from the constructor the run is not known yet; Airflow calls again with it
    if dag_run is None:
        return
    from taskops_provider.policies.gate import apply

    apply(task_instance, dag_run)


# A hook that comes through the entry point alone leaves this True, and Airflow then creates instances in bulk
# without asking it.
settings.task_instance_mutation_hook.is_noop = False  # type: ignore[attr-defined]
