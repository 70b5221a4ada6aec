"""Whether the gate is in place in this Airflow: the policy is loaded, its pools have no slots."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from airflow import settings
from airflow.models.dagrun import DagRun
from airflow.models.pool import Pool
from airflow.models.taskinstance import TaskInstance as TI
from airflow.policies import DefaultPolicy
from airflow.utils.sqlalchemy import UtcDateTime
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from taskops_provider.domain.gate import EFFECT_OF_POOL, WAITING_STATE
from taskops_provider.domain.states import Downstream

POLICY_MODULE = "taskops_provider.policies"


def policy_is_registered() -> bool:
    """Tell whether Airflow's policy manager has our hook (through the entry point ``airflow.policy``)."""
    registered = settings.get_policy_plugin_manager().hook.task_instance_mutation_hook.get_hookimpls()
    return any(impl.plugin_name == POLICY_MODULE or _module_of(impl.plugin) == POLICY_MODULE for impl in registered)


@dataclass(frozen=True)
class OtherPolicies:
    """Who else implements the hook, by name; ``after``: those that Airflow asks after ours, which could undo it."""

    before: tuple[str, ...]
    after: tuple[str, ...]


def other_policies() -> OtherPolicies:
    """Return the other implementations of our hook, without Airflow's own that does nothing."""
    # pluggy asks the last of the list first
    asked = [
        impl
        for impl in reversed(settings.get_policy_plugin_manager().hook.task_instance_mutation_hook.get_hookimpls())
        if impl.plugin is not DefaultPolicy
    ]
    names = [_module_of(impl.plugin) or impl.plugin_name for impl in asked]
    ours = [POLICY_MODULE in (name, impl.plugin_name) for name, impl in zip(names, asked, strict=True)]
    place = ours.index(True) if True in ours else len(names)
    # what wraps others has the last word, whenever it is called
    wraps = [impl.wrapper or impl.hookwrapper for impl in asked]
    after = [wraps[i] or i > place for i in range(len(names))]
    others = [(name, last) for name, last, own in zip(names, after, ours, strict=True) if not own]
    return OtherPolicies(tuple(name for name, last in others if not last), tuple(name for name, last in others if last))


def _module_of(plugin: object) -> str | None:
    return getattr(plugin, "__name__", None)


def hook_is_asked() -> bool:
    """Tell whether Airflow asks the hook when it creates instances, instead of inserting past it."""
    return getattr(settings.task_instance_mutation_hook, "is_noop", True) is False


def trouble() -> str | None:
    """Return why the gate of this process does not work, or may not; None if it does."""
    if not policy_is_registered():
        return "the cluster policy is not registered: install airflow-provider-taskops anew"
    if not hook_is_asked():
        return "Airflow does not ask the cluster policy: airflow_local_settings turned the hook off"
    if others := other_policies().after:
        return (
            f"the cluster policy is loaded, but Airflow asks {', '.join(others)} after it: if that changes the "
            "pool or the state of new task instances, paused tasks can execute; remove trylast from it"
        )
    return None


def slots_of_pools(session: Session, names: Collection[str]) -> dict[str, int]:
    """Return the slots of those of the pools that exist."""
    query = select(Pool.pool, Pool.slots).where(Pool.pool.in_(names))
    return {row.pool: row.slots for row in session.execute(query)}


def waiting_by_effect(session: Session) -> dict[Downstream, tuple[int, datetime]]:
    """Return how many instances wait in the gate, and when the oldest of their runs was created. One query."""
    oldest = func.min(func.coalesce(DagRun.created_at, DagRun.run_after), type_=UtcDateTime())
    query = (
        select(TI.pool, func.count(), oldest)
        .join(DagRun, (DagRun.dag_id == TI.dag_id) & (DagRun.run_id == TI.run_id))
        .where(TI.pool.in_(list(EFFECT_OF_POOL)), TI.state == WAITING_STATE)
        .group_by(TI.pool)
    )
    return {EFFECT_OF_POOL[row[0]]: (row[1], row[2]) for row in session.execute(query)}
