"""How instances of tasks are called and coloured."""

from __future__ import annotations

from collections.abc import Mapping

from taskops_provider.domain.gate import WAITS_IN_GATE
from taskops_provider.domain.instances import InstanceStatus, status_of
from taskops_provider.www.presenters.text import Badge

STATUS_BADGES: Mapping[str, Badge] = {
    InstanceStatus.WAITING_FOR_UPSTREAM: Badge("Waiting for upstream", "grey"),
    InstanceStatus.WAITING_FOR_EVENT: Badge("Waiting for event", "purple"),
    InstanceStatus.AWAITING_EXECUTION: Badge("Awaiting execution", "amber"),
    InstanceStatus.RUNNING: Badge("Running", "blue"),
    InstanceStatus.SUCCESS: Badge("Success", "green"),
    InstanceStatus.FAILED: Badge("Failure", "red"),
    InstanceStatus.SKIPPED: Badge("Skipped", "rust"),
    InstanceStatus.REMOVED: Badge("Removed", "grey"),
}


#: of what people hold
HELD = Badge("Held", "amber")


def state_badge(state: str | None, *, waits: bool = False) -> Badge:
    """Return Airflow's state of an instance in words, in the colour of what it is doing.

    :param waits: in the gate, see :func:`taskops_provider.domain.gate.waits_in_gate`
    """
    if state == "held":
        return HELD
    if waits:
        return Badge(WAITS_IN_GATE.capitalize(), STATUS_BADGES[InstanceStatus.WAITING_FOR_UPSTREAM].tone)
    badge = STATUS_BADGES[status_of(state)]
    return badge if state is None else Badge(state.replace("_", " ").capitalize(), badge.tone)


def name_of(run_id: str, map_index: int, iteration: str | None = None) -> str:
    """Return what an instance is called: its run, with the index of a mapped one or the iteration of a loop."""
    if iteration is not None:
        return f"{run_id} #{iteration}"
    return f"{run_id} [{map_index}]" if map_index >= 0 else run_id
