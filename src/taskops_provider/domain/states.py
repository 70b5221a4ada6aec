"""Task states, shown statuses, workflow statuses and what each operation may do (requirements 2)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum


class TaskState(StrEnum):
    """What is stored for a task."""

    SCHEDULING = "scheduling"
    PAUSED = "paused"
    OFFLINE = "offline"
    DELETED = "deleted"


#: the stored states of tasks that are out of service: nothing schedules them, and strict mode does not count them
OUT_OF_SERVICE = (TaskState.OFFLINE.value, TaskState.DELETED.value)


class TaskStatus(StrEnum):
    """What is shown for a task."""

    SCHEDULING = "scheduling"
    PAUSED = "paused"
    OFFLINE = "offline"
    INVALID = "invalid"
    DELETED = "deleted"


class WorkflowStatus(StrEnum):
    """What is shown for a workflow."""

    ALL_SCHEDULING = "all_scheduling"
    ALL_PAUSED = "all_paused"
    ALL_OFFLINE = "all_offline"
    PARTIALLY_SCHEDULING = "partially_scheduling"
    ALL_UNSCHEDULED = "all_unscheduled"
    ALL_EXPIRED = "all_expired"
    DELETED = "deleted"


class Downstream(StrEnum):
    """What a gated instance becomes once everything upstream of it is done."""

    SKIP = "skip"
    RUN = "run"
    FAIL = "fail"
    HOLD = "hold"


class Verb(StrEnum):
    """The operations."""

    START = "start"
    PAUSE = "pause"
    OFFLINE = "offline"
    DELETE = "delete"
    SUBMIT = "submit"
    SET_OWNERS = "set-owners"


BECOMES: Mapping[Verb, TaskState] = {
    Verb.START: TaskState.SCHEDULING,
    Verb.PAUSE: TaskState.PAUSED,
    Verb.OFFLINE: TaskState.OFFLINE,
    Verb.DELETE: TaskState.DELETED,
    Verb.SUBMIT: TaskState.SCHEDULING,
}

TASK_MAY_BE: Mapping[Verb, frozenset[TaskStatus]] = {
    Verb.START: frozenset({TaskStatus.PAUSED}),
    Verb.PAUSE: frozenset({TaskStatus.SCHEDULING}),
    Verb.OFFLINE: frozenset({TaskStatus.SCHEDULING, TaskStatus.PAUSED, TaskStatus.INVALID}),
    Verb.DELETE: frozenset({TaskStatus.OFFLINE}),
    Verb.SUBMIT: frozenset({TaskStatus.OFFLINE, TaskStatus.DELETED}),
    Verb.SET_OWNERS: frozenset(set(TaskStatus) - {TaskStatus.DELETED}),
}

WORKFLOW_MAY_BE: Mapping[Verb, frozenset[WorkflowStatus]] = {
    Verb.START: frozenset(
        {WorkflowStatus.ALL_PAUSED, WorkflowStatus.PARTIALLY_SCHEDULING, WorkflowStatus.ALL_UNSCHEDULED}
    ),
    Verb.PAUSE: frozenset({WorkflowStatus.ALL_SCHEDULING, WorkflowStatus.PARTIALLY_SCHEDULING}),
    Verb.OFFLINE: frozenset(set(WorkflowStatus) - {WorkflowStatus.ALL_OFFLINE, WorkflowStatus.DELETED}),
    Verb.DELETE: frozenset({WorkflowStatus.ALL_OFFLINE}),
    Verb.SUBMIT: frozenset(WorkflowStatus),
    Verb.SET_OWNERS: frozenset(set(WorkflowStatus) - {WorkflowStatus.DELETED}),
}

#: effects each gating verb accepts; delete has no default, the source's two deletion methods
DOWNSTREAM_ALLOWED: Mapping[Verb, tuple[Downstream, ...]] = {
    Verb.PAUSE: (Downstream.SKIP, Downstream.RUN, Downstream.FAIL, Downstream.HOLD),
    Verb.OFFLINE: (Downstream.SKIP, Downstream.RUN, Downstream.FAIL),
    Verb.DELETE: (Downstream.RUN, Downstream.FAIL),
}

STRICT_VERBS = frozenset({Verb.PAUSE, Verb.OFFLINE, Verb.DELETE})
GATED_STATES = frozenset({TaskState.PAUSED, TaskState.OFFLINE, TaskState.DELETED})


def shown_status(
    state: TaskState,
    *,
    effective_to: datetime | None,
    dag_is_paused: bool,
    draining: bool,
    now: datetime,
) -> TaskStatus:
    """Return the status a person sees, in the order of requirements 2.

    :param effective_to: the task's ``end_date``, else its Dag's; None when it never expires
    """
    if state is TaskState.DELETED:
        return TaskStatus.DELETED
    if state is TaskState.OFFLINE:
        return TaskStatus.OFFLINE
    if effective_to is not None and effective_to < now:
        return TaskStatus.INVALID
    if state is TaskState.PAUSED or dag_is_paused or draining:
        return TaskStatus.PAUSED
    return TaskStatus.SCHEDULING


def workflow_status(counts: Mapping[TaskStatus, int], *, is_deleted: bool = False) -> WorkflowStatus:
    """Return the status of a workflow from how many of its tasks show each status (deleted ones do not count).

    :param is_deleted: all of its tasks are deleted
    """
    if is_deleted:
        return WorkflowStatus.DELETED
    present = {status for status, count in counts.items() if count and status is not TaskStatus.DELETED}
    uniform = {
        TaskStatus.SCHEDULING: WorkflowStatus.ALL_SCHEDULING,
        TaskStatus.PAUSED: WorkflowStatus.ALL_PAUSED,
        TaskStatus.OFFLINE: WorkflowStatus.ALL_OFFLINE,
        TaskStatus.INVALID: WorkflowStatus.ALL_EXPIRED,
    }
    if len(present) == 1:
        return uniform[present.pop()]
    if TaskStatus.SCHEDULING in present:
        return WorkflowStatus.PARTIALLY_SCHEDULING
    return WorkflowStatus.ALL_UNSCHEDULED


def why_not(verb: Verb, status: TaskStatus) -> str | None:
    """Return why ``verb`` leaves a task of this status alone, or None where it applies."""
    allowed = TASK_MAY_BE[verb]
    if status in allowed:
        return None
    return f"is {status.value}; {verb.value} applies to tasks that are {tasks_wanted(verb)}"


def tasks_wanted(verb: Verb) -> str:
    """Return which tasks a verb applies to: ``offline or deleted``."""
    return " or ".join(status.value for status in TaskStatus if status in TASK_MAY_BE[verb])


def workflow_why_not(verb: Verb, status: WorkflowStatus) -> str | None:
    """Return why the whole-workflow form of ``verb`` is refused, or None where it is allowed."""
    allowed = WORKFLOW_MAY_BE[verb]
    if status in allowed:
        return None
    wanted = ", ".join(s.value for s in WorkflowStatus if s in allowed)
    return f"the workflow is {status.value}; {verb.value} of a whole workflow needs {wanted}"
