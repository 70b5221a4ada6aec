"""What has really been executed: instances that started, seen run by run in the order the runs were made."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any

from airflow.models.dagrun import DagRun
from airflow.models.taskinstance import TaskInstance as TI
from airflow.utils.state import TaskInstanceState
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from taskops_provider.adapter.runs import GATED_POOLS, RUN_CREATED_AT, unfinished_run
from taskops_provider.domain.chunks import chunks

#: states of instances that did not execute, or not yet, although some of them have a start: Airflow gives one to
#: what it skips, and what is cleared keeps the one it had
_NOT_EXECUTED = (
    TaskInstanceState.SKIPPED,
    TaskInstanceState.UPSTREAM_FAILED,
    TaskInstanceState.REMOVED,
    TaskInstanceState.SCHEDULED,
    TaskInstanceState.QUEUED,
)


def runs_after(session: Session, run_number: int, limit: int) -> list[int]:
    """Return the numbers (``dag_run.id``) of runs made after one, the oldest first."""
    return list(session.scalars(select(DagRun.id).where(DagRun.id > run_number).order_by(DagRun.id).limit(limit)))


def unfinished_run_numbers(session: Session) -> list[int]:
    """Return the numbers of all unfinished runs."""
    return list(session.scalars(select(DagRun.id).where(unfinished_run()).order_by(DagRun.id)))


def first_starts(session: Session, run_numbers: Iterable[int], task: Any) -> dict[tuple[str, str], datetime]:
    """Return when tasks first started in the given runs; tasks that were settled or skipped did not.

    :param task: a selectable with ``dag_id`` and ``task_id``: the tasks to look for
    """
    found: dict[tuple[str, str], datetime] = {}
    for chunk in chunks(run_numbers):
        query = (
            select(TI.dag_id, TI.task_id, func.min(TI.start_date))
            .join(DagRun, (DagRun.dag_id == TI.dag_id) & (DagRun.run_id == TI.run_id))
            .join(task, (task.c.dag_id == TI.dag_id) & (task.c.task_id == TI.task_id))
            .where(
                DagRun.id.in_(chunk),
                TI.start_date.is_not(None),
                TI.pool.not_in(GATED_POOLS),
                TI.state.not_in(_NOT_EXECUTED),  # nor NULL
            )
            .group_by(TI.dag_id, TI.task_id)
        )
        for dag_id, task_id, started in session.execute(query):
            if started is not None:
                found[dag_id, task_id] = min(found.get((dag_id, task_id), started), started)
    return found


def oldest_unfinished_run(session: Session, dag_ids: Collection[str]) -> dict[str, datetime]:
    """Return when the oldest unfinished run of each Dag was made (Dags without any are left out)."""
    found: dict[str, datetime] = {}
    for chunk in chunks(sorted(set(dag_ids))):
        query = (
            select(DagRun.dag_id, func.min(RUN_CREATED_AT))
            .where(DagRun.dag_id.in_(chunk), unfinished_run())
            .group_by(DagRun.dag_id)
        )
        found |= {row[0]: row[1] for row in session.execute(query)}
    return found
