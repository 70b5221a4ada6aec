"""Airflow's task instances and runs, as the gate reads and changes them.

Every change is one bulk statement that repeats its condition, so that it does nothing to an instance that
someone cleared or ended meanwhile. Rows are locked first where the database has row locks; reading after one's
own first write is as good on SQLite.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

from airflow.models.dagrun import DagRun
from airflow.models.taskinstance import TaskInstance as TI
from airflow.models.taskinstance import TaskInstanceNote as Note
from airflow.utils.sqlalchemy import with_row_locks
from airflow.utils.state import DagRunState, State, TaskInstanceState
from sqlalchemy import ColumnElement, Select, func, null, or_, select, update
from sqlalchemy.orm import Session

from taskops_provider.domain.gate import EFFECT_OF_POOL, GATE_POOLS
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


class Instance(NamedTuple):
    """A task instance as the gate looks at it. ``created_at`` is when its run was made."""

    id: UUID
    dag_id: str
    task_id: str
    run_id: str
    map_index: int
    pool: str
    state: str | None
    scheduled_at: datetime | None
    created_at: datetime

    @property
    def is_parked(self) -> bool:
        """Whether the scheduler keeps its hands off it (see ``adapter.parked``)."""
        return self.state == TaskInstanceState.SCHEDULED and self.scheduled_at is None

    @property
    def has_begun(self) -> bool:
        """Whether an executor has it or it has started, so that it can only be ended."""
        return self.state in _BEGUN_STATES


class Run(NamedTuple):
    """An unfinished run."""

    dag_id: str
    run_id: str


def chunks(items: Iterable[T], size: int = 500) -> Iterator[list[T]]:
    """Cut into lists of at most ``size``: what one statement takes."""
    everything = list(items)
    for start in range(0, len(everything), size):
        yield everything[start : start + size]


def unfinished_run() -> ColumnElement[bool]:
    """The condition on an unfinished run, written so that Airflow's two partial indexes serve it."""
    return or_(DagRun.state == DagRunState.RUNNING, DagRun.state == DagRunState.QUEUED)


def unfinished_instance() -> ColumnElement[bool]:
    """The condition on an unfinished instance."""
    return or_(TI.state.is_(None), TI.state.in_([state for state in State.unfinished if state]))


def _instances() -> Select[*tuple[Any, ...]]:
    return select(
        TI.id,
        TI.dag_id,
        TI.task_id,
        TI.run_id,
        TI.map_index,
        TI.pool,
        TI.state,
        TI.scheduled_dttm,
        func.coalesce(DagRun.created_at, DagRun.run_after),
    ).join(DagRun, (DagRun.dag_id == TI.dag_id) & (DagRun.run_id == TI.run_id))


def _read(session: Session, query: Select[*tuple[Any, ...]], *, skip_locked: bool = False) -> list[Instance]:
    # a full row lock, not the weaker one of Airflow's default: with it nobody adds a note or clears meanwhile
    locked = with_row_locks(query, session, of=TI, key_share=False, skip_locked=skip_locked)
    return [Instance(*row) for row in session.execute(locked)]


def stopped(session: Session, pools: Collection[str], limit: int) -> list[Instance]:
    """Return (and lock) instances that the scheduler found ready to run and stopped for want of a slot."""
    query = _instances().where(
        TI.pool.in_(pools), TI.state == TaskInstanceState.SCHEDULED, TI.scheduled_dttm.is_not(None)
    )
    return _read(session, query.limit(limit), skip_locked=True)


def finish_stopped(session: Session, ids: Collection[UUID], pool: str, state: str, now: datetime) -> int:
    """End stopped instances of a pool that never started; return how many."""
    done = session.execute(
        update(TI)
        .where(TI.id.in_(ids), TI.pool == pool, TI.state == TaskInstanceState.SCHEDULED)
        .values(state=state, start_date=now, end_date=now, duration=0, updated_at=now)
        .execution_options(synchronize_session=False)
    )
    return done.rowcount  # type: ignore[attr-defined]


def settled_without_note(session: Session, ids: Collection[UUID]) -> list[Instance]:
    """Of the given instances, return those that are settled and have no note."""
    query = _without_note().where(TI.id.in_(ids), TI.pool.in_(GATED_POOLS), TI.state.in_(State.finished))
    return _read(session, query)


def waiting_without_note(session: Session, limit: int) -> list[Instance]:
    """Return unfinished gated instances that have no note."""
    found: list[Instance] = []
    # two queries, for the index on (pool, state) serves no OR on every database
    for state in (TI.state.is_(None), TI.state == TaskInstanceState.SCHEDULED):
        query = _without_note().where(TI.pool.in_(GATED_POOLS), state).limit(limit - len(found))
        found += _read(session, query, skip_locked=True)
        if len(found) >= limit:
            break
    return found


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
    return TI.pool == HOLD_POOL if held else TI.pool.not_in(GATED_POOLS)


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


def move_to_pool(session: Session, ids: Iterable[UUID], pool: str, now: datetime) -> int:
    """Put instances that have not started into a pool; return how many."""
    return _update_waiting(session, ids, {"pool": pool, "updated_at": now})


def park(session: Session, ids: Iterable[UUID], pool: str, now: datetime) -> int:
    """Put instances of tasks that pay no heed to pools into one of ours, out of the scheduler's reach."""
    values = {"pool": pool, "state": TaskInstanceState.SCHEDULED, "scheduled_dttm": None, "updated_at": now}
    return _update_waiting(session, ids, values)


def unpark(session: Session, ids: Iterable[UUID], pool: str, now: datetime) -> int:
    """Hand parked instances to the scheduler as if they had just been made, in their own pool."""
    return _update_waiting(session, ids, {"pool": pool, "state": None, "updated_at": now})


def _update_waiting(session: Session, ids: Iterable[UUID], values: dict[str, Any]) -> int:
    changed = 0
    for chunk in chunks(ids):
        done = session.execute(
            update(TI)
            .where(TI.id.in_(chunk), or_(TI.state.is_(None), TI.state == TaskInstanceState.SCHEDULED))
            .values(values)
            .execution_options(synchronize_session=False)
        )
        changed += done.rowcount  # type: ignore[attr-defined]
    return changed


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
            )
        )
        query = TI.duration_expression_update(now, query, session.get_bind())
        done = session.execute(query.execution_options(synchronize_session=False))
        ended += done.rowcount  # type: ignore[attr-defined]
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
