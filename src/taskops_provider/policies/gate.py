"""Have the new instances of gated tasks wait: in a state that the scheduler evaluates but never runs, in a pool without
slots.

Runs inside the open transaction of whichever process makes the run (scheduler, API server, command line): it
uses the session it is given, never commits, and sends no query that can fail.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, exists, inspect, literal, or_, select
from sqlalchemy.orm import object_session
from sqlalchemy.orm.attributes import instance_state

from taskops_provider import metrics
from taskops_provider.domain.gate import (
    ANY_TASK,
    EFFECT_OF_POOL,
    FOREIGN_MARK,
    GATE_POOLS,
    WAITING_MARKS,
    WAITING_STATE,
    WAITS_FOR,
    IntervalInForce,
    effect_for,
    effect_of,
    effects_with_windows,
)
from taskops_provider.domain.metrics import GATED
from taskops_provider.domain.states import Downstream
from taskops_provider.domain.windows.scope import ANY_DAG
from taskops_provider.policies import orders
from taskops_provider.policies.decoration import set_airflow_defaults
from taskops_provider.policies.foreign import is_foreign
from taskops_provider.policies.replenished import RunEffects, effects_of_replenishment_run
from taskops_provider.policies.tables import has_orders
from taskops_provider.policies.under_way import is_under_way, was_cleared

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Select
    from sqlalchemy.orm import Session

log = logging.getLogger(__name__)

#: the attribute of a run object that holds our memory of it
_MEMO = "_taskops_gate"
#: stands for the pool of a task, of which only that it is none of ours is of interest
_OWN_POOL = ""
#: stands where gate intervals have their effect
_HELD = "held"
NO_HOLDS: orders.Holds = frozenset()
_LOOK_AGAIN_AFTER = 30.0  # seconds between two looks for our tables while they are missing

_tables_seen = False
#: the columns that intervals have: our tables may be of a version before for a while
_columns_seen: frozenset[str] = frozenset()
_PLANNED_END, _WINDOW = "resume_at", "window_id"
_COLUMNS = frozenset({_PLANNED_END, _WINDOW})
_looked_at = float("-inf")


def apply(ti: Any, dag_run: Any) -> None:
    """Gate ``ti`` if its task was not scheduling when ``dag_run`` was created.

    Instances that are being created are touched, and gated ones that return with their task. Airflow hands over
    persistent ones too: when it expands a mapped task, checks a run against a new Dag version (they keep what they
    have) and when they are cleared (they get back the pool of their task, and run).
    """
    memo = _memo(dag_run)
    if instance_state(ti).key is not None:  # it is in the database
        _apply_to_persistent(ti, dag_run, memo)
        return
    set_airflow_defaults(ti, dag_run)
    if not _in_force(dag_run, memo) and not memo.pools and not memo.holds:
        return  # nothing of this Dag is gated: the common case, to be cheap
    effect = _effect_of(ti, dag_run, memo)
    is_held = orders.is_among(memo.holds or NO_HOLDS, ti.task_id, ti.map_index)
    if effect is None:
        if is_held:
            orders.have_wait(ti)
        return
    ti.pool = GATE_POOLS[effect]
    metrics.count(GATED, effect)
    if not memo.is_told:
        memo.is_told = True
        log.info("TaskOps gates instances of %s in run %s of Dag %s (and of others)", ti.task_id, ti.run_id, ti.dag_id)
    preset = memo.presets.get(ti.task_id)
    if preset is not None:
        ti.state = preset
        return
    mark = FOREIGN_MARK if _waits_for_dag(ti, memo) else WAITING_MARKS[effect]
    if is_held:
        orders.have_wait(ti, mark)
        return
    _have_wait(ti, mark)


def _apply_to_persistent(ti: Any, dag_run: Any, memo: _Memo) -> None:
    if ti.map_index >= 0:
        effect = effect_of(ti.pool, ti.retry_reason)
        memo.pools[ti.task_id] = GATE_POOLS[effect] if effect else _OWN_POOL
    if ti.state == "removed" and ti.pool in EFFECT_OF_POOL:
        # Airflow is about to give it no state, so that it would be scheduled, or to mark it removed once more
        _have_wait(ti, ti.retry_reason or WAITING_MARKS[EFFECT_OF_POOL[ti.pool]])
        ti.end_date = None
    elif orders.is_among(_holds(dag_run, memo), ti.task_id, ti.map_index):
        if ti.state == WAITING_STATE:
            # Airflow 3.4 gives a next try the pool of its task when it schedules it
            ti.pool = GATE_POOLS[Downstream.HOLD]
        orders.keep_when_cleared(ti, dag_run)


def _have_wait(ti: Any, mark: str) -> None:
    # see domain.gate: the scheduler evaluates it and never runs it
    ti.state = WAITING_STATE
    ti.retry_delay_override = WAITS_FOR
    ti.retry_reason = mark


def _waits_for_dag(ti: Any, memo: _Memo) -> bool:
    return memo.is_foreign and ti.task_id not in (memo.in_force or ())


@dataclass(slots=True)
class _Memo:
    """What is kept on the run object while it lives."""

    #: the effects in force when the run was created, by task id; None until they were asked for
    in_force: dict[str, Downstream | None] | None = None
    #: task id -> the pool of an instance that was there before
    pools: dict[str, str] = field(default_factory=dict)
    #: whether all that is not gated by itself waits until its Dag is unpaused for everybody
    is_foreign: bool = False
    #: in a run that a replenishment makes: task id -> the state that its instance has from the beginning
    presets: dict[str, str] = field(default_factory=dict)
    #: what people hold in the run; None until it was asked for
    holds: orders.Holds | None = None
    #: in a run that a replenishment makes, or in which it cleared cells
    run_effects: RunEffects | None = None
    #: whether the log names the run: once is enough
    is_told: bool = False


def _memo(dag_run: Any) -> _Memo:
    memo: _Memo | None = dag_run.__dict__.get(_MEMO)
    if memo is None:
        memo = dag_run.__dict__[_MEMO] = _Memo()
    return memo


def _effect_of(ti: Any, dag_run: Any, memo: _Memo) -> Downstream | None:
    expanded_later = ti.map_index >= 0 and is_under_way(dag_run)
    if expanded_later and ti.task_id in memo.pools:
        return EFFECT_OF_POOL.get(memo.pools[ti.task_id])
    in_force = _in_force(dag_run, memo)
    if memo.run_effects is not None and ti.task_id not in in_force:
        effect: Downstream | None = memo.run_effects.of_unknown(ti.task)
    else:
        effect = effect_for(ti.task_id, in_force)
    if effect and expanded_later:
        return _effect_of_siblings(ti, dag_run, memo, effect)
    return effect


def _in_force(dag_run: Any, memo: _Memo) -> dict[str, Downstream | None]:
    """Return the effects in force when the run was created; empty where it cannot be asked."""
    if memo.in_force is not None:
        return memo.in_force
    # `airflow dags test` runs what is SCHEDULED whatever its pool, in the author's own process: not gated
    if getattr(dag_run.triggered_by, "value", None) == "test":
        memo.in_force, memo.holds = {}, NO_HOLDS
        return memo.in_force
    session = object_session(dag_run)
    if session is None or not _tables_exist(session):
        return {}
    may_be_replenished = dag_run.backfill_id is not None or was_cleared(dag_run)
    if may_be_replenished and _has_table(session, "taskops_replenishment_role"):
        memo.run_effects = effects_of_replenishment_run(dag_run, session)
    if memo.run_effects is not None:
        stopped, memo.holds = _in_force_at_creation(dag_run, session, but_paused=True)
        memo.in_force = _effects_in_replenishment(memo.run_effects, stopped)
        memo.presets.update(memo.run_effects.presets)
    else:
        memo.in_force, memo.holds = _in_force_at_creation(dag_run, session)
        if is_foreign(dag_run, session):
            memo.in_force.setdefault(ANY_TASK, Downstream.HOLD)
            memo.is_foreign = memo.in_force[ANY_TASK] is Downstream.HOLD
    return memo.in_force


def _holds(dag_run: Any, memo: _Memo) -> orders.Holds:
    """Return what people hold in a run that is there; nothing where it cannot be asked."""
    if memo.holds is None:
        session = object_session(dag_run)
        if session is None:
            return NO_HOLDS
        with session.no_autoflush:
            if not has_orders(session.connection()):
                return NO_HOLDS
        memo.holds = orders.read_holds(dag_run, session)
    return memo.holds


def _effects_in_replenishment(
    run_effects: RunEffects, stopped: dict[str, Downstream | None]
) -> dict[str, Downstream | None]:
    """What was selected executes, paused or not, unless it went offline since; nothing else does."""
    return {
        task_id: effect_for(task_id, stopped) if effect is None else effect
        for task_id, effect in run_effects.effects.items()
    }


def _in_force_at_creation(
    dag_run: Any, session: Session, *, but_paused: bool = False
) -> tuple[dict[str, Downstream | None], orders.Holds]:
    """What was in force when the run was created, and what people hold in it: one query."""
    from taskops_provider.models import InstanceOrder as Order

    query: Any = _intervals(dag_run, but_paused=but_paused)
    # The hook is called in the middle of building instances: a flush here would write half-made rows.
    with session.no_autoflush:
        if has_orders(session.connection()):
            held = (Order.task_id, literal(_HELD), literal(_HELD), literal(False), Order.map_index, Order.at, Order.id)
            query = query.union_all(select(*held).where(*orders.of_run(dag_run)))
        rows = session.execute(query).all()
    gates = sorted((row for row in rows if row.downstream != _HELD), key=lambda row: (row.from_at, row.id))
    holds = frozenset((row.task_id, row.map_index) for row in rows if row.downstream == _HELD)
    intervals = (IntervalInForce(row.task_id, row.state, row.downstream, row.is_window) for row in gates)
    return {**effects_with_windows(intervals)}, holds


def _intervals(dag_run: Any, *, but_paused: bool) -> Select[*tuple[Any, ...]]:
    """The query for the intervals in force when the run was created.

    Of a run that is only being created those are the open ones, and the windows that it is in.

    Whether an interval is open is a fact of its row. It was written by another machine, whose clock does not decide:
    only a planned end is compared with the clock here, and a window, of which both ends are known.
    """
    from airflow.models.taskinstance import TaskInstance as TI

    from taskops_provider.models import GateInterval as Gate

    created = dag_run.created_at or dag_run.run_after
    # when it is asked for a task that a later Dag version brings, the run has instances already
    is_old = exists().where(TI.dag_id == dag_run.dag_id, TI.run_id == dag_run.run_id)
    covered = and_(Gate.from_at <= created, or_(Gate.to_at.is_(None), Gate.to_at > created))
    in_force = or_(and_(~is_old, Gate.to_at.is_(None)), and_(is_old, covered))
    is_window: Any = literal(False)
    if _WINDOW in _columns_seen:
        is_window = Gate.window_id.is_not(None)
        in_force = or_(and_(~is_window, in_force), and_(is_window, _is_in_window(dag_run, created)))
        # the same once more, so that an index tells what is over: of windows there may be much
        in_force = and_(in_force, or_(Gate.to_at.is_(None), Gate.to_at > min(created, dag_run.run_after or created)))
    query = select(
        Gate.task_id,
        Gate.state,
        Gate.downstream,
        is_window.label("is_window"),
        literal(-1).label("map_index"),
        Gate.from_at,
        Gate.id,
    ).where(Gate.dag_id.in_((dag_run.dag_id, ANY_DAG)), in_force)
    if _PLANNED_END in _columns_seen:
        query = query.where(or_(Gate.resume_at.is_(None), Gate.resume_at > created))
    if but_paused:
        query = query.where(Gate.state != "paused")
    return query


def _is_in_window(dag_run: Any, created: datetime) -> Any:
    """Whether an interval that was laid ahead covers the run: both its ends are known, whoever looks when."""
    from taskops_provider.models import GateInterval as Gate

    by_creation = and_(Gate.by_cycle.is_(False), Gate.from_at <= created, Gate.to_at > created)
    if getattr(dag_run.run_type, "value", dag_run.run_type) != "scheduled":
        return by_creation
    due = dag_run.run_after
    return or_(by_creation, and_(Gate.by_cycle.is_(True), Gate.from_at <= due, Gate.to_at > due))


def _effect_of_siblings(ti: Any, dag_run: Any, memo: _Memo, effect: Downstream) -> Downstream | None:
    """Return the effect for an instance that a mapped task gets while its run is under way.

    It goes the way of those that are there: once a task was released or cleared its instances execute, whenever
    they are expanded.
    """
    from airflow.models.taskinstance import TaskInstance as TI

    session = object_session(dag_run)
    if session is None:
        return effect
    query = (
        select(TI.pool, TI.retry_reason)
        .where(TI.dag_id == ti.dag_id, TI.task_id == ti.task_id, TI.run_id == ti.run_id)
        .where(TI.map_index != ti.map_index)
        .distinct()
    )
    with session.no_autoflush:
        found = [effect_of(row.pool, row.retry_reason) for row in session.execute(query)]
    if not found:
        return effect
    pool = _OWN_POOL if None in found else min(GATE_POOLS[one] for one in found if one)
    memo.pools[ti.task_id] = pool
    return EFFECT_OF_POOL.get(pool)


def _tables_exist(session: Session) -> bool:
    """Tell whether our tables are there. An SQL error would abort the scheduler's transaction, so look first."""
    global _tables_seen, _columns_seen, _looked_at
    if not (_tables_seen and _columns_seen >= _COLUMNS) and time.monotonic() - _looked_at >= _LOOK_AGAIN_AFTER:
        _looked_at = time.monotonic()
        with session.no_autoflush:
            _tables_seen = _has_table(session, "taskops_gate_interval")
            if _tables_seen:
                columns = inspect(session.connection()).get_columns("taskops_gate_interval")
                _columns_seen = frozenset(column["name"] for column in columns)
    return _tables_seen


def _has_table(session: Session, name: str) -> bool:
    return inspect(session.connection()).has_table(name)
