"""Instances that wait for their own past: Airflow's own rule, asked in its place."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from airflow.models.dagrun import DagRun
from airflow.models.taskinstance import TaskInstance as TI
from airflow.serialization.definitions.dag import SerializedDAG
from airflow.ti_deps.dep_context import DepContext
from airflow.ti_deps.deps.prev_dagrun_dep import PrevDagrunDep
from airflow.utils.state import DagRunState, TaskInstanceState
from sqlalchemy import select, update
from sqlalchemy.orm import Session


class PastWait(NamedTuple):
    """An instance that does not start because of its past.

    :param of_run: the run before, that it depends on
    :param is_over: nothing goes on in that run any more
    """

    id: UUID
    task_id: str
    run_id: str
    of_run: str
    of_date: datetime | None
    is_over: bool


def state_before(session: Session, dag_id: str, task_id: str, logical_date: datetime) -> str | None:
    """Return the state of a task in the run before a date; None if it has none. One query."""
    query = (
        select(TI.state)
        .join(DagRun, (DagRun.dag_id == TI.dag_id) & (DagRun.run_id == TI.run_id))
        .where(TI.dag_id == dag_id, TI.task_id == task_id, DagRun.logical_date < logical_date)
        .order_by(DagRun.logical_date.desc())
        .limit(1)
    )
    return session.scalar(query)


def waits_for_past(session: Session, dag: SerializedDAG, run_id: str, task_ids: Collection[str]) -> list[PastWait]:
    """Return those instances of tasks in a run that Airflow does not start because of their past.

    Up to five queries for each instance that has not started.
    """
    query = select(TI).where(TI.dag_id == dag.dag_id, TI.run_id == run_id, TI.task_id.in_(task_ids), TI.state.is_(None))
    found = []
    for ti in session.scalars(query):
        if not dag.has_task(ti.task_id):
            continue
        ti.task = dag.get_task(ti.task_id)
        if all(status.passed for status in PrevDagrunDep().get_dep_statuses(ti, DepContext(), session=session)):
            continue
        before = _before(ti, dag, session)
        if before is not None:
            is_over = before.state in (DagRunState.SUCCESS, DagRunState.FAILED)
            found.append(PastWait(ti.id, ti.task_id, run_id, before.run_id, before.logical_date, is_over))
    return found


def _before(ti: TI, dag: SerializedDAG, session: Session) -> DagRun | None:
    run = ti.get_dagrun(session=session)
    if dag.catchup:
        return DagRun.get_previous_scheduled_dagrun(run.id, session=session)
    return DagRun.get_previous_dagrun(run, session=session)


def end_for_past(session: Session, ids: Collection[UUID], now: datetime) -> None:
    """End instances that their past keeps from ever starting, as Airflow ends what something upstream of it failed."""
    session.execute(
        update(TI)
        .where(TI.id.in_(ids), TI.state.is_(None))
        .values(state=TaskInstanceState.UPSTREAM_FAILED, start_date=now, end_date=now, duration=0, updated_at=now)
        .execution_options(synchronize_session=False)
    )
