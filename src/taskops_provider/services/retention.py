"""Deleting records that are older than ``[taskops] records_retention_days``."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, delete, select
from sqlalchemy.orm import Session

from taskops_provider import config
from taskops_provider.adapter import backfills, executions
from taskops_provider.domain.states import TaskState
from taskops_provider.models import (
    AlarmDelivery,
    AlarmEvent,
    EscapedRun,
    GateInterval,
    InstanceOrder,
    Operation,
    OperationItem,
    Replenishment,
    ReplenishmentCell,
    ReplenishmentRole,
    ReplenishmentRun,
    Task,
    Window,
)
from taskops_provider.services.gate.coverage import forget_ended_schedulers
from taskops_provider.services.windows.stored import all_windows

#: rows deleted by one statement, and statements in one call
CHUNK = 1000
_CHUNKS_PER_CALL = 50
#: closed intervals of windows, and windows that are over, are kept so long at most
_WINDOWS_KEPT = timedelta(days=30)


def delete_old_records(session: Session, now: datetime) -> bool:
    """Delete old operation records, replenishments, alarms and closed gate intervals; tell whether there were any.

    The caller commits; of replenishments, which have many rows, each chunk is committed.

    A record stays while a task's present state, an open gate interval or a replenishment that goes on names it; an
    interval stays while a run that was made in it is unfinished, for its mapped tasks may still be expanded.
    """
    before = now - timedelta(days=config.records_retention_days())
    deleted = _delete_operations(session, before)
    deleted = _delete_old(session, AlarmDelivery, AlarmDelivery.created_at, before) or deleted
    deleted = _delete_old(session, AlarmEvent, AlarmEvent.fired_at, before) or deleted
    deleted = _delete_intervals(session, before) or deleted
    # those of windows come by themselves, and nobody reads them; of windows that are over there may be many
    of_windows = max(before, now - _WINDOWS_KEPT)
    deleted = _delete_intervals(session, of_windows, GateInterval.window_id.is_not(None)) or deleted
    deleted = _delete_windows(session, before, over_before=of_windows) or deleted
    deleted = bool(forget_ended_schedulers(session)) or deleted
    deleted = _delete_escaped(session, before) or deleted
    return delete_replenishments(session, before) or deleted


def _delete_old(session: Session, model: type[Any], column: Any, before: datetime) -> bool:
    """Delete rows by their age: those that alarms fired, and the messages about them."""
    deleted = False
    for _ in range(_CHUNKS_PER_CALL):
        ids = list(session.scalars(select(model.id).where(column < before).order_by(column).limit(CHUNK)))
        if not ids:
            break
        _delete(session, model, model.id.in_(ids))
        deleted = True
    return deleted


def _delete_escaped(session: Session, before: datetime) -> bool:
    old = delete(EscapedRun).where(EscapedRun.found_at < before).execution_options(synchronize_session=False)
    return bool(session.execute(old).rowcount)  # type: ignore[attr-defined]


def _delete_operations(session: Session, before: datetime) -> bool:
    of_states = select(Task.state_operation_id).where(
        Task.state != TaskState.SCHEDULING.value, Task.state_operation_id.is_not(None)
    )
    of_gates = select(GateInterval.operation_id).where(
        GateInterval.to_at.is_(None), GateInterval.operation_id.is_not(None)
    )
    # who asked for it
    of_replenishments = select(Replenishment.operation_id).where(Replenishment.ended_at.is_(None))
    of_orders = select(InstanceOrder.operation_id).where(InstanceOrder.operation_id.is_not(None))
    needed = (of_states, of_gates, of_replenishments, of_orders)
    query = (
        select(Operation.id)
        .where(Operation.at < before, *(Operation.id.not_in(numbers) for numbers in needed))
        .order_by(Operation.id)
    )
    deleted = False
    for _ in range(_CHUNKS_PER_CALL):
        ids = list(session.scalars(query.limit(CHUNK)))
        if not ids:
            break
        _delete(session, OperationItem, OperationItem.operation_id.in_(ids))
        _delete(session, Operation, Operation.id.in_(ids))
        deleted = True
    return deleted


def delete_replenishments(session: Session, before: datetime) -> bool:
    """Delete replenishments that ended before a moment, with their cells, runs and roles; tell whether there were any.

    One of whose own runs is unfinished stays: the gate may still be asked what the run's tasks do.
    """
    query = select(Replenishment.id).where(Replenishment.ended_at < before).order_by(Replenishment.id).limit(CHUNK)
    left = _CHUNKS_PER_CALL
    deleted = False
    for number in session.scalars(query).all():
        if not _is_needed(session, number):
            left = _delete_replenishment(session, number, left)
            deleted = True
        if left <= 0:
            break
    return deleted


def _is_needed(session: Session, number: int) -> bool:
    query = select(ReplenishmentRun.backfill_id).where(
        ReplenishmentRun.replenishment_id == number, ReplenishmentRun.backfill_id.is_not(None)
    )
    ids = [key for key in session.scalars(query.distinct()) if key is not None]
    return bool(ids) and backfills.has_unfinished_runs(session, ids)


def _delete_replenishment(session: Session, number: int, left: int) -> int:
    """Delete the rows of one replenishment, itself last; return how many chunks are left for others."""
    for model in (ReplenishmentCell, ReplenishmentRun):
        query = select(model.id).where(model.replenishment_id == number).order_by(model.id).limit(CHUNK)
        while ids := session.scalars(query).all():
            if left <= 0:
                return 0
            left -= 1
            _delete(session, model, model.id.in_(ids))
            session.commit()
    _delete(session, ReplenishmentRole, ReplenishmentRole.replenishment_id == number)
    _delete(session, Replenishment, Replenishment.id == number)
    session.commit()
    return left


def _delete_windows(session: Session, before: datetime, *, over_before: datetime) -> bool:
    """Delete windows that were deleted before a moment, and those that were over before another."""
    gone = set(session.scalars(select(Window.id).where(Window.deleted_at < before)))
    for row, window in all_windows(session):
        is_over = window.times is not None and next(window.times.occurrences(over_before), None) is None
        if is_over and row.changed_at < over_before:
            gone.add(row.id)
    if gone:
        _delete(session, Window, Window.id.in_(sorted(gone)))
    return bool(gone)


def _delete_intervals(session: Session, before: datetime, *conditions: ColumnElement[bool]) -> bool:
    last = 0
    deleted = False
    for _ in range(_CHUNKS_PER_CALL):
        query = (
            select(GateInterval.id, GateInterval.dag_id, GateInterval.to_at)
            .where(GateInterval.to_at < before, GateInterval.id > last, *conditions)
            .order_by(GateInterval.id)
            .limit(CHUNK)
        )
        rows = session.execute(query).all()
        if not rows:
            break
        last = rows[-1].id
        ids = _no_longer_asked_for(session, rows)
        if ids:
            _delete(session, GateInterval, GateInterval.id.in_(ids))
            deleted = True
    return deleted


def _no_longer_asked_for(session: Session, rows: Collection[Any]) -> list[int]:
    oldest = executions.oldest_unfinished_run(session, {row.dag_id for row in rows})
    return [row.id for row in rows if row.dag_id not in oldest or oldest[row.dag_id] >= row.to_at]


def _delete(session: Session, model: type[Any], condition: ColumnElement[bool]) -> None:
    session.execute(delete(model).where(condition).execution_options(synchronize_session=False))
