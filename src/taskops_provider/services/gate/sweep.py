"""The monitor's sweep: what no open interval holds goes on, and what escaped one is gated.

Operations and the scheduler take the same locks, but not everybody who creates a run does (a manual trigger, say). So
there can be runs that nobody could see while an operation was done. What decides here are facts of rows, never two
machines' clocks.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from datetime import datetime, timedelta

from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from taskops_provider.adapter import dag_state
from taskops_provider.adapter.coverage import note_newest_runs
from taskops_provider.adapter.missed_instances import (
    dags_with_missed,
    dags_with_unjustified_holds,
    missed,
    unjustified_holds,
)
from taskops_provider.adapter.runs import Instance
from taskops_provider.domain.gate import ANY_TASK, effect_for, effects
from taskops_provider.domain.states import Downstream
from taskops_provider.models import GateInterval
from taskops_provider.services.gate.existing_instances import gate_and_end, gate_unstarted, regate_held, release
from taskops_provider.services.gate.window_holds import held_until
from taskops_provider.services.shared.actor import MONITOR
from taskops_provider.services.shared.locks import take_writer_lock
from taskops_provider.services.shared.task_keys import TaskKey, chunks, is_one_of

#: how long after it was opened an interval is watched: no run is that long in the making
WATCHED_FOR = timedelta(seconds=60)


def dags_to_sweep(session: Session, now: datetime) -> list[str]:
    """Return the Dags that need repair, and go on with watching. A constant number of queries. The caller commits."""
    unjustified = dags_with_unjustified_holds(session, now)
    watched = session.scalar(select(GateInterval.id).where(GateInterval.seen_run_id.is_not(None)).limit(1))
    if watched is None:
        return sorted(unjustified)
    found = unjustified | set(dags_with_missed(session, now))
    table = update(GateInterval).where(GateInterval.seen_run_id.is_not(None))
    begun = table.where(GateInterval.watched_since.is_(None)).values(watched_since=now)
    over = table.where(GateInterval.watched_since <= now - WATCHED_FOR).values(seen_run_id=None)
    for statement in (over, begun):
        session.execute(statement.execution_options(synchronize_session=False))
    # of later runs the gate is asked, in every process that has it
    note_newest_runs(session)
    return sorted(found)


def sweep_dag(session: Session, dag_id: str, now: datetime) -> int:
    """Repair a Dag; return how many instances. The caller commits: a Dag is one short transaction."""
    take_writer_lock(session, MONITOR.name)
    dag_state.lock_runs_and_dags(session, [dag_id])
    return _release_unjustified(session, dag_id, now) + _gate_missed(session, dag_id, now)


def _release_unjustified(session: Session, dag_id: str, now: datetime) -> int:
    """Held instances that nothing holds go the way that the newest interval says; after a window they execute."""
    unjustified = unjustified_holds(session, dag_id, now)
    if not unjustified:
        return 0
    in_force = effects(
        (row.task_id, row.downstream)
        for row in session.execute(
            select(GateInterval.task_id, GateInterval.downstream)
            .where(GateInterval.dag_id == dag_id, GateInterval.to_at.is_(None))
            .order_by(GateInterval.id)
        )
    )
    chosen = _chosen_at_close(session, {(dag_id, ti.task_id) for ti in unjustified})
    of_windows = held_until(session, unjustified)
    ways: dict[Downstream | str, list[Instance]] = defaultdict(list)
    for ti in unjustified:
        at_close = None if ti.id in of_windows else chosen.get((dag_id, ti.task_id))
        ways[effect_for(ti.task_id, in_force) or at_close or "run"].append(ti)
    done = 0
    for way, instances in ways.items():
        pairs, only = {(dag_id, ti.task_id) for ti in instances}, {ti.id for ti in instances}
        if isinstance(way, Downstream):
            done += regate_held(session, pairs, way, only=only)
        else:
            done += release(session, pairs, way, stays_paused=[dag_id], only=only)
    return done


def _chosen_at_close(session: Session, pairs: Collection[TaskKey]) -> dict[TaskKey, str | None]:
    found: dict[TaskKey, str | None] = {}
    for chunk in chunks(pairs):
        query = (
            select(GateInterval.dag_id, GateInterval.task_id, GateInterval.held)
            .where(
                is_one_of(GateInterval.dag_id, GateInterval.task_id, chunk),
                GateInterval.to_at.is_not(None),
                GateInterval.window_id.is_(None),
            )
            .order_by(GateInterval.id)
        )
        found.update({(row.dag_id, row.task_id): row.held for row in session.execute(query)})
    return found


def _gate_missed(session: Session, dag_id: str, now: datetime) -> int:
    intervals = {
        row.id: row
        for row in session.scalars(
            select(GateInterval).where(
                GateInterval.dag_id == dag_id, or_(GateInterval.to_at.is_(None), GateInterval.seen_run_id.is_not(None))
            )
        )
    }
    # a window covers each task, also one with an interval of its own
    own = {row.task_id for row in intervals.values() if row.window_id is None}
    ends: dict[Downstream, list[Instance]] = defaultdict(list)
    waits: dict[Downstream, list[Instance]] = defaultdict(list)
    for ti, interval_id in missed(session, dag_id, now):
        interval = intervals[interval_id]
        if interval.task_id == ANY_TASK and interval.window_id is None and ti.task_id in own:
            continue
        effect = effects([(ti.task_id, interval.downstream)])[ti.task_id]
        (ends if interval.terminates else waits)[effect].append(ti)
    ended = sum(gate_and_end(session, instances, effect, now) for effect, instances in ends.items())
    return ended + sum(gate_unstarted(session, instances, effect, now) for effect, instances in waits.items())
