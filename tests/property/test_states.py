"""The state machine against a plain model (requirements 2)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from taskops_provider.domain.states import (
    BECOMES,
    TASK_MAY_BE,
    WORKFLOW_MAY_BE,
    TaskState,
    TaskStatus,
    Verb,
    WorkflowStatus,
    shown_status,
    why_not,
    workflow_status,
    workflow_why_not,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)
statuses = st.lists(st.sampled_from([s for s in TaskStatus if s is not TaskStatus.DELETED]), max_size=8)


@given(
    state=st.sampled_from(TaskState),
    ends=st.sampled_from([None, NOW - timedelta(days=1), NOW + timedelta(days=1)]),
    dag_is_paused=st.booleans(),
    draining=st.booleans(),
)
def test_shown_status_follows_the_order_of_the_spec(state, ends, dag_is_paused, draining):
    shown = shown_status(state, effective_to=ends, dag_is_paused=dag_is_paused, draining=draining, now=NOW)
    # the order of requirements 2, read from the end: each later rule overrides the ones before
    expected = TaskStatus.SCHEDULING
    if state is TaskState.PAUSED or dag_is_paused or draining:
        expected = TaskStatus.PAUSED
    if ends is not None and ends < NOW:
        expected = TaskStatus.INVALID
    if state is TaskState.OFFLINE:
        expected = TaskStatus.OFFLINE
    if state is TaskState.DELETED:
        expected = TaskStatus.DELETED
    assert shown is expected


@given(tasks=statuses)
def test_workflow_status_is_the_one_of_the_seven_that_fits(tasks):
    counts = {status: tasks.count(status) for status in TaskStatus}
    status = workflow_status(counts)
    fits = {
        WorkflowStatus.ALL_SCHEDULING: bool(tasks) and set(tasks) == {TaskStatus.SCHEDULING},
        WorkflowStatus.ALL_PAUSED: bool(tasks) and set(tasks) == {TaskStatus.PAUSED},
        WorkflowStatus.ALL_OFFLINE: bool(tasks) and set(tasks) == {TaskStatus.OFFLINE},
        WorkflowStatus.ALL_EXPIRED: bool(tasks) and set(tasks) == {TaskStatus.INVALID},
        WorkflowStatus.PARTIALLY_SCHEDULING: len(set(tasks)) > 1 and TaskStatus.SCHEDULING in tasks,
        WorkflowStatus.ALL_UNSCHEDULED: len(set(tasks)) != 1 and TaskStatus.SCHEDULING not in tasks,
    }
    assert [s for s, holds in fits.items() if holds] == [status]
    assert workflow_status(counts, is_deleted=True) is WorkflowStatus.DELETED


@given(tasks=statuses, gone=st.integers(0, 5))
def test_deleted_tasks_do_not_count(tasks, gone):
    counts = {status: tasks.count(status) for status in TaskStatus}
    assert workflow_status({**counts, TaskStatus.DELETED: gone}) is workflow_status(counts)


@given(verb=st.sampled_from(list(BECOMES)), status=st.sampled_from(TaskStatus))
def test_a_verb_applies_or_says_why_not(verb, status):
    reason = why_not(verb, status)
    assert (reason is None) == (status in TASK_MAY_BE[verb])
    if reason is not None:
        assert status.value in reason
        assert verb.value in reason
        assert "\n" not in reason


@given(st.data())
def test_any_walk_of_operations_keeps_to_the_table(data):
    """A task's state after any sequence of operations is the model's, and start never leaves offline."""
    state = TaskState.SCHEDULING
    for _ in range(data.draw(st.integers(1, 12))):
        verb = data.draw(st.sampled_from(list(BECOMES)))
        status = shown_status(state, effective_to=None, dag_is_paused=False, draining=False, now=NOW)
        if why_not(verb, status) is None:
            if state in (TaskState.OFFLINE, TaskState.DELETED):
                assert verb in (Verb.SUBMIT, Verb.DELETE)
            state = BECOMES[verb]


@given(tasks=statuses, verb=st.sampled_from(list(BECOMES)))
def test_where_a_workflow_form_is_refused_no_task_could_be_changed(tasks, verb):
    """The preconditions of the whole-workflow forms never forbid what could apply, delete's aside.

    Delete wants all of the workflow offline; the others are refused only where no task is in a fitting state.
    """
    counts = {status: tasks.count(status) for status in TaskStatus}
    refused = workflow_why_not(verb, workflow_status(counts)) is not None
    applicable = any(status in TASK_MAY_BE[verb] for status in tasks)
    if refused and verb is not Verb.DELETE:
        assert not applicable
    assert set(WORKFLOW_MAY_BE) == set(Verb)
