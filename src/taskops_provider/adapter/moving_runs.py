"""Whether the runs of a Dag will still get on by themselves, or wait for somebody: asked before a Dag is paused."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

from airflow.models.backfill import Backfill
from airflow.models.dag import DagModel
from airflow.models.dagrun import DagRun
from airflow.models.taskinstance import TaskInstance as TI
from airflow.utils.state import DagRunState, State
from sqlalchemy import ColumnElement, and_, case, func, select
from sqlalchemy.orm import Session

from taskops_provider.adapter.runs import GATED_POOLS, HOLD_POOL, unfinished_instance
from taskops_provider.domain.chunks import chunks
from taskops_provider.domain.gate import WAITING_STATE

#: how much later than the last change the scheduler must have looked at a run; more than clocks disagree
SETTLED_FOR = timedelta(seconds=30)


def dags_with_moving_runs(session: Session, dag_ids: Collection[str]) -> set[str]:
    """Return the Dags with an unfinished run that still gets on without anybody's doing. Two queries for many Dags,
    and one where a run waits for what is behind it.

    A running one does not if nothing executes in it and the scheduler has looked at it since anything changed, in it
    or in the Dag's other runs, for which its tasks may wait: a scheduler that was away has yet to find out what comes
    next. What waits in the gate for its turn is the monitor's, unless something is held before it. A queued one does
    not while such runs take all the room there is, or while its backfill is paused.
    """
    moving: set[str] = set()
    for chunk in chunks(sorted(dag_ids)):
        running = _running(session, chunk)
        changed = _changes(session, running)
        moving |= {run.dag_id for run in running if not _is_idle(run, changed)}
        room_taken = Counter((run.dag_id, run.backfill_id) for run in running)
        moving |= _dags_with_room(session, chunk, room_taken)
    return moving


class _Running(NamedTuple):
    """A running run: how many of its instances execute, are held, wait for the monitor."""

    dag_id: str
    backfill_id: int | None
    looked_at: datetime | None
    changed_at: datetime | None
    executing: int
    held: int
    due: int


def _running(session: Session, dag_ids: Collection[str]) -> list[_Running]:
    waits = and_(TI.pool.in_(GATED_POOLS), TI.state == WAITING_STATE)
    executes = and_(TI.state.in_([state for state in State.unfinished if state]), ~waits)
    held = and_(TI.pool == HOLD_POOL, unfinished_instance())
    due = and_(TI.pool != HOLD_POOL, waits)

    def count(condition: ColumnElement[bool]) -> ColumnElement[int]:
        return func.coalesce(func.sum(case((condition, 1), else_=0)), 0)

    query = (
        select(
            DagRun.dag_id,
            DagRun.backfill_id,
            DagRun.last_scheduling_decision,
            func.max(TI.updated_at),
            count(executes),
            count(held),
            count(due),
        )
        .outerjoin(TI, (TI.dag_id == DagRun.dag_id) & (TI.run_id == DagRun.run_id))
        .where(DagRun.dag_id.in_(dag_ids), DagRun.state == DagRunState.RUNNING)
        .group_by(DagRun.id, DagRun.dag_id, DagRun.backfill_id, DagRun.last_scheduling_decision)
    )
    return [_Running(*row) for row in session.execute(query)]


def _changes(session: Session, running: Collection[_Running]) -> dict[str, datetime]:
    """Return when anything last changed in the runs of Dags of which a run waits, though nothing is held in it."""
    waiting = {run.dag_id for run in running if not run.executing and not run.held and not run.due}
    changed: dict[str, datetime] = {}
    for run in running:
        if run.dag_id in waiting and run.changed_at is not None:
            changed[run.dag_id] = max(changed.get(run.dag_id, run.changed_at), run.changed_at)
    if waiting:
        ended = (
            select(DagRun.dag_id, func.max(DagRun.end_date))
            .where(DagRun.dag_id.in_(waiting), DagRun.state.in_(State.finished_dr_states))
            .group_by(DagRun.dag_id)
        )
        for dag_id, ended_at in session.execute(ended):
            if ended_at is not None:
                changed[dag_id] = max(changed.get(dag_id, ended_at), ended_at)
    return changed


def _is_idle(run: _Running, changed: Mapping[str, datetime]) -> bool:
    """Whether a running run waits for somebody."""
    if run.executing or (run.due and not run.held):
        return False
    return _has_been_seen(run.changed_at if run.held else changed.get(run.dag_id), run.looked_at)


def _has_been_seen(changed_at: datetime | None, looked_at: datetime | None) -> bool:
    return changed_at is not None and looked_at is not None and looked_at >= changed_at + SETTLED_FOR


def _dags_with_room(session: Session, dag_ids: Collection[str], running: Counter[tuple[str, int | None]]) -> set[str]:
    """Return the Dags of which the scheduler will start a queued run, by its own rule."""
    query = (
        select(DagRun.dag_id, DagRun.backfill_id, func.coalesce(Backfill.max_active_runs, DagModel.max_active_runs))
        .join(DagModel, DagModel.dag_id == DagRun.dag_id)
        .outerjoin(Backfill, Backfill.id == DagRun.backfill_id)
        .where(
            DagRun.dag_id.in_(dag_ids),
            DagRun.state == DagRunState.QUEUED,
            func.coalesce(Backfill.is_paused, False).is_(False),
        )
        .distinct()
    )
    return {
        dag_id
        for dag_id, backfill_id, limit in session.execute(query)
        if limit is None or running[dag_id, backfill_id] < limit
    }
