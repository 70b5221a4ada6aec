"""The monitor's part of draining: pause the Dag once its last run has ended (requirements 2)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import exists, or_, select
from sqlalchemy.orm import Session

from taskops_provider.adapter import audit, dag_state
from taskops_provider.adapter.compatibility import HAS_DRAINING
from taskops_provider.adapter.moving_runs import dags_with_moving_runs
from taskops_provider.domain.states import TaskState
from taskops_provider.models import Task, Workflow
from taskops_provider.services.gate.draining import keep_draining, stop_draining, sync_workflow_pause
from taskops_provider.services.gate.whose_pause import (
    foreign_runs_to_release,
    forget_lifted_pauses,
    lifted_in_airflow,
    mark_as_theirs,
    pause_as_taskops,
    pause_as_user,
    release_foreign_runs,
)
from taskops_provider.services.shared.actor import MONITOR
from taskops_provider.services.shared.locks import take_writer_lock


def advance_drains(session: Session, now: datetime) -> bool:
    """Bring draining forward; tell whether anything changed. The caller commits."""
    if (
        not foreign_runs_to_release(session)
        and not _is_draining_or_unpaused(session)
        and not _idle_but_unpaused(session, now)
    ):
        return False
    # before the first write: who operates has it, and waits for rows that would be locked here
    take_writer_lock(session, MONITOR.name)
    changed = [bool(release_foreign_runs(session, now)), forget_lifted_pauses(session)]
    idle = _idle_but_unpaused(session, now)
    if idle:
        sync_workflow_pause(session, idle, now)
    return any(changed) | bool(idle) | _end_draining(session, now)


def _is_draining_or_unpaused(session: Session) -> bool:
    """Whether a workflow drains, or somebody unpaused a Dag that we had paused. One query."""
    dag = dag_state.dag_table()
    query = (
        select(Workflow.dag_id)
        .outerjoin(dag, dag.c.dag_id == Workflow.dag_id)
        .where(or_(Workflow.draining_since.is_not(None), lifted_in_airflow()))
    )
    return session.scalar(query.limit(1)) is not None


def _idle_but_unpaused(session: Session, now: datetime) -> list[str]:
    """Workflows that were stopped here, have nothing scheduling, and whose Dag is not paused.

    Someone unpaused it in Airflow, or the last scheduling task expired. Its runs would hold gated instances only.
    """
    dag = dag_state.dag_table()
    stopped = exists().where(
        Task.dag_id == Workflow.dag_id, Task.is_present.is_(True), Task.state != TaskState.SCHEDULING.value
    )
    scheduling = exists().where(
        Task.dag_id == Workflow.dag_id,
        Task.is_present.is_(True),
        Task.state == TaskState.SCHEDULING.value,
        or_(Task.effective_to.is_(None), Task.effective_to >= now),
    )
    query = (
        select(Workflow.dag_id)
        .join(dag, dag.c.dag_id == Workflow.dag_id)
        .where(
            # led by the few tasks that are stopped, from their index
            Workflow.dag_id.in_(select(Task.dag_id).where(Task.state != TaskState.SCHEDULING.value)),
            Workflow.is_present.is_(True),
            Workflow.draining_since.is_(None),
            Workflow.woken_at.is_(None),
            dag.c.is_paused.is_(False),
            stopped,
            ~scheduling,
        )
    )
    return list(session.scalars(query))


def _end_draining(session: Session, now: datetime) -> bool:
    rows = session.execute(
        select(Workflow.dag_id, Workflow.saved_create_after, Workflow.draining_since, Workflow.paused_by_us).where(
            Workflow.draining_since.is_not(None)
        )
    ).all()
    if not rows:
        return False
    dag_ids = [row.dag_id for row in rows]
    keep_draining(session, dag_ids)
    paused_already = dag_state.paused_dags(session, dag_ids)
    moving = dags_with_moving_runs(session, dag_ids)
    drained = [dag_id for dag_id in dag_ids if dag_id not in moving and dag_id not in paused_already]
    ended = [row for row in rows if row.dag_id in paused_already or row.dag_id in drained]
    _pause(session, [row for row in rows if row.dag_id in drained], now)
    _see_who_paused(session, [row for row in rows if row.dag_id in paused_already])
    stop_draining(session, ended)
    return bool(ended)


def _pause(session: Session, rows: Sequence[Any], now: datetime) -> None:
    """Pause the Dags of workflows that have drained."""
    # if Airflow can drain, the rows say already whose pause it becomes
    theirs = [row.dag_id for row in rows if HAS_DRAINING and not row.paused_by_us]
    ours = [row.dag_id for row in rows if row.dag_id not in theirs]
    pause_as_taskops(session, ours)
    pause_as_user(session, theirs)
    if rows:
        audit.write(
            session,
            event="taskops.drained",
            actor=MONITOR.name,
            at=now,
            entries=((row.dag_id, None, {"is_paused": True}) for row in rows),
        )


def _see_who_paused(session: Session, rows: Sequence[Any]) -> None:
    """See whether Airflow paused Dags at the end of their draining, or a person did before."""
    ours = {row.dag_id: row.draining_since for row in rows if row.paused_by_us}
    mark_as_theirs(session, set(ours) - dag_state.drained_in_airflow(session, ours))
