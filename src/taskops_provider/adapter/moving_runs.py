"""Whether the runs of a Dag will still get on by themselves, or wait for somebody: asked before a Dag is paused."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from datetime import datetime, timedelta

from airflow.models.backfill import Backfill
from airflow.models.dag import DagModel
from airflow.models.dagrun import DagRun
from airflow.models.taskinstance import TaskInstance as TI
from airflow.utils.state import DagRunState, State
from sqlalchemy import and_, case, func, select
from sqlalchemy.orm import Session

from taskops_provider.adapter.runs import GATED_POOLS, HOLD_POOL, unfinished_instance
from taskops_provider.domain.chunks import chunks
from taskops_provider.domain.gate import WAITING_STATE

#: how much later than the last change the scheduler must have looked at a run; more than clocks disagree
SETTLED_FOR = timedelta(seconds=30)


def dags_with_moving_runs(session: Session, dag_ids: Collection[str]) -> set[str]:
    """Return the Dags with an unfinished run that still gets on without anybody's doing. Two queries for many Dags.

    A running one does not if something is held in it, nothing else executes, and the scheduler has looked at it since
    anything changed: a scheduler that was away has yet to find out what comes next. A queued one does not while such
    runs take all the room there is, or while its backfill is paused.
    """
    moving: set[str] = set()
    for chunk in chunks(sorted(dag_ids)):
        running = _running(session, chunk)
        moving |= {dag_id for dag_id, _, is_idle in running if not is_idle}
        room_taken = Counter((dag_id, backfill_id) for dag_id, backfill_id, _ in running)
        moving |= _dags_with_room(session, chunk, room_taken)
    return moving


def _running(session: Session, dag_ids: Collection[str]) -> list[tuple[str, int | None, bool]]:
    """Return the running runs of Dags as (dag_id, backfill_id, whether it waits for somebody)."""
    waits = and_(TI.pool.in_(GATED_POOLS), TI.state == WAITING_STATE)
    executes = and_(TI.state.in_([state for state in State.unfinished if state]), ~waits)
    held = and_(TI.pool == HOLD_POOL, unfinished_instance())
    query = (
        select(
            DagRun.dag_id,
            DagRun.backfill_id,
            DagRun.last_scheduling_decision,
            func.max(TI.updated_at),
            func.sum(case((executes, 1), else_=0)),
            func.sum(case((held, 1), else_=0)),
        )
        .outerjoin(TI, (TI.dag_id == DagRun.dag_id) & (TI.run_id == DagRun.run_id))
        .where(DagRun.dag_id.in_(dag_ids), DagRun.state == DagRunState.RUNNING)
        .group_by(DagRun.id, DagRun.dag_id, DagRun.backfill_id, DagRun.last_scheduling_decision)
    )
    return [
        (dag_id, backfill_id, bool(holds) and not executing and _has_been_seen(changed_at, looked_at))
        for dag_id, backfill_id, looked_at, changed_at, executing, holds in session.execute(query)
    ]


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
