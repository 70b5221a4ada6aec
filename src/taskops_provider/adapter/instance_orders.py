"""Instances that people hold or force, in Airflow's tables.

What orders there are is in ``models.instance_order``; here instances are brought into line with them. Every change is
one bulk statement that repeats its condition. Their runs are locked first, in the scheduler's order.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from airflow.models.dag import DagModel
from airflow.models.dagrun import DagRun
from airflow.models.taskinstance import TaskInstance as TI
from airflow.models.taskreschedule import TaskReschedule
from airflow.ti_deps.dependencies_states import EXECUTION_STATES
from airflow.utils.sqlalchemy import with_row_locks
from airflow.utils.state import State, TaskInstanceState
from sqlalchemy import ColumnElement, Select, String, and_, cast, exists, func, literal, or_, select, union, update
from sqlalchemy.orm import Session, aliased

from taskops_provider.adapter.compatibility import MAP_INDEX, UNCOUNTED_TRY
from taskops_provider.domain.chunks import chunks
from taskops_provider.domain.gate import (
    EFFECT_OF_POOL,
    FOREIGN_MARK,
    GATE_POOLS,
    HELD_MARK,
    RETRY,
    WAITING_MARKS,
    WAITING_STATE,
    WAITS_FOR,
    force_mark,
    held_from,
    held_mark,
    is_held,
)
from taskops_provider.domain.instances import has_begun
from taskops_provider.domain.states import Downstream
from taskops_provider.models import InstanceOrder as Order
from taskops_provider.models import Operation

HOLD_POOL = GATE_POOLS[Downstream.HOLD]
HOLD, FORCE = "hold", "force"
#: in front of everything else of its run
FIRST = 2**31 - 1

_KEY = (TI.dag_id, TI.run_id, TI.task_id, MAP_INDEX)
_UNSTARTED = (TaskInstanceState.SCHEDULED, TaskInstanceState.QUEUED, TaskInstanceState.UP_FOR_RETRY)
_EFFECTS: Mapping[str, Downstream] = {mark: effect for effect, mark in WAITING_MARKS.items()}


class RunFacts(NamedTuple):
    """A run, as orders know it."""

    run_id: str
    state: str
    created_at: datetime


class Unstarted(NamedTuple):
    """An instance that an order holds and that does not wait yet."""

    id: UUID
    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    state: str | None
    mark: str


class HeldInstance(NamedTuple):
    """An instance that waits although no order holds it any more."""

    id: UUID
    dag_id: str
    task_id: str
    mark: str | None


class NeedsRoom(NamedTuple):
    """A forced instance that its Dag's ``max_active_tasks`` keeps from starting."""

    order_id: int
    ti_id: UUID
    dag_id: str
    active: int
    limit: int
    priority: int


def created_with_run() -> ColumnElement[bool]:
    """The condition that an order is of this run, not of one of the same id that was there before."""
    return Order.run_created_at == func.coalesce(DagRun.created_at, DagRun.run_after)


def _of_instance(kind: str) -> ColumnElement[bool]:
    """The condition that an order is one for ``TI``, whose ``DagRun`` is joined."""
    return and_(
        Order.kind == kind,
        Order.dag_id == TI.dag_id,
        Order.run_id == TI.run_id,
        Order.task_id.in_(("", TI.task_id)),
        or_(Order.map_index == -1, Order.map_index == TI.map_index),
        created_with_run(),
    )


def held_by_order() -> ColumnElement[bool]:
    """The condition that people hold an instance, of a query on ``TI`` alone."""
    same_run = and_(DagRun.dag_id == Order.dag_id, DagRun.run_id == Order.run_id)
    found = select(Order.id).join(DagRun, same_run).where(_of_instance(HOLD)).correlate(TI)
    return exists(found)


def run_is_held() -> ColumnElement[bool]:
    """The condition that people hold a whole run, of a query on ``DagRun``."""
    of_run = (Order.kind == HOLD, Order.dag_id == DagRun.dag_id, Order.run_id == DagRun.run_id, Order.task_id == "")
    return exists(select(Order.id).where(*of_run, created_with_run()).correlate(DagRun))


def marked_held() -> ColumnElement[bool]:
    """The condition that an instance waits because people hold it."""
    return and_(TI.retry_reason.is_not(None), TI.retry_reason.like(f"{HELD_MARK}%"))


def facts_of_runs(session: Session, dag_id: str, run_ids: Collection[str], *, lock: bool = False) -> list[RunFacts]:
    """Return those of the runs of a Dag that exist, by id."""
    found: list[RunFacts] = []
    for chunk in chunks(sorted(run_ids)):
        created = func.coalesce(DagRun.created_at, DagRun.run_after)
        query = select(DagRun.run_id, DagRun.state, created).where(DagRun.dag_id == dag_id, DagRun.run_id.in_(chunk))
        if lock:
            query = with_row_locks(query.order_by(DagRun.id), session, of=DagRun)
        found += [RunFacts(run_id, str(state), at) for run_id, state, at in session.execute(query)]
    return found


def hold_orders(runs: Collection[tuple[str, str]]) -> Select[*tuple[Any, ...]]:
    """Return the query for the orders that hold something in some runs, each with who gave it and why."""
    by_dag: dict[str, list[str]] = defaultdict(list)
    for dag_id, run_id in runs:
        by_dag[dag_id].append(run_id)
    which = or_(*(and_(Order.dag_id == dag_id, Order.run_id.in_(run_ids)) for dag_id, run_ids in by_dag.items()))
    return (
        select(
            Order.id,
            Order.dag_id,
            Order.run_id,
            Order.task_id,
            Order.map_index,
            Order.operation_id,
            Operation.actor,
            Operation.reason,
        )
        .join(DagRun, and_(DagRun.dag_id == Order.dag_id, DagRun.run_id == Order.run_id))
        .outerjoin(Operation, Operation.id == Order.operation_id)
        .where(Order.kind == HOLD, created_with_run(), which)
    )


def lock_runs(session: Session, runs: Collection[tuple[str, str]]) -> None:
    """Hold runs until the transaction ends."""
    by_dag: dict[str, list[str]] = defaultdict(list)
    for dag_id, run_id in runs:
        by_dag[dag_id].append(run_id)
    for dag_id in sorted(by_dag):
        facts_of_runs(session, dag_id, by_dag[dag_id], lock=True)


def has_orders(session: Session) -> bool:
    """Tell whether people ordered anything at all. One query."""
    return session.scalar(select(Order.id).limit(1)) is not None


def runs_out_of_line(session: Session) -> set[tuple[str, str]]:
    """Return the runs with an instance that should wait and does not, or the other way round. One query."""
    run = select(TI.dag_id, TI.run_id)
    found = session.execute(union(_to_hold(run), *_to_free(run)))
    return {(row.dag_id, row.run_id) for row in found}


def _to_hold(query: Select[*tuple[Any, ...]]) -> Select[*tuple[Any, ...]]:
    """What an order holds, has not begun a try, and does not wait. What somebody forces goes first."""
    waits = and_(TI.state == WAITING_STATE, TI.pool == HOLD_POOL, marked_held())
    mid_try = or_(TI.next_method.is_not(None), exists(select(TaskReschedule.id).where(TaskReschedule.ti_id == TI.id)))
    begun = and_(TI.state.in_((TaskInstanceState.SCHEDULED, TaskInstanceState.QUEUED)), mid_try)
    return (
        query.select_from(Order)
        .join(DagRun, and_(DagRun.dag_id == Order.dag_id, DagRun.run_id == Order.run_id))
        .join(TI, and_(TI.dag_id == DagRun.dag_id, TI.run_id == DagRun.run_id))
        .where(
            _of_instance(HOLD),
            or_(TI.state.is_(None), TI.state.in_(_UNSTARTED)),
            or_(TI.retry_reason.is_(None), TI.retry_reason != literal(force_mark("")) + cast(TI.max_tries, String)),
            ~and_(func.coalesce(TI.retry_reason, "") != "", waits),
            ~begun,
        )
    )


def _to_free(query: Select[*tuple[Any, ...]]) -> list[Select[*tuple[Any, ...]]]:
    """What waits for an order that is no more; and what has begun and kept the pool of one."""
    kept = and_(
        TI.retry_reason.is_(None), TI.state.in_([one for one in State.unfinished if one and one != "scheduled"])
    )
    return [query.where(TI.pool == HOLD_POOL, which, ~held_by_order()) for which in (_waits_marked(), kept)]


def _waits_marked() -> ColumnElement[bool]:
    return and_(TI.state == WAITING_STATE, marked_held())


def of_runs(runs: Collection[tuple[str, str]]) -> ColumnElement[bool]:
    """The condition that an instance is of one of some runs."""
    by_dag: dict[str, list[str]] = defaultdict(list)
    for dag_id, run_id in runs:
        by_dag[dag_id].append(run_id)
    return or_(*(and_(TI.dag_id == dag_id, TI.run_id.in_(run_ids)) for dag_id, run_ids in by_dag.items()))


def hold_unstarted(session: Session, runs: Sequence[tuple[str, str]], now: datetime) -> list[Unstarted]:
    """Have what orders hold in some runs wait; return it as it was. The runs are locked.

    What an executor has but no worker has begun is taken back: a worker that takes it up is refused.
    """
    found: list[Unstarted] = []
    for chunk in chunks(runs, 200):
        query = _to_hold(select(TI.id, *_KEY, TI.state, TI.pool, TI.retry_reason))
        query = with_row_locks(query.where(of_runs(chunk)).order_by(TI.id), session, of=TI, key_share=False)
        seen: set[UUID] = set()
        for row in session.execute(query):
            if row.id not in seen:  # the run and the instance may both be held
                seen.add(row.id)
                state = None if row.state is None else str(row.state)
                key = (row.dag_id, row.run_id, row.task_id, row.map_index)
                found.append(Unstarted(row.id, *key, state, _mark_of(row, state)))
    by_kind: dict[tuple[str, str | None], list[UUID]] = defaultdict(list)
    for one in found:
        by_kind[one.mark, one.state].append(one.id)
    for (mark, state), ids in by_kind.items():
        _hold(session, ids, mark, state, now)
    return found


def _mark_of(row: Any, state: str | None) -> str:
    if is_held(row.retry_reason):
        return str(row.retry_reason)  # it lost something else, to another policy say
    if state == WAITING_STATE:
        if row.pool in EFFECT_OF_POOL and row.retry_reason in (*_EFFECTS, FOREIGN_MARK):
            return held_mark(row.retry_reason)
        return held_mark(RETRY)
    return held_mark()


def _hold(session: Session, ids: Sequence[UUID], mark: str, state: str | None, now: datetime) -> None:
    values: dict[str, Any] = {
        "pool": HOLD_POOL,
        "state": WAITING_STATE,
        "retry_delay_override": WAITS_FOR,
        "retry_reason": mark,
        "updated_at": now,
    }
    if held_from(mark) != RETRY:
        values["end_date"] = None  # the delay counts from the end of the last try, if there was one
    if state in (TaskInstanceState.SCHEDULED, TaskInstanceState.QUEUED):
        # the scheduler counted a try that has not begun
        values |= {**UNCOUNTED_TRY, "external_executor_id": None}
    was = TI.state.is_(None) if state is None else TI.state == state
    for chunk in chunks(ids):
        _execute(session, update(TI).where(TI.id.in_(chunk), was).values(**values))


def gate_under_hold(
    session: Session,
    runs: Sequence[tuple[str, str]],
    tasks: Collection[tuple[str, str]] | None,
    effect: Downstream,
    now: datetime,
) -> None:
    """Have instances of tasks (None: of all) that people hold go into the gate when they are released. The runs are
    locked."""
    wanted = None if tasks is None else set(tasks)
    for chunk in chunks(runs, 200):
        query = select(TI.id, TI.dag_id, TI.task_id).where(of_runs(chunk), TI.pool == HOLD_POOL, _waits_marked())
        ids = [row.id for row in session.execute(query) if wanted is None or (row.dag_id, row.task_id) in wanted]
        if ids:
            values = {"retry_reason": held_mark(WAITING_MARKS[effect]), "end_date": None, "updated_at": now}
            _execute(session, update(TI).where(TI.id.in_(ids), _waits_marked()).values(**values))


def to_free(session: Session, runs: Sequence[tuple[str, str]]) -> list[HeldInstance]:
    """Return (and lock) what waits in some runs although no order holds it. The runs are locked."""
    found: list[HeldInstance] = []
    for chunk in chunks(runs, 200):
        for query in _to_free(select(TI.id, TI.dag_id, TI.task_id, TI.retry_reason)):
            query = with_row_locks(query.where(of_runs(chunk)).order_by(TI.id), session, of=TI, key_share=False)
            found += [HeldInstance(*row) for row in session.execute(query)]
    return found


def free(session: Session, ids: Collection[UUID], mark: str | None, own_pool: str, now: datetime) -> None:
    """Have waiting instances go back to what they were.

    :param mark: that of the instances
    :param own_pool: that of their tasks
    """
    before = held_from(mark)
    values: dict[str, Any] = {"pool": own_pool, "updated_at": now}
    if mark is not None:
        values |= {"retry_delay_override": None, "retry_reason": None}
        if before is None:
            values["state"] = None
        elif before != RETRY:
            pool = GATE_POOLS[_EFFECTS.get(before, Downstream.HOLD)]
            values |= {"pool": pool, "retry_delay_override": WAITS_FOR, "retry_reason": before}
    is_so = and_(TI.pool == HOLD_POOL, _waits_marked() if mark is not None else TI.retry_reason.is_(None))
    for chunk in chunks(ids):
        _execute(session, update(TI).where(TI.id.in_(chunk), is_so).values(**values))


def orders_without_run(session: Session) -> list[int]:
    """Return the orders for runs that are no more. One query."""
    same_run = and_(DagRun.dag_id == Order.dag_id, DagRun.run_id == Order.run_id, created_with_run())
    return list(session.scalars(select(Order.id).where(~exists(select(DagRun.id).where(same_run)))))


def ended_forces(session: Session) -> list[int]:
    """Return the orders to force what has ended, or was cleared since. One query."""
    goes_on = exists(
        select(TI.id).where(
            TI.dag_id == Order.dag_id,
            TI.run_id == Order.run_id,
            TI.task_id == Order.task_id,
            TI.map_index == Order.map_index,
            TI.max_tries == Order.max_tries,
            or_(TI.state.is_(None), TI.state.in_([one for one in State.unfinished if one])),
        )
    )
    return list(session.scalars(select(Order.id).where(Order.kind == FORCE, ~goes_on)))


def force_orders(session: Session, keys: Iterable[tuple[str, str, str, int]]) -> list[int]:
    """Return the orders to force instances, by (dag_id, run_id, task_id, map_index)."""
    wanted = {(dag_id, run_id, task_id, map_index) for dag_id, run_id, task_id, map_index in keys}
    found: list[int] = []
    for dag_id in {key[0] for key in wanted}:
        for some in chunks(sorted({key[1] for key in wanted if key[0] == dag_id})):
            query = select(Order.id, Order.dag_id, Order.run_id, Order.task_id, Order.map_index).where(
                Order.kind == FORCE, Order.dag_id == dag_id, Order.run_id.in_(some)
            )
            found += [row.id for row in session.execute(query) if tuple(row[1:]) in wanted]
    return found


def mark_forced(session: Session, ids: Sequence[UUID], max_tries: int, own_pool: str, now: datetime) -> None:
    """Have cleared instances pass the checks on what is before them.

    One that people hold waits again once it is cleared: it starts all the same.
    """
    waits = and_(TI.pool == HOLD_POOL, _waits_marked())
    for chunk in chunks(ids):
        again = update(TI).where(TI.id.in_(chunk), waits).values(state=None, pool=own_pool)
        _execute(session, again)
        statement = update(TI).where(TI.id.in_(chunk), TI.state.is_(None))
        _execute(
            session, statement.values(retry_reason=force_mark(max_tries), retry_delay_override=None, updated_at=now)
        )


def forced_without_room(session: Session) -> list[NeedsRoom]:
    """Return the forced instances that are scheduled in runs as full as their Dag allows. One query."""
    other = aliased(TI)
    active = (
        select(func.count())
        .select_from(other)
        .where(other.dag_id == TI.dag_id, other.run_id == TI.run_id, other.state.in_(EXECUTION_STATES))
        .correlate(TI)
        .scalar_subquery()
    )
    query = (
        select(Order.id, TI.id, TI.dag_id, active, DagModel.max_active_tasks, TI.priority_weight)
        .select_from(Order)
        .join(
            TI,
            and_(
                TI.dag_id == Order.dag_id,
                TI.run_id == Order.run_id,
                TI.task_id == Order.task_id,
                TI.map_index == Order.map_index,
            ),
        )
        .join(DagModel, DagModel.dag_id == TI.dag_id)
        .where(
            Order.kind == FORCE,
            TI.state == TaskInstanceState.SCHEDULED,
            TI.max_tries == Order.max_tries,
            DagModel.is_paused.is_(False),
            active >= DagModel.max_active_tasks,
        )
        .order_by(Order.id)
    )
    return [NeedsRoom(*row) for row in session.execute(query)]


def make_room(session: Session, one: NeedsRoom, limit: int) -> None:
    """Let one instance more of the Dag's runs be active, and put this one in front."""
    _execute(session, update(DagModel).where(DagModel.dag_id == one.dag_id).values(max_active_tasks=limit))
    first = update(TI).where(TI.id == one.ti_id, TI.state == TaskInstanceState.SCHEDULED)
    _execute(session, first.values(priority_weight=FIRST))


def raised_and_started(session: Session) -> list[Any]:
    """Return the orders that made room for an instance that does not wait for it any more. One query."""
    waits = exists(
        select(TI.id).where(
            TI.dag_id == Order.dag_id,
            TI.run_id == Order.run_id,
            TI.task_id == Order.task_id,
            TI.map_index == Order.map_index,
            TI.state == TaskInstanceState.SCHEDULED,
        )
    )
    query = select(Order).where(Order.kind == FORCE, Order.raised_limit.is_not(None), ~waits)
    return list(session.scalars(query))


def take_room_back(session: Session, order: Order) -> None:
    """Give the Dag its limit and the instance its priority back, unless somebody else has set them since."""
    dag = update(DagModel).where(DagModel.dag_id == order.dag_id, DagModel.max_active_tasks == order.raised_limit)
    _execute(session, dag.values(max_active_tasks=order.saved_limit))
    instance = update(TI).where(
        TI.dag_id == order.dag_id,
        TI.run_id == order.run_id,
        TI.task_id == order.task_id,
        TI.map_index == order.map_index,
        TI.priority_weight == FIRST,
    )
    _execute(session, instance.values(priority_weight=order.saved_priority))


def _execute(session: Session, statement: Any) -> None:
    session.execute(statement.execution_options(synchronize_session=False))


def begun_by_run(session: Session, dag_id: str, run_ids: Collection[str]) -> dict[str, int]:
    """Count the instances of runs that are in the middle of a try; runs without any are missing."""
    begun = [one for one in State.unfinished if one and has_begun(str(one))]
    found: dict[str, int] = {}
    for chunk in chunks(sorted(run_ids)):
        query = select(TI.run_id, func.count()).where(TI.dag_id == dag_id, TI.run_id.in_(chunk), TI.state.in_(begun))
        found |= {row[0]: row[1] for row in session.execute(query.group_by(TI.run_id))}
    return found
