"""Bodies that the documentation offers to try."""

from __future__ import annotations

from typing import Any

from fastapi.openapi.models import Example

_TASK = [{"dag_id": "orders", "task_id": "clean"}]
_WORKFLOW = [{"dag_id": "orders"}]
_NOTHING_CHANGES = "Nothing is changed; the answer has a `plan_hash` to apply exactly this."


def _example(summary: str, description: str = "", **body: Any) -> Example:
    return {"summary": summary, "description": description, "value": body}


TASK_CHANGES: dict[str, Example] = {
    "preview": _example("Preview of any verb", _NOTHING_CHANGES, targets=_TASK, reason="maintenance", dry_run=True),
    "pause": _example(
        "pause until tomorrow, what follows runs",
        targets=_TASK,
        reason="source system is down",
        ticket="OPS-4711",
        downstream="run",
        resume_at="2030-12-24T06:00:00+01:00",
    ),
    "start": _example("start, and skip what was held", targets=_TASK, held="skip"),
    "offline": _example("offline, ending what runs", targets=_TASK, reason="replaced", terminate_instances=True),
    "delete": _example("delete, what follows fails", "An offline task.", targets=_TASK, downstream="fail"),
    "submit": _example("resubmit", "An offline or deleted task.", targets=_TASK),
    "set-owners": _example("set-owners", targets=_TASK, owners=["ann", "bob"]),
}

WORKFLOW_CHANGES: dict[str, Example] = {
    "preview": _example("Preview of any verb", _NOTHING_CHANGES, targets=_WORKFLOW, dry_run=True),
    "pause": _example(
        "pause", "No new runs; those under way run to their end.", targets=_WORKFLOW, reason="month-end freeze"
    ),
    "offline": _example(
        "offline in strict mode", "In waves, the tasks without downstream tasks first.", targets=_WORKFLOW, cascade=True
    ),
    "delete": _example("delete, what follows runs", "All its tasks are offline.", targets=_WORKFLOW, downstream="run"),
    "set-owners": _example("set-owners", "Of the workflow itself.", targets=_WORKFLOW, owners=["ann"]),
}

EXPORTS: dict[str, Example] = {
    "tasks": _example("Stopped tasks, as CSV", kind="tasks", format="csv", filter={"status": ["paused", "offline"]}),
    "workflows": _example(
        "Workflows of one owner, as JSON", kind="workflows", format="json", filter={"owner": ["ann"]}
    ),
}

# FastAPI leaves nulls out of examples, so none has the "project": null of every project
STRICT_MODE: dict[str, Example] = {
    "on": _example("on for one project", project="dags-folder", strict_mode=True),
    "off": _example("off for one project", project="dags-folder", strict_mode=False),
}
