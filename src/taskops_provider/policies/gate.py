"""Put new instances of gated tasks into a pool without slots.

Runs inside the open transaction of whichever process makes the run (scheduler, API server, command line): it
uses the session it is given, never commits, and sends no query that can fail.
"""

from __future__ import annotations

import time
from collections.abc import Container, Iterator
from functools import cache
from typing import TYPE_CHECKING, Any

from sqlalchemy import inspect, or_, select
from sqlalchemy.orm import object_session
from sqlalchemy.orm.attributes import instance_state, set_committed_value

from taskops_provider.domain.gate import (
    ANY_TASK,
    EFFECT_OF_POOL,
    EFFECT_OF_ROLE,
    GATE_POOLS,
    STATE_OF_ROLE,
    effect_for,
    effects,
)
from taskops_provider.domain.states import Downstream

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

#: what is kept on the run object while it lives: the effects in force when the run was created, the pool of an
#: instance that was there before, by task id, and whether new instances have the run's trace context
_MEMO = "_taskops_effects"
_SIBLINGS = "_taskops_siblings"
_CARRIER_IS_RUNS = "_taskops_carrier"
#: in a run that a replenishment makes: task id -> the state that its instance has from the beginning
_PRESET = "_taskops_preset"
_LOOK_AGAIN_AFTER = 30.0  # seconds between two looks for our tables while they are missing

_tables_seen = False
_looked_at = float("-inf")


def apply(ti: Any, dag_run: Any) -> None:
    """Gate ``ti`` where its task was not scheduling when ``dag_run`` was created.

    Only instances that are being made are touched. Airflow hands over persistent ones too: when it expands a
    mapped task, checks a run against a new Dag version (they keep what they have) and when they are cleared
    (they get back the pool of their task and run).
    """
    if instance_state(ti).key is not None:  # it is in the database
        if ti.map_index >= 0:
            _siblings(dag_run)[ti.task_id] = ti.pool
        if ti.pool in EFFECT_OF_POOL:
            _park_if_needed(ti, dag_run)
        return
    _fill_what_bulk_creation_fills(ti, dag_run)
    if not _in_force(dag_run) and _SIBLINGS not in dag_run.__dict__:
        return  # nothing of this Dag is gated: the common case, to be cheap
    effect = _effect_of(ti, dag_run)
    if effect is None:
        return
    ti.pool = GATE_POOLS[effect]
    ti.state = dag_run.__dict__.get(_PRESET, {}).get(ti.task_id, ti.state)
    _park_if_needed(ti, dag_run)


def _park_if_needed(ti: Any, dag_run: Any) -> None:
    """Keep the scheduler's hands off what a pool does not stop: SCHEDULED without a ``scheduled_dttm``.

    The monitor looks at what is upstream in the scheduler's place.
    """
    task = getattr(ti, "task", None)
    if ti.state is not None or task is None:
        return
    if bypasses_pools(task, ti.map_index) or cannot_expand(task, ti.map_index, _WithoutResult(dag_run)):
        ti.state = "scheduled"


class _WithoutResult:
    """The ids of a run's tasks that are gated with the effect ``run``; asked only for the few that are mapped."""

    def __init__(self, dag_run: Any):
        self._dag_run = dag_run

    def __contains__(self, task_id: object) -> bool:
        return effect_for(str(task_id), _in_force(self._dag_run)) is Downstream.RUN


def _effect_of(ti: Any, dag_run: Any) -> Downstream | None:
    expanded_later = ti.map_index >= 0 and dag_run.__dict__.get("last_scheduling_decision") is not None
    if expanded_later and ti.task_id in _siblings(dag_run):
        return EFFECT_OF_POOL.get(_siblings(dag_run)[ti.task_id])
    effect = effect_for(ti.task_id, _in_force(dag_run))
    if effect and expanded_later:
        return _effect_of_siblings(ti, dag_run, effect)
    return effect


def _in_force(dag_run: Any) -> dict[str, Downstream | None]:
    """Return the effects in force when the run was created; empty where it cannot be asked."""
    in_force = dag_run.__dict__.get(_MEMO)
    if in_force is not None:
        return in_force
    # `airflow dags test` runs what is SCHEDULED whatever its pool, in the author's own process: not gated
    if getattr(dag_run.triggered_by, "value", None) == "test":
        in_force = {}
    else:
        session = object_session(dag_run)
        if session is None or not _tables_exist(session):
            return {}
        number = _replenishment_of(dag_run)
        if number is not None and _has_table(session, "taskops_replenishment_role"):
            in_force = _effects_in_replenishment(dag_run, session, number)
        else:
            in_force = _effects_at_creation(dag_run, session)
    dag_run.__dict__[_MEMO] = in_force
    return in_force


def _replenishment_of(dag_run: Any) -> int | None:
    """The replenishment that makes a run, by the conf of its backfill; nobody else's run counts."""
    if dag_run.backfill_id is None or not isinstance(dag_run.conf, dict):
        return None
    named = dag_run.conf.get("taskops")
    number = named.get("replenishment") if isinstance(named, dict) else None
    return number if isinstance(number, int) else None


def _effects_in_replenishment(dag_run: Any, session: Session, number: int) -> dict[str, Downstream | None]:
    """What was selected executes, paused or not, unless it went offline since; nothing else does."""
    from taskops_provider.models import ReplenishmentRole as Role

    query = select(Role.task_id, Role.role).where(Role.replenishment_id == number, Role.dag_id == dag_run.dag_id)
    with session.no_autoflush:
        found = {row.task_id: row.role for row in session.execute(query)}
    if not found:  # somebody made it up
        return _effects_at_creation(dag_run, session)
    stopped = _effects_at_creation(dag_run, session, but_paused=True)
    in_force: dict[str, Downstream | None] = {ANY_TASK: Downstream.SKIP}
    passed = dag_run.conf["taskops"].get("pass") or ()  # they execute in other runs of it only
    for task_id, role in found.items():
        effect = Downstream.RUN if task_id in passed else EFFECT_OF_ROLE.get(role, Downstream.SKIP)
        in_force[task_id] = effect_for(task_id, stopped) if effect is None else effect
    dag_run.__dict__[_PRESET] = {
        task_id: STATE_OF_ROLE[role] for task_id, role in found.items() if role in STATE_OF_ROLE
    }
    return in_force


def _effects_at_creation(dag_run: Any, session: Session, *, but_paused: bool = False) -> dict[str, Downstream | None]:
    from taskops_provider.models import GateInterval as Gate

    created = dag_run.created_at or dag_run.run_after
    query = (
        select(Gate.task_id, Gate.downstream)
        .where(
            Gate.dag_id == dag_run.dag_id,
            Gate.from_at <= created,
            or_(Gate.to_at.is_(None), Gate.to_at > created),
        )
        .order_by(Gate.from_at, Gate.id)
    )
    if but_paused:
        query = query.where(Gate.state != "paused")
    # The hook is called in the middle of building instances: a flush here would write half-made rows.
    with session.no_autoflush:
        return {**effects((row.task_id, row.downstream) for row in session.execute(query))}


def _siblings(dag_run: Any) -> dict[str, str]:
    return dag_run.__dict__.setdefault(_SIBLINGS, {})


def _effect_of_siblings(ti: Any, dag_run: Any, effect: Downstream) -> Downstream | None:
    """Return the effect for an instance that a mapped task gets while its run is under way.

    It goes the way of those that are there: once a task was released or cleared its instances execute, whenever
    they are expanded.
    """
    from airflow.models.taskinstance import TaskInstance as TI

    session = object_session(dag_run)
    if session is None:
        return effect
    query = (
        select(TI.pool)
        .where(TI.dag_id == ti.dag_id, TI.task_id == ti.task_id, TI.run_id == ti.run_id)
        .where(TI.map_index != ti.map_index)
        .distinct()
    )
    with session.no_autoflush:
        pools = set(session.scalars(query))
    if not pools:
        return effect
    pool = min(pools - set(EFFECT_OF_POOL), default=None) or min(pools)
    _siblings(dag_run)[ti.task_id] = pool
    return EFFECT_OF_POOL.get(pool)


def _tables_exist(session: Session) -> bool:
    """Tell whether our tables are there. An SQL error would abort the scheduler's transaction, so look first."""
    global _tables_seen, _looked_at
    if not _tables_seen and time.monotonic() - _looked_at >= _LOOK_AGAIN_AFTER:
        _looked_at = time.monotonic()
        with session.no_autoflush:
            _tables_seen = _has_table(session, "taskops_gate_interval")
    return _tables_seen


def _has_table(session: Session, name: str) -> bool:
    return inspect(session.connection()).has_table(name)


def _fill_what_bulk_creation_fills(ti: Any, dag_run: Any) -> None:
    """Set what Airflow sets when no hook is installed and forgets when one is."""
    task = ti.task
    if task is None or "context_carrier" in ti.__dict__:
        return
    # Values for the INSERT alone: nobody listens to the attributes of an instance that is being made, and telling
    # them takes longer than all the rest of this hook.
    set_committed_value(ti, "_task_display_property_value", task.task_display_name)
    set_committed_value(ti, "context_carrier", _carrier(dag_run))


def _carrier(dag_run: Any) -> Any:
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
    from airflow.models.taskinstance import new_task_run_carrier

    return new_task_run_carrier


def bypasses_pools(task: Any, map_index: int) -> bool:
    """Tell whether the scheduler would end or defer an instance without looking at its pool.

    So it does with EmptyOperators and with tasks that start in the triggerer. An unexpanded mapped instance has
    to be expanded first; its instances come here again.

    :param task: as the scheduler knows it, from the serialized Dag
    """
    from airflow.models.taskinstance import TaskInstance

    if map_index < 0 and task.get_needs_expansion():
        return False
    starts_in_triggerer = task.start_from_trigger is True and task.start_trigger_args is not None
    return starts_in_triggerer or not TaskInstance.is_task_schedulable(task)


def cannot_expand(task: Any, map_index: int, without_result: Container[str]) -> bool:
    """Tell whether an unexpanded instance maps over a task that will succeed without having executed.

    The scheduler would end it as upstream_failed, for there is nothing to map over; gated itself, it is to be
    settled as its own effect says.

    :param without_result: ids of tasks gated with the effect ``run``
    """
    return map_index < 0 and any(source in without_result for source in mapping_sources(task))


def mapping_sources(task: Any) -> Iterator[str]:
    """Yield the ids of the tasks over whose XComs a task is mapped, by itself or in a mapped group."""
    if not task.get_needs_expansion():
        return
    if task.is_mapped:
        yield from (source.task_id for source in task.iter_mapped_dependencies())
    for group in task.iter_mapped_task_groups():
        yield from (source.task_id for source in group.iter_mapped_dependencies())
