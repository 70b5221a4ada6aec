"""Keeping instances in line with what people ordered for them: hold, force. All of it is idempotent."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import delete, update
from sqlalchemy.orm import Session

from taskops_provider.adapter import instance_orders as adapter
from taskops_provider.adapter import notes, pools
from taskops_provider.adapter.runs import Run
from taskops_provider.domain.gate import Cause, held_note
from taskops_provider.models import InstanceOrder
from taskops_provider.services.gate.whose_pause import own_pools
from taskops_provider.services.shared.actor import MONITOR
from taskops_provider.services.shared.locks import take_writer_lock


class InstanceKey(NamedTuple):
    """An instance; an empty task id stands for its whole run."""

    dag_id: str
    run_id: str
    task_id: str = ""
    map_index: int = -1


class HeldBy(NamedTuple):
    """What holds something: the order's id, whether it is one for the whole run, its map index, and why."""

    order_id: int
    of_run: bool
    map_index: int
    cause: Cause


def holds_of(session: Session, keys: Collection[InstanceKey]) -> dict[InstanceKey, HeldBy]:
    """Return what holds each instance; those that nothing holds are missing. One query for each Dag and 200 runs.

    An order for the instance goes before one for its task, and that before one for its run.
    """
    orders = _orders(session, {(key.dag_id, key.run_id) for key in keys})
    found: dict[InstanceKey, HeldBy] = {}
    for key in keys:
        wanted = dict.fromkeys((key, key._replace(map_index=-1), InstanceKey(key.dag_id, key.run_id)))
        for one in wanted:
            if one in orders:
                found[key] = orders[one]
                break
    return found


def _orders(session: Session, runs: Collection[tuple[str, str]]) -> dict[InstanceKey, HeldBy]:
    found: dict[InstanceKey, HeldBy] = {}
    for row in session.execute(adapter.hold_orders(runs)) if runs else ():
        cause = Cause("held", row.operation_id if row.actor else None, row.actor, row.reason)
        key = InstanceKey(row.dag_id, row.run_id, row.task_id, row.map_index)
        found[key] = HeldBy(row.id, not row.task_id, row.map_index, cause)
    return found


def bring_in_line(session: Session, runs: Sequence[Run], now: datetime) -> int:
    """Have what orders hold wait, and what none holds go on; return how many instances. Locks the runs.

    Hold the writer lock. The caller commits.
    """
    adapter.lock_runs(session, runs)
    held = adapter.hold_unstarted(session, runs, now)
    keys = {one.id: InstanceKey(one.dag_id, one.run_id, one.task_id, one.map_index) for one in held}
    causes = holds_of(session, set(keys.values()))
    texts = {ti_id: held_note(causes[key].cause) for ti_id, key in keys.items() if key in causes}
    notes.put(session, texts, now)
    return len(held) + _free(session, runs, now)


def _free(session: Session, runs: Sequence[Run], now: datetime) -> int:
    waiting = adapter.to_free(session, runs)
    if not waiting:
        return 0
    own = own_pools(session, {(one.dag_id, one.task_id) for one in waiting})
    ways: dict[tuple[str | None, str], list[UUID]] = defaultdict(list)
    for one in waiting:
        ways[one.mark, own.get((one.dag_id, one.task_id)) or pools.DEFAULT_POOL].append(one.id)
    for (mark, pool), ids in ways.items():
        adapter.free(session, ids, mark, pool, now)
    notes.remove(session, [one.id for one in waiting])
    return len(waiting)


def runs_out_of_line(session: Session, now: datetime) -> list[Run]:
    """Return the runs in which an instance is not as its orders say. One query. Changes nothing."""
    return sorted(Run(*one) for one in adapter.runs_out_of_line(session))


def repair_run(session: Session, run: Run, now: datetime) -> int:
    """Bring one run in line; return how many instances. The caller commits."""
    take_writer_lock(session, MONITOR.name)
    return bring_in_line(session, [run], now)


def tend_orders(session: Session, now: datetime) -> bool:
    """End orders whose run or try is over, and make room for what is forced; tell whether there was anything.

    One query where there are no orders. The caller commits.
    """
    if not adapter.has_orders(session):
        return False
    over = adapter.orders_without_run(session) + adapter.ended_forces(session)
    started = adapter.raised_and_started(session)
    without_room = adapter.forced_without_room(session)
    if not (over or started or without_room):
        return False
    take_writer_lock(session, MONITOR.name)
    _take_room_back(session)
    if over:
        session.execute(delete(InstanceOrder).where(InstanceOrder.id.in_(over)))
    make_room(session)
    return True


def _take_room_back(session: Session) -> None:
    for order in adapter.raised_and_started(session):
        adapter.take_room_back(session, order)
        order.saved_limit = order.raised_limit = order.saved_priority = None
    session.flush()


def make_room(session: Session) -> None:
    """Let forced instances start that ``max_active_tasks`` of their Dag keeps from it.

    Airflow knows one limit for all runs of a Dag. It is raised so far that one instance more starts, which is put in
    front of all others; once that has started, the monitor gives it back.
    """
    for one in adapter.forced_without_room(session):
        order = session.get_one(InstanceOrder, one.order_id)
        limit = one.active + 1
        saved = one.limit if order.raised_limit is None or one.limit != order.raised_limit else order.saved_limit
        priority = one.priority if order.saved_priority is None else order.saved_priority
        session.execute(
            update(InstanceOrder)
            .where(InstanceOrder.id == one.order_id)
            .values(saved_limit=saved, raised_limit=limit, saved_priority=priority)
        )
        adapter.make_room(session, one, limit)


def created_at(session: Session, runs: Collection[tuple[str, str]]) -> dict[Run, datetime]:
    """Return when runs were created."""
    return {
        Run(dag_id, facts.run_id): facts.created_at
        for dag_id in {dag_id for dag_id, _ in runs}
        for facts in adapter.facts_of_runs(session, dag_id, {run_id for of, run_id in runs if of == dag_id})
    }


def add_holds(
    session: Session,
    keys: Collection[InstanceKey],
    created: Mapping[Run, datetime],
    operation_id: int,
    now: datetime,
) -> None:
    """Order that instances, or whole runs, are held.

    :param created: when each run was created
    """
    for key in keys:
        session.add(
            InstanceOrder(
                kind=adapter.HOLD,
                dag_id=key.dag_id,
                run_id=key.run_id,
                run_created_at=created[Run(key.dag_id, key.run_id)],
                task_id=key.task_id,
                map_index=key.map_index,
                operation_id=operation_id,
                at=now,
            )
        )
    session.flush()


def force(
    session: Session, instances: Mapping[InstanceKey, tuple[UUID, int]], operation_id: int, now: datetime
) -> None:
    """Order that cleared instances start whatever is before them. Hold the writer lock and their runs.

    :param instances: key -> the id and ``max_tries`` that clearing gave the instance
    """
    created = created_at(session, {(key.dag_id, key.run_id) for key in instances})
    own = own_pools(session, {(key.dag_id, key.task_id) for key in instances})
    earlier = adapter.force_orders(session, instances)
    end_orders(session, earlier)
    alike: dict[tuple[int, str], list[UUID]] = defaultdict(list)
    for key, (ti_id, max_tries) in instances.items():
        alike[max_tries, own.get((key.dag_id, key.task_id)) or pools.DEFAULT_POOL].append(ti_id)
        session.add(
            InstanceOrder(
                kind=adapter.FORCE,
                dag_id=key.dag_id,
                run_id=key.run_id,
                run_created_at=created[Run(key.dag_id, key.run_id)],
                task_id=key.task_id,
                map_index=key.map_index,
                operation_id=operation_id,
                at=now,
                max_tries=max_tries,
            )
        )
    session.flush()
    for (max_tries, pool), ids in alike.items():
        adapter.mark_forced(session, ids, max_tries, pool, now)


def end_orders(session: Session, order_ids: Collection[int]) -> None:
    """End orders."""
    session.execute(delete(InstanceOrder).where(InstanceOrder.id.in_(order_ids)))
