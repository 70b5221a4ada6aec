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
    FORCE = "force"
    HOLD = "hold"
    RELEASE = "release"
    TERMINATE = "terminate"
    SET_SUCCESS = "set-success"
    SET_FAILED = "set-failed"


class RunVerb(StrEnum):
    """What can be done to whole runs."""

    HOLD = "hold"
    RELEASE = "release"


class Reach(StrEnum):
    """What is rerun with an instance."""

    NONE = "none"
    #: what is downstream of it in its run
    WORKFLOW = "workflow"
    #: that, and what follows it in other workflows
    EVERYWHERE = "everywhere"


_ENDED = (InstanceStatus.SUCCESS, InstanceStatus.FAILED, InstanceStatus.SKIPPED, InstanceStatus.REMOVED)
GONE_FROM_DAG = "is removed: its task was no longer in the Dag"
#: states in which a try has begun
_BEGUN = frozenset({"running", "restarting", "deferred", "up_for_reschedule", "awaiting_input"})


def has_begun(state: str | None) -> bool:
    """Tell whether an instance is in the middle of a try, which holding it does not stop."""
    return state in _BEGUN


def why_not(verb: InstanceVerb, state: str | None, *, gated: bool) -> str | None:
    """Return why ``verb`` leaves an instance of this state alone, or None where it applies.

    That something is held, or is not, is not looked at.

    :param gated: it waits because its task was stopped when its run was made
    """
    if verb is InstanceVerb.SET_SUCCESS:
        return "is success already" if state == "success" else None
    if verb is InstanceVerb.SET_FAILED:
        return "is failed already" if state == "failed" else None
    if verb is InstanceVerb.RELEASE:
        return None
    status = status_of(state)
    if verb in (InstanceVerb.TERMINATE, InstanceVerb.HOLD):
        return f"is {state}; {verb} applies to instances that have not ended" if status in _ENDED else None
    if status is InstanceStatus.REMOVED:
        return GONE_FROM_DAG
    if verb is InstanceVerb.FORCE:
        started = has_begun(state) or state == "queued"
        return f"is {str(state).replace('_', ' ')}: it has started already" if started else None
    if state in (None, "scheduled", "queued") and not gated:
        return "has not run yet: it runs when its turn comes"
    return None
