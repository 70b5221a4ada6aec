"""The monitor's part of draining: pause the Dag once its last run has ended (requirements 2)."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import exists, or_, select, update
from sqlalchemy.orm import Session

from taskops_provider.adapter import audit, dag_state
from taskops_provider.adapter.moving_runs import dags_with_moving_runs
from taskops_provider.domain.states import TaskState
from taskops_provider.models import Task, Workflow
from taskops_provider.services.gate.draining import stop_draining, sync_workflow_pause
from taskops_provider.services.gate.whose_pause import (
    foreign_runs_to_release,
    forget_lifted_pauses,
    lifted_in_airflow,
    pause_as_taskops,
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
        select(Workflow.dag_id, Workflow.saved_create_after).where(Workflow.draining_since.is_not(None))
    ).all()
    if not rows:
        return False
    dag_ids = [row.dag_id for row in rows]
    hold_back_new_runs(session, dag_ids)
    paused_already = dag_state.paused_dags(session, dag_ids)
    moving = dags_with_moving_runs(session, dag_ids)
    drained = [dag_id for dag_id in dag_ids if dag_id not in moving and dag_id not in paused_already]
    ended = [row for row in rows if row.dag_id in paused_already or row.dag_id in drained]
    if drained:
        pause_as_taskops(session, drained)
        audit.write(
            session,
            event="taskops.drained",
            actor=MONITOR.name,
            at=now,
            entries=((dag_id, None, {"is_paused": True}) for dag_id in drained),
        )
    stop_draining(session, ended)
    return bool(ended)


def hold_back_new_runs(session: Session, dag_ids: Collection[str]) -> None:
    """The dag-processor works out the next run each time it parses; take it away again and keep the newest."""
    planned = dag_state.planned_runs(session, dag_ids)
    if planned:
        dag_state.stop_planned_runs(session, list(planned))
        session.execute(update(Workflow), [{"dag_id": d, "saved_create_after": at} for d, at in planned.items()])
