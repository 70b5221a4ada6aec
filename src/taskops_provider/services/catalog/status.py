"""The shown status of tasks and workflows as SQL, so that lists can filter and sort by it.

The rules are those of ``domain.states``; a property test holds the two together.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, false, func, literal, or_, select

from taskops_provider.adapter.compatibility import dag_is_draining
from taskops_provider.adapter.dag_state import dag_table
from taskops_provider.domain.states import TaskState, TaskStatus, WorkflowStatus
from taskops_provider.models import Task, Workflow


def task_status(now: datetime, *, but_draining: bool = False) -> ColumnElement[str]:
    """The shown status; the query must join Task, Workflow and :func:`dag_table`.

    :param but_draining: that which a task would show if Airflow did not drain its Dag
    """
    dag = dag_table()
    return case(
        (Task.state == TaskState.DELETED.value, TaskStatus.DELETED.value),
        (Task.state == TaskState.OFFLINE.value, TaskStatus.OFFLINE.value),
        (and_(Task.effective_to.is_not(None), Task.effective_to < now), TaskStatus.INVALID.value),
        (
            or_(
                Task.state == TaskState.PAUSED.value,
                dag.c.is_paused.is_(True),
                false() if but_draining else dag_is_draining(),
                Workflow.draining_since.is_not(None),
                Workflow.woken_at.is_not(None),
            ),
            TaskStatus.PAUSED.value,
        ),
        else_=TaskStatus.SCHEDULING.value,
    )


def has_status(statuses: Collection[str], now: datetime) -> ColumnElement[bool]:
    """Whether a task shows one of some statuses (see :func:`task_status`)."""
    if set(statuses) <= {TaskStatus.OFFLINE.value, TaskStatus.DELETED.value}:
        return Task.state.in_(statuses)  # shown as stored, and few: found by the index
    return task_status(now).in_(statuses)


class TaskCounts:
    """How many present tasks, not deleted, of each shown status workflows have, for a query of ``Workflow``.

    Tasks are counted by what their own rows say; what holds for all of a workflow is asked once, not for each task.
    """

    def __init__(self, now: datetime, dag_ids: Collection[str] | None = None):
        """Prepare the columns.

        :param dag_ids: of these alone
        """
        is_offline = Task.state == TaskState.OFFLINE.value
        is_deleted = Task.state == TaskState.DELETED.value
        is_invalid = and_(~is_offline, ~is_deleted, Task.effective_to.is_not(None), Task.effective_to < now)
        is_scheduling = and_(
            Task.state == TaskState.SCHEDULING.value, or_(Task.effective_to.is_(None), Task.effective_to >= now)
        )

        def count(condition: ColumnElement[bool]) -> ColumnElement[int]:
            return func.sum(case((condition, 1), else_=0))

        query = (
            select(
                Task.dag_id,
                count(~is_deleted).label("tasks"),
                count(is_offline).label("offline"),
                count(is_invalid).label("invalid"),
                count(is_scheduling).label("scheduling"),
                count(is_deleted).label("deleted"),
            )
            .where(Task.is_present.is_(True))
            .group_by(Task.dag_id)
        )
        if dag_ids is not None:
            query = query.where(Task.dag_id.in_(dag_ids))
        self._own = query.subquery()
        self._dag = dag_table()
        stands_still = or_(
            self._dag.c.is_paused.is_(True),
            dag_is_draining(),
            Workflow.draining_since.is_not(None),
            Workflow.woken_at.is_not(None),
        )
        total, offline, invalid, due, deleted = (
            func.coalesce(self._own.c[name], 0) for name in ("tasks", "offline", "invalid", "scheduling", "deleted")
        )
        scheduling = case((stands_still, 0), else_=due)
        self.total = total
        self.deleted: ColumnElement[int] = deleted
        self.of: dict[TaskStatus, ColumnElement[int]] = {
            TaskStatus.SCHEDULING: scheduling,
            TaskStatus.PAUSED: total - offline - invalid - scheduling,
            TaskStatus.OFFLINE: offline,
            TaskStatus.INVALID: invalid,
        }

    def join(self, query: Select[*tuple[Any, ...]]) -> Select[*tuple[Any, ...]]:
        """Join what the columns are made of; workflows without tasks count 0."""
        return query.outerjoin(self._own, self._own.c.dag_id == Workflow.dag_id).outerjoin(
            self._dag, self._dag.c.dag_id == Workflow.dag_id
        )

    def workflow_status(self) -> ColumnElement[str]:
        """The status that they make together."""

        def all_are(status: TaskStatus) -> ColumnElement[bool]:
            return and_(self.total > 0, self.of[status] == self.total)

        return case(
            (Workflow.default_state == TaskState.DELETED.value, literal(WorkflowStatus.DELETED.value)),
            (all_are(TaskStatus.SCHEDULING), literal(WorkflowStatus.ALL_SCHEDULING.value)),
            (all_are(TaskStatus.PAUSED), literal(WorkflowStatus.ALL_PAUSED.value)),
            (all_are(TaskStatus.OFFLINE), literal(WorkflowStatus.ALL_OFFLINE.value)),
            (all_are(TaskStatus.INVALID), literal(WorkflowStatus.ALL_EXPIRED.value)),
            (self.of[TaskStatus.SCHEDULING] > 0, literal(WorkflowStatus.PARTIALLY_SCHEDULING.value)),
            else_=literal(WorkflowStatus.ALL_UNSCHEDULED.value),
        )
