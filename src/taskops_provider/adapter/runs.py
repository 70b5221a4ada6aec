"""Airflow's task instances and runs, as the gate reads and changes them.

Every change is one bulk statement that repeats its condition, so that it does nothing to an instance that
someone cleared or ended meanwhile. Rows are locked first where the database has row locks; reading after one's
own first write is as good on SQLite.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

from airflow.models.dag import DagModel
from airflow.models.dagrun import DagRun
from airflow.models.taskinstance import TaskInstance as TI
from airflow.models.taskinstance import TaskInstanceNote as Note
from airflow.utils.sqlalchemy import with_row_locks
from airflow.utils.state import DagRunState, State, TaskInstanceState
from sqlalchemy import ColumnElement, Select, Update, and_, func, null, or_, select, update
from sqlalchemy.orm import Session

from taskops_provider.adapter.instance_orders import held_by_order, marked_held
from taskops_provider.domain.chunks import chunks
from taskops_provider.domain.gate import (
    EFFECT_OF_POOL,
    FOREIGN_MARK,
    GATE_POOLS,
    WAITING_MARKS,
    WAITING_STATE,
    WAITS_FOR,
)
from taskops_provider.domain.states import Downstream

T = TypeVar("T")

GATED_POOLS = list(EFFECT_OF_POOL)
HOLD_POOL = GATE_POOLS[Downstream.HOLD]
#: states of unfinished instances for which an executor, a worker or a trigger has something
_BEGUN_STATES = frozenset(
    {
        TaskInstanceState.QUEUED,
        TaskInstanceState.RUNNING,
        TaskInstanceState.DEFERRED,
        TaskInstanceState.UP_FOR_RESCHEDULE,
        TaskInstanceState.UP_FOR_RETRY,
        TaskInstanceState.RESTARTING,
        TaskInstanceState.AWAITING_INPUT,
    }
)


#: those of them in which something of ours or of a trigger works at it: it goes on, whatever is held
AT_WORK_STATES = frozenset(
    {
        TaskInstanceState.RUNNING,
        TaskInstanceState.DEFERRED,
        TaskInstanceState.RESTARTING,
        TaskInstanceState.AWAITING_INPUT,
    }
)

#: when a run was created; not every run says so
RUN_CREATED_AT = func.coalesce(DagRun.created_at, DagRun.run_after)
#: what an :class:`Instance` is made of, in the order of its fields
INSTANCE_COLUMNS = (TI.id, TI.dag_id, TI.task_id, TI.run_id, TI.map_index, TI.pool, TI.state, RUN_CREATED_AT)


class Instance(NamedTuple):
    """A task instance as the gate looks at it. ``created_at`` is when its run was made."""

    id: UUID
    dag_id: str
    task_id: str
    run_id: str
    map_index: int
    pool: str
    state: str | None
    created_at: datetime

    @property
    def has_begun(self) -> bool:
        """Whether an executor has it or it has started, so that it can only be ended."""
        return self.state in _BEGUN_STATES


class Run(NamedTuple):
    """An unfinished run."""

    dag_id: str
    run_id: str


def unfinished_run() -> ColumnElement[bool]:
    """The condition on an unfinished run, written so that Airflow's two partial indexes serve it."""
    return or_(DagRun.state == DagRunState.RUNNING, DagRun.state == DagRunState.QUEUED)


def unfinished_instance() -> ColumnElement[bool]:
    """The condition on an unfinished instance."""
    return or_(TI.state.is_(None), TI.state.in_([state for state in State.unfinished if state]))


def _instances() -> Select[*tuple[Any, ...]]:
    return select(*INSTANCE_COLUMNS).join(DagRun, (DagRun.dag_id == TI.dag_id) & (DagRun.run_id == TI.run_id))


def _read(session: Session, query: Select[*tuple[Any, ...]], *, skip_locked: bool = False) -> list[Instance]:
    # a full row lock, not the weaker one of Airflow's default: with it nobody adds a note or clears meanwhile
    locked = with_row_locks(query, session, of=TI, key_share=False, skip_locked=skip_locked)
    return [Instance(*row) for row in session.execute(locked)]


#: of an instance that waits in the gate; Airflow takes both away itself when an instance starts
_NOT_WAITING: Mapping[str, Any] = {"retry_delay_override": None, "retry_reason": None}


def settle(session: Session, ids: Iterable[UUID], pool: str, state: str, now: datetime) -> int:
    """End instances that wait in a pool of the gate and never started; return how many."""
    settled = 0
    for chunk in chunks(ids):
        settled += _changed(
            session,
            update(TI)
            .where(TI.id.in_(chunk), TI.pool == pool, TI.state == WAITING_STATE)
            .values(state=state, start_date=now, end_date=now, duration=0, updated_at=now, **_NOT_WAITING),
        )
    return settled


def settled_without_note(session: Session, ids: Collection[UUID]) -> list[Instance]:
    """Of the given instances, return those that are settled and have no note."""
    query = _without_note().where(TI.id.in_(ids), TI.pool.in_(GATED_POOLS), TI.state.in_(State.finished))
    return _read(session, query)


def waiting_without_note(session: Session, limit: int) -> list[Instance]:
    """Return unfinished gated instances that have no note."""
    by_gate = or_(TI.retry_reason.is_(None), ~marked_held())
    query = _without_note().where(TI.pool.in_(GATED_POOLS), TI.state == WAITING_STATE, by_gate).limit(limit)
    return _read(session, query, skip_locked=True)


def _without_note() -> Select[*tuple[Any, ...]]:
    return _instances().outerjoin(Note, Note.ti_id == TI.id).where(Note.ti_id.is_(None))


def unfinished_runs(session: Session, dag_ids: Iterable[str], *, lock: bool = False) -> list[Run]:
    """Return the unfinished runs of Dags.

    :param lock: hold them until the transaction ends. The scheduler locks a run before it touches the run's
        instances, so locking them in the same order keeps the two from waiting for each other.
    """
    found: list[Run] = []
    for chunk in chunks(sorted(set(dag_ids))):
        query = (
            select(DagRun.dag_id, DagRun.run_id).where(DagRun.dag_id.in_(chunk), unfinished_run()).order_by(DagRun.id)
        )
        if lock:
            query = with_row_locks(query, session, of=DagRun)
        found += [Run(*row) for row in session.execute(query)]
    return found


def _of_runs(runs: Sequence[Run]) -> ColumnElement[bool]:
    by_dag: dict[str, list[str]] = {}
    for dag_id, run_id in runs:
        by_dag.setdefault(dag_id, []).append(run_id)
    return or_(*((TI.dag_id == dag_id) & TI.run_id.in_(run_ids) for dag_id, run_ids in by_dag.items()))


def _pool(*, held: bool) -> ColumnElement[bool]:
    if not held:
        # what only waits for its Dag is not gated by its task; what people hold besides is seen to when they release it
        return or_(TI.pool.not_in(GATED_POOLS), and_(TI.retry_reason == FOREIGN_MARK, ~held_by_order()))
    # what waits for its Dag, or because people hold it, is no task's to release
    is_tasks = and_(TI.retry_reason != FOREIGN_MARK, ~marked_held())
    return and_(TI.pool == HOLD_POOL, or_(TI.retry_reason.is_(None), is_tasks), ~held_by_order())


def count_unfinished(session: Session, runs: Sequence[Run], *, held: bool = False) -> dict[tuple[str, str], int]:
    """Count unfinished instances in runs by (dag_id, task_id): those held in our pool, or those in no pool of ours."""
    counts: dict[tuple[str, str], int] = {}
    pool = _pool(held=held)
    for chunk in chunks(runs, 200):
        query = (
            select(TI.dag_id, TI.task_id, func.count())
            .where(_of_runs(chunk), unfinished_instance(), pool)
            .group_by(TI.dag_id, TI.task_id)
        )
        for dag_id, task_id, count in session.execute(query):
            counts[dag_id, task_id] = counts.get((dag_id, task_id), 0) + count
    return counts


def unfinished(session: Session, runs: Sequence[Run], *, held: bool) -> list[Instance]:
    """Return (and lock) the unfinished instances in runs: those held in our pool, or those in no pool of ours."""
    found: list[Instance] = []
    pool = _pool(held=held)
    for chunk in chunks(runs, 200):
        query = _instances().where(_of_runs(chunk), unfinished_instance(), pool).order_by(TI.id)
        found += _read(session, query)
    return found


def gate_instances(session: Session, ids: Iterable[UUID], effect: Downstream, now: datetime) -> int:
    """Have instances that have not started wait in the gate, also those that wait there with another effect."""
    return _update_unstarted(session, ids, _waiting_values(effect, now))


def gate_unexecuted(session: Session, ids: Iterable[UUID], effect: Downstream, now: datetime) -> int:
    """The same of instances outside the gate, also of queued ones: a worker that takes such a one up is refused."""
    unexecuted = or_(TI.state.is_(None), TI.state.in_((TaskInstanceState.SCHEDULED, TaskInstanceState.QUEUED)))
    statement = update(TI).where(unexecuted, TI.pool.not_in(GATED_POOLS)).values(**_waiting_values(effect, now))
    return sum(_changed(session, statement.where(TI.id.in_(chunk))) for chunk in chunks(ids))


def _waiting_values(effect: Downstream, now: datetime) -> dict[str, Any]:
    return {
        "pool": GATE_POOLS[effect],
        "state": WAITING_STATE,
        # the delay counts from the end of the last try, if there was one
        "end_date": None,
        "retry_delay_override": WAITS_FOR,
        "retry_reason": WAITING_MARKS[effect],
        "updated_at": now,
    }


def hold_unstarted(session: Session, ids: Iterable[UUID], now: datetime) -> int:
    """Hold instances that nothing works at: not started, queued, waiting for their next try; return how many.

    A queued one is refused when a worker takes it up. When it is released the scheduler starts it as a new try.
    """
    values = {
        "pool": GATE_POOLS[Downstream.HOLD],
        "state": WAITING_STATE,
        "end_date": None,
        "retry_delay_override": WAITS_FOR,
        "retry_reason": WAITING_MARKS[Downstream.HOLD],
        "updated_at": now,
    }
    at_rest = or_(TI.state.is_(None), TI.state.not_in([*State.finished, *AT_WORK_STATES]))
    return sum(_changed(session, update(TI).where(TI.id.in_(some), at_rest).values(**values)) for some in chunks(ids))


def gate_unmarked_instances(session: Session, now: datetime) -> int:
    """Have what is in a pool of the gate wait there, whatever put it there without our mark; return how many.

    The instances of runs that an earlier version gated, say.
    """
    found = 0
    for pool, effect in EFFECT_OF_POOL.items():
        # two queries, for the index on (pool, state) serves no OR on every database
        for state in (TI.state.is_(None), TI.state == TaskInstanceState.SCHEDULED):
            # what people hold has a mark of its own: adapter.instance_orders
            query = select(TI.id).where(TI.pool == pool, state, ~held_by_order()).order_by(TI.id)
            ids = session.scalars(query).all()
            found += gate_instances(session, ids, effect, now) if ids else 0
    return found


def repair_misplaced(session: Session, now: datetime) -> int:
    """Repair instances that wait outside the gate's pools; return how many. One query when all is right.

    One that never ended a try lost its pool to another policy and gets it back. One that did was cleared meanwhile, and
    its worker was lost before it began: it gets its own delay back.
    """
    query = select(TI.id, TI.end_date, TI.retry_reason).where(
        TI.state == WAITING_STATE, TI.retry_delay_override == WAITS_FOR, TI.pool.not_in(GATED_POOLS)
    )
    found = session.execute(query).all()
    changed = 0
    for effect, mark in (*WAITING_MARKS.items(), (Downstream.HOLD, FOREIGN_MARK)):
        lost = [row.id for row in found if row.end_date is None and row.retry_reason == mark]
        for chunk in chunks(lost):
            statement = update(TI).where(TI.id.in_(chunk), TI.state == WAITING_STATE, TI.end_date.is_(None))
            changed += _changed(session, statement.values(pool=GATE_POOLS[effect], updated_at=now))
    for chunk in chunks([row.id for row in found if row.end_date is not None]):
        statement = update(TI).where(TI.id.in_(chunk), TI.state == WAITING_STATE, TI.end_date.is_not(None))
        changed += _changed(session, statement.values(updated_at=now, **_NOT_WAITING))
    return changed


def release_to_scheduler(session: Session, ids: Iterable[UUID], pool: str, now: datetime) -> int:
    """Hand waiting instances to the scheduler as if they had just been created, in their own pool."""
    return _update_unstarted(session, ids, {"pool": pool, "state": None, "updated_at": now, **_NOT_WAITING})


def end_waiting(session: Session, ids: Iterable[UUID], state: str, now: datetime) -> int:
    """End waiting instances, whether their turn has come or not; return how many."""
    values = {"state": state, "start_date": now, "end_date": now, "duration": 0, "updated_at": now, **_NOT_WAITING}
    return _update_unstarted(session, ids, values)


def hold_for_dag(session: Session, ids: Iterable[UUID], now: datetime) -> int:
    """Have instances that are held wait for their Dag to be unpaused, and no more for their task; return how many."""
    return _update_unstarted(session, ids, {"retry_reason": FOREIGN_MARK, "updated_at": now})


def held_for_dag(session: Session) -> list[tuple[UUID, str, str]]:
    """Return what is held because of its run, of Dags that are not paused, as (id, dag_id, task_id). One query."""
    query = (
        select(TI.id, TI.dag_id, TI.task_id)
        .join(DagModel, DagModel.dag_id == TI.dag_id)
        .where(
            TI.pool == HOLD_POOL,
            TI.state == WAITING_STATE,
            TI.retry_reason == FOREIGN_MARK,
            DagModel.is_paused.is_(False),
        )
    )
    return [(row.id, row.dag_id, row.task_id) for row in session.execute(query)]


def _update_unstarted(session: Session, ids: Iterable[UUID], values: Mapping[str, Any]) -> int:
    waiting = and_(TI.state == WAITING_STATE, TI.pool.in_(GATED_POOLS))
    unstarted = or_(TI.state.is_(None), TI.state == TaskInstanceState.SCHEDULED, waiting)
    return sum(
        _changed(session, update(TI).where(TI.id.in_(chunk), unstarted).values(**values)) for chunk in chunks(ids)
    )


def _changed(session: Session, statement: Update) -> int:
    done = session.execute(statement.execution_options(synchronize_session=False))
    return int(done.rowcount)  # type: ignore[attr-defined]


def end(session: Session, ids: Iterable[UUID], state: str, now: datetime) -> int:
    """End instances that are queued or have started; return how many.

    What runs in a worker is told so at its next heartbeat and killed; a deferred one loses its trigger; a queued
    one is refused when a worker takes it up.
    """
    ended = 0
    for chunk in chunks(ids):
        query = (
            update(TI)
            .where(TI.id.in_(chunk), TI.state.in_(_BEGUN_STATES))
            .values(
                state=state,
                start_date=func.coalesce(TI.start_date, now),
                updated_at=now,
                trigger_id=None,
                trigger_timeout=None,
                next_method=None,
                next_kwargs=null(),
                **_NOT_WAITING,
            )
        )
        query = TI.duration_expression_update(now, query, session.get_bind())
        done = session.execute(query.execution_options(synchronize_session=False))
        ended += done.rowcount  # type: ignore[attr-defined]
    return ended


def ended_at(session: Session, found: Collection[Run], at: datetime) -> set[tuple[str, str, str]]:
    """Return what ended in some runs at exactly one moment, as (dag_id, run_id, task_id)."""
    ended: set[tuple[str, str, str]] = set()
    for chunk in chunks(found, 200):
        query = select(TI.dag_id, TI.run_id, TI.task_id).where(
            _of_runs(chunk), TI.end_date == at, TI.state.in_(State.finished)
        )
        ended.update((row.dag_id, row.run_id, row.task_id) for row in session.execute(query))
    return ended


def end_all(session: Session, ids: Iterable[UUID], state: str, now: datetime) -> None:
    """End unfinished instances, whether they have begun or not; what has not started never will."""
    every = list(ids)
    end(session, every, state, now)
    for chunk in chunks(every):
        session.execute(
            update(TI)
            .where(TI.id.in_(chunk), or_(TI.state.is_(None), TI.state == TaskInstanceState.SCHEDULED))
            .values(state=state, start_date=now, end_date=now, duration=0, updated_at=now)
            .execution_options(synchronize_session=False)
        )
