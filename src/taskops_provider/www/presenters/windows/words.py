"""How windows are called on the pages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from taskops_provider.domain.answers import Json
from taskops_provider.domain.states import Downstream
from taskops_provider.domain.windows.kinds import WindowKind, WindowPurpose

KINDS: Mapping[WindowKind, str] = {
    WindowKind.PAUSE: "Pauses",
    WindowKind.NO_REPLENISH: "No replenishing",
    WindowKind.FREEZE: "Freezes",
}
EFFECTS: Mapping[Downstream, str] = {
    Downstream.SKIP: "instances are skipped",
    Downstream.RUN: "instances count as success",
    Downstream.FAIL: "instances fail",
    Downstream.HOLD: "instances wait until it ends",
}
PURPOSES: Mapping[WindowPurpose, str] = {
    WindowPurpose.WINDOW: "Window",
    WindowPurpose.SKIP_NEXT: "Skipped cycles",
    WindowPurpose.HOLD_ALL: "Hold of all",
}
_PLACES = {"folders": "folder", "projects": "project", "tags": "tag"}


def scope_words(scope: Json) -> list[str]:
    """What a window covers."""
    if scope["everything"]:
        return ["everything"]
    found = [f"task {one['dag_id']} {one['task_id']}" for one in scope["tasks"]]
    found += [f"workflow {one}" for one in scope["workflows"]]
    return found + [f"{noun} {one}" for name, noun in _PLACES.items() for one in scope[name]]


def times_words(times: Json) -> Sequence[str]:
    """When a window is open, as it was written."""
    if "begin" in times:
        return ["once"]
    every = f"cron {times['cron']}" if "cron" in times else f"rule {times.get('rrule', '')}"
    lasts = f"for {times['duration']}" if "duration" in times else f"until {times.get('until', '')}"
    left_out = [f"not on {', '.join(times['exceptions'])}"] if times.get("exceptions") else []
    return [f"{every}, {lasts}, {times.get('zone', 'UTC')}", *left_out]
