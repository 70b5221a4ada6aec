"""The cycles of a Dag that lie ahead: which runs the scheduler makes next, and which are due in a time."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import partial
from itertools import islice

from airflow.models.dag import DagModel
from airflow.models.serialized_dag import SerializedDagModel
from airflow.serialization.definitions.dag import SerializedDAG
from sqlalchemy import select
from sqlalchemy.orm import Session

from taskops_provider.adapter.automatic_runs import automatic_runs_around
from taskops_provider.adapter.cycles import Cycle, cycles_between, earliest_due_since

#: no cycle is due later after its logical date
_LONGEST_CYCLE = timedelta(days=366 * 2)


#: a Dag that has cycles, for callers to hand over
ScheduledDag = SerializedDAG


def scheduled_dag(session: Session, dag_id: str) -> ScheduledDag | None:
    """Return a Dag that has cycles, None for others: not scheduled by time, or not readable."""
    stored = SerializedDagModel.get(dag_id, session=session)
    if stored is None:
        return None
    try:
        dag: ScheduledDag = stored.dag
        return dag if dag.timetable.periodic and not dag.timetable.partitioned else None
    except Exception:  # whatever Airflow's code stumbles over: it is told as one without cycles
        return None


def due_between(session: Session, dag: ScheduledDag, begin: datetime, end: datetime, limit: int) -> list[Cycle]:
    """Return the first cycles that are due (``run_after``) from ``begin`` to just before ``end``."""
    return list(islice(_due_from(session, dag, begin, end), limit))


def _due_from(session: Session, dag: ScheduledDag, begin: datetime, end: datetime) -> Iterator[Cycle]:
    first = max(moment for moment in (earliest_due_since(dag, begin), dag.start_date) if moment is not None)
    last = min(moment for moment in (end, dag.end_date) if moment is not None)
    for cycle in cycles_between(dag, first, last, partial(automatic_runs_around, session, dag.dag_id)):
        if cycle.run_after >= end:
            return
        if cycle.run_after >= begin:
            yield cycle


def next_cycles(session: Session, dag_id: str, number: int) -> list[Cycle]:
    """Return the next cycles for which the scheduler makes a run; fewer, or none, where the schedule ends."""
    due = session.scalar(select(DagModel.next_dagrun_create_after).where(DagModel.dag_id == dag_id))
    dag = scheduled_dag(session, dag_id) if due is not None else None
    if dag is None or due is None:
        return []
    return due_between(session, dag, due, due + _LONGEST_CYCLE * 3, number)
