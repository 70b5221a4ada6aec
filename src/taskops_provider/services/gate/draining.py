"""What a workflow does when the states of its tasks have changed: drain, pause and unpause its Dag (requirements 2)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import and_, case, func, or_, select, update
from sqlalchemy.orm import Session

from taskops_provider.adapter import dag_state
from taskops_provider.domain.chunks import chunks
from taskops_provider.domain.gate import ANY_TASK
from taskops_provider.domain.states import OUT_OF_SERVICE, Downstream, TaskState
from taskops_provider.models import Task, Workflow
from taskops_provider.services.gate.intervals import Gate, close_gates, open_gates
from taskops_provider.services.gate.whose_pause import mark_as_ours, release_foreign_runs, unpause, woken
from taskops_provider.services.shared.task_keys import TaskKey


@dataclass(frozen=True)
class _Tasks:
    """How many present tasks of a workflow are in which stored state."""

    present: int
    scheduling: int
    stopped: int  # offline or deleted
    deleted: int

    @property
    def default_state(self) -> TaskState:
        """The state that a task which appears now gets."""
        if not self.present or self.stopped < self.present:
            return TaskState.SCHEDULING
        return TaskState.DELETED if self.deleted == self.present else TaskState.OFFLINE


def _count_tasks(session: Session, dag_ids: Collection[str], now: datetime) -> dict[str, _Tasks]:
    def count(condition: Any) -> Any:
        return func.sum(case((condition, 1), else_=0))

    query = (
        select(
            Task.dag_id,
            func.count(),
            count(
                and_(
                    Task.state == TaskState.SCHEDULING.value,
                    or_(Task.effective_to.is_(None), Task.effective_to >= now),
                )
            ),
            count(Task.state.in_(OUT_OF_SERVICE)),
            count(Task.state == TaskState.DELETED.value),
        )
        .where(Task.dag_id.in_(dag_ids), Task.is_present.is_(True))
        .group_by(Task.dag_id)
    )
    return {row[0]: _Tasks(*(int(n) for n in row[1:])) for row in session.execute(query)}


def left_without_scheduling(session: Session, stopping: Mapping[str, int], now: datetime) -> list[str]:
    """Return the workflows that drain if some of their scheduling tasks stop, by their ids.

    :param stopping: how many tasks that show Scheduling stop, by Dag
    """
    found = []
    for chunk in chunks(sorted(stopping)):
        counts = _count_tasks(session, chunk, now)
        found += [dag_id for dag_id in chunk if dag_id in counts and counts[dag_id].scheduling <= stopping[dag_id]]
    return found


def sync_workflow_pause(
    session: Session,
    dag_ids: Collection[str],
    now: datetime,
    *,
    operation_id: int | None = None,
    downstream: Downstream | None = None,
    resumed: Collection[str] = (),
) -> None:
    """Bring workflows in step with their tasks.

    :param downstream: the effect for tasks that will appear in a workflow that went offline
    :param resumed: Dags that start, submit or undo brought tasks of back: they are unpaused in Airflow
    """
    for chunk in chunks(sorted(dag_ids)):
        counts = _count_tasks(session, chunk, now)
        none = _Tasks(0, 0, 0, 0)
        workflows = {
            row.dag_id: row
            for row in session.execute(
                select(
                    Workflow.dag_id, Workflow.default_state, Workflow.draining_since, Workflow.saved_create_after
                ).where(Workflow.dag_id.in_(chunk))
            )
        }
        for dag_id, row in workflows.items():
            after = counts.get(dag_id, none).default_state
            _set_default_state(session, dag_id, row.default_state, after, operation_id, downstream, now)
        idle = [d for d in workflows if counts.get(d, none).present and not counts[d].scheduling]
        _unpause_resumed(
            session, [row for d, row in workflows.items() if d in resumed and counts.get(d, none).scheduling]
        )
        start_draining(session, [d for d in idle if workflows[d].draining_since is None], now)


def _set_default_state(
    session: Session,
    dag_id: str,
    before: str,
    after: TaskState,
    operation_id: int | None,
    downstream: Downstream | None,
    now: datetime,
) -> None:
    """Keep the state of tasks to come, and the workflow's own gate interval which covers them."""
    if before == after.value:
        return
    session.execute(update(Workflow).where(Workflow.dag_id == dag_id).values(default_state=after.value))
    own: list[TaskKey] = [(dag_id, ANY_TASK)]
    close_gates(session, own, now)
    if after is not TaskState.SCHEDULING:
        open_gates(session, own, Gate(after, downstream or Downstream.SKIP), operation_id=operation_id, now=now)


def _unpause_resumed(session: Session, resumed: Collection[Any]) -> None:
    """End the draining of workflows of which tasks were resumed, and unpause their Dags."""
    stop_draining(session, [row for row in resumed if row.draining_since is not None])
    if resumed:
        unpause(session, [row.dag_id for row in resumed])


def stop_draining(session: Session, rows: Collection[Any]) -> None:
    """Forget that workflows drain and give their Dags the next run back.

    :param rows: with ``dag_id`` and ``saved_create_after``
    """
    if not rows:
        return
    session.execute(
        update(Workflow)
        .where(Workflow.dag_id.in_([row.dag_id for row in rows]))
        .values(draining_since=None, saved_create_after=None)
        .execution_options(synchronize_session=False)
    )
    for row in rows:
        if row.saved_create_after is not None:
            dag_state.give_back_planned_run(session, row.dag_id, row.saved_create_after)


def start_draining(session: Session, dag_ids: Collection[str], now: datetime) -> None:
    """Stop new runs of workflows of which nothing is scheduling; runs in flight go on (the monitor ends it)."""
    if not dag_ids:
        return
    paused = dag_state.paused_dags(session, dag_ids) | woken(session, dag_ids)
    draining = [dag_id for dag_id in dag_ids if dag_id not in paused]
    if not draining:
        return
    # it was unpaused for everybody until now, and these are runs of before, even if no monitor has come round yet
    release_foreign_runs(session, now, of=draining)
    session.execute(
        update(Workflow)
        .where(Workflow.dag_id.in_(draining))
        .values(draining_since=now)
        .execution_options(synchronize_session=False)
    )
    keep_draining(session, draining)


def keep_draining(session: Session, dag_ids: Collection[str]) -> None:
    """Keep new runs of draining workflows back; say it again while they drain. Airflow does it, if it can.

    A person may have ended the draining in Airflow.
    """
    drained = dag_state.drain(session, dag_ids)
    if drained is None:
        hold_back_new_runs(session, dag_ids)
    elif drained:
        mark_as_ours(session, drained)


def hold_back_new_runs(session: Session, dag_ids: Collection[str]) -> None:
    """The dag-processor works out the next run each time it parses; take it away again and keep the newest."""
    planned = dag_state.planned_runs(session, dag_ids)
    if planned:
        dag_state.stop_planned_runs(session, list(planned))
        session.execute(update(Workflow), [{"dag_id": d, "saved_create_after": at} for d, at in planned.items()])
