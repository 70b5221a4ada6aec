"""The runs that Airflow made by itself: timetables that count from a run go on from those."""

from __future__ import annotations

from datetime import datetime

from airflow.models.dagrun import DagRun
from airflow.utils.types import DagRunType
from sqlalchemy import Select, and_, func, or_, select, union_all
from sqlalchemy.orm import Session

from taskops_provider.adapter.cycle import Cycle


def automatic_runs_around(session: Session, dag_id: str, first: datetime, last: datetime) -> list[Cycle]:
    """Return the scheduled runs of a Dag from ``first`` to ``last``, the one before and the one after. One query.

    The scheduler goes on from a backfill's run too, if that is the newest; those between others are at the dates
    that somebody asked for.
    """
    newest = (
        select(func.max(DagRun.logical_date))
        .where(DagRun.dag_id == dag_id, DagRun.run_type == DagRunType.SCHEDULED)
        .scalar_subquery()
    )
    date = DagRun.logical_date
    later = and_(DagRun.run_type == DagRunType.BACKFILL_JOB, or_(newest.is_(None), date > newest))
    of_dag = (DagRun.dag_id == dag_id, date.is_not(None), or_(DagRun.run_type == DagRunType.SCHEDULED, later))

    def runs(*which: object) -> Select[*tuple[datetime, ...]]:
        columns = (DagRun.logical_date, DagRun.data_interval_start, DagRun.data_interval_end, DagRun.run_after)
        return select(*columns).where(*of_dag, *which)  # type: ignore[return-value, arg-type]

    before = runs(date < first).order_by(date.desc()).limit(1).subquery()
    after = runs(date > last).order_by(date).limit(1).subquery()
    query = union_all(select(before), runs(date.between(first, last)), select(after)).order_by("logical_date")
    # runs of long ago have no interval
    return [Cycle(row[0], row[1] or row[0], row[2] or row[0], row[3]) for row in session.execute(query)]
