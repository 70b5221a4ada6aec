"""Task instances in the words of the source (requirements 1): six statuses, with skipped and removed beside them."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class InstanceStatus(StrEnum):
    """What an instance is doing."""

    WAITING_FOR_UPSTREAM = "waiting_for_upstream"
    WAITING_FOR_EVENT = "waiting_for_event"
    AWAITING_EXECUTION = "awaiting_execution"
    RUNNING = "running"
    SUCCESS = "success"
    FAILED = "failed"
    SKIPPED = "skipped"
    REMOVED = "removed"


#: Airflow's state of an instance (None: it has none yet) -> what it is doing
STATUS_OF_STATE: Mapping[str | None, InstanceStatus] = {
    None: InstanceStatus.WAITING_FOR_UPSTREAM,
    "deferred": InstanceStatus.WAITING_FOR_EVENT,
    "up_for_reschedule": InstanceStatus.WAITING_FOR_EVENT,
    "awaiting_input": InstanceStatus.WAITING_FOR_EVENT,
    "scheduled": InstanceStatus.AWAITING_EXECUTION,
    "queued": InstanceStatus.AWAITING_EXECUTION,
    "up_for_retry": InstanceStatus.AWAITING_EXECUTION,
    "running": InstanceStatus.RUNNING,
    "restarting": InstanceStatus.RUNNING,
    "success": InstanceStatus.SUCCESS,
    "failed": InstanceStatus.FAILED,
    "upstream_failed": InstanceStatus.FAILED,
    "skipped": InstanceStatus.SKIPPED,
    "removed": InstanceStatus.REMOVED,
}


def status_of(state: str | None) -> InstanceStatus:
    """Return what an instance in a state of Airflow's is doing; unknown states count as waiting for events."""
    return STATUS_OF_STATE.get(state, InstanceStatus.WAITING_FOR_EVENT)


class InstanceVerb(StrEnum):
    """What can be done to single instances."""

    RERUN = "rerun"
    TERMINATE = "terminate"
    SET_SUCCESS = "set-success"
    SET_FAILED = "set-failed"


def why_not(verb: InstanceVerb, state: str | None, *, gated: bool) -> str | None:
    """Return why ``verb`` leaves an instance of this state alone, or None where it applies.

    :param gated: it waits because its task was stopped when its run was made
    """
    if verb is InstanceVerb.SET_SUCCESS:
        return "is success already" if state == "success" else None
    if verb is InstanceVerb.SET_FAILED:
        return "is failed already" if state == "failed" else None
    status = status_of(state)
    if verb is InstanceVerb.TERMINATE:
        ended = (InstanceStatus.SUCCESS, InstanceStatus.FAILED, InstanceStatus.SKIPPED, InstanceStatus.REMOVED)
        return f"is {state}; terminate applies to instances that have not ended" if status in ended else None
    if status is InstanceStatus.REMOVED:
        return "is removed: its task was no longer in the Dag"
    if state in (None, "scheduled", "queued") and not gated:
        return "has not run yet: it runs when its turn comes"
    return None
