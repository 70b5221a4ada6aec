"""The requests of the pages and their dialogs."""

from __future__ import annotations

from collections.abc import Iterator

from taskops_provider.domain.instances import InstanceVerb, RunVerb
from tests.contract.walk.requests import (
    ABOUT,
    ACKNOWLEDGE,
    ALARM,
    CANCEL_AND_END,
    CONTROL,
    DOWNLOADS,
    HISTORY,
    INSTANCES,
    LATER,
    LISTS,
    OPEN_WINDOWS,
    OPERATE,
    PROJECT_RULES,
    RECORDS,
    REPLENISH,
    RULES,
    RUNS,
    STATE_FOR,
    TAKE_BACK,
    WINDOWS,
    Ask,
    changes_something,
    dag_of,
    get,
    operations,
    run_for,
)


def page_requests() -> list[Ask]:
    """Return one request or more for each act and route."""
    return [*_reads(), *_operations(), *_replenishments(), *_alarms(), *_windows(), *_others()]


def _reads() -> Iterator[Ask]:
    yield get(
        "see that TaskOps works; scripts and styles", "/static/<path:filename>", "/static/icon-light.svg", of_side=False
    )
    lists = ("", "workflows", "tasks", "folders", "owners?q=o", "operations", "replenishments")
    for path in (*lists, "replenishments/progress?row={queued}.Queued", "alarms", "alarm_rules", "windows", "settings"):
        yield get(LISTS, f"/{path.partition('?')[0]}", f"/{path}", of_side=False)
    for page in ("workflow", "workflow/summary", "workflow/bar", "diagram", "diagram/part"):
        yield get(ABOUT, f"/{page}", f"/{page}?dag_id={{dag}}")
    for view, act in {"info": ABOUT, "lineage": ABOUT, "history": HISTORY, "curve": HISTORY}.items():
        yield get(act, "/task", f"/task?dag_id={{dag}}&task_id=load&view={view}")
    yield get(ABOUT, "/task/why", "/task/why?dag_id={dag}&task_id=load")
    for page, number in {
        "operation": "operation",
        "replenishment": "queued",
        "replenishment/progress": "queued",
    }.items():
        yield get(RECORDS, f"/{page}", f"/{page}?id={{{number}}}")
    yield get(ALARM, "/alarm", "/alarm?id={event}")
    yield get(DOWNLOADS, "/operation/download", "/operation/download?id={own_download}", of_side=False)


def _operations() -> Iterator[Ask]:
    for act, scope, verb, task, options in operations():
        target = " ".join(filter(None, (dag_of(act, verb, task), task)))
        # a box that is ticked; the names of owners have a field of their own
        fields = {name: "on" if value is True else value for name, value in options.items()}
        if owners := fields.pop("owners", None):
            fields["owner"] = owners
        fields = {name: value.removesuffix(":00Z") if value == LATER else value for name, value in fields.items()}
        yield Ask(act, f"POST /change/{scope}/{{verb}}", f"/change/{scope}/{verb}", {"target": target, **fields})
    yield Ask("undo", "POST /undo", "/undo", {"operation_id": "{operation}"})
    for one in InstanceVerb:
        fields = {"dag_id": "{dag}", "task_id": "load", "target": f"-1 {run_for(one)}"}
        yield Ask(
            INSTANCES,
            "POST /instances/{verb}",
            f"/instances/{one.value}",
            fields,
            changes=changes_something(one),
        )
    for verb in RunVerb:
        fields = {"dag_id": "{dag}", "target": "run_0002"}
        yield Ask(RUNS, "POST /runs/{verb}", f"/runs/{verb.value}", fields, changes=None)


_DAYS = {"from": "2026-01-01T00:00", "to": "2026-01-03T00:00", "cells": "all"}


def _replenishments() -> Iterator[Ask]:
    of_run = {"dag_id": "{dag}", "task_id": "extract", "target": "-1 run_0000"}
    for path, fields in {"tasks": {"target": "{dag} extract"}, "workflows": {"target": "{dag}"}}.items():
        yield Ask(REPLENISH, f"POST /replenish/{path}", f"/replenish/{path}", {**fields, **_DAYS})
    yield Ask(REPLENISH, "POST /replenish/instances", "/replenish/instances", of_run, changes=False, apply=False)
    route = "POST /replenishment/{verb}"
    for verb, state in STATE_FOR.items():
        yield Ask(CONTROL[verb], route, f"/replenishment/{verb.value}", {"target": f"{{{state}}}"})
    for done in ("pause", "cancel"):
        yield Ask(TAKE_BACK, route, f"/replenishment/{done}", {"target": "{cleared}"})
    yield Ask(CANCEL_AND_END, route, "/replenishment/cancel", {"target": "{queued}", "running": "end"})


_RULE_FIELDS = {
    "kind": "failed",
    "on": "retries_exhausted",
    "level": "1",
    "owners": "on",
    "channel": "email",
    "enabled": "on",
}
_ON_TASK = {"target": "{dag} load", "scope": "task", "dag_id": "{dag}", "task_id": "load"}


def _alarms() -> Iterator[Ask]:
    new = "/alarm_rules/new"
    yield Ask(RULES, f"POST {new}/tasks", f"{new}/tasks", {**_RULE_FIELDS, **_ON_TASK})
    on_workflow = {"target": "{dag}", "scope": "workflow", "dag_id": "{dag}"}
    yield Ask(RULES, f"POST {new}/workflows", f"{new}/workflows", {**_RULE_FIELDS, **on_workflow})
    on_rule = {"scope": "task", "dag_id": "{dag}", "task_id": "extract", "target": "{rule}"}
    yield Ask(RULES, "POST /alarm_rules/edit", "/alarm_rules/edit", {**_RULE_FIELDS, **on_rule, "level": "2"})
    yield Ask(RULES, "POST /alarm_rules/test", "/alarm_rules/test", {"target": "{rule}"}, changes=None)
    yield get(RULES, "/alarm_rules/tested", "/alarm_rules/tested?id={rule}")
    for verb in ("disable", "delete"):
        yield Ask(RULES, "POST /alarm_rules/{verb}", f"/alarm_rules/{verb}", {"target": "{rule}"})
    yield Ask(ACKNOWLEDGE, "POST /alarms/confirm", "/alarms/confirm", {"target": "{event}"})
    on_project = {**_RULE_FIELDS, "scope": "project", "project": "{project}"}
    yield Ask(PROJECT_RULES, f"POST {new}", new, on_project)


_WINDOW_FIELDS = {
    "step": "apply",
    "name": "night",
    "kind": "pause",
    "tasks": "{dag} load",
    "begin": "2190-06-01T00:00",
    "end": "2190-06-02T00:00",
    "enabled": "on",
}


def _windows() -> Iterator[Ask]:
    yield Ask(WINDOWS, "POST /windows/new", "/windows/new", _WINDOW_FIELDS, apply=False)
    edited = {**_WINDOW_FIELDS, "id": "{window}"}
    yield Ask(WINDOWS, "POST /windows/edit", "/windows/edit", edited, apply=False)
    yield Ask(WINDOWS, "POST /windows/delete", "/windows/delete", {"id": "{window}", "step": "apply"}, apply=False)
    everything = {**_WINDOW_FIELDS, "tasks": "", "everything": "on"}
    yield Ask(OPEN_WINDOWS, "POST /windows/new", "/windows/new", everything, apply=False, of_side=False)


def _others() -> Iterator[Ask]:
    columns = {"list": "tasks", "column": ["status", "owners"], "shown": ["status"]}
    yield Ask("choose columns", "POST /columns", "/columns", columns, apply=False, of_side=False)
    asked = {"list": "tasks", "matching": "?", "format": "csv"}
    yield Ask(DOWNLOADS, "POST /exports", "/exports", asked, changes=False, apply=False, of_side=False)
    yield Ask("strict mode", "POST /settings", "/settings", {"project": "{project}", "strict_mode": "on"})


def in_part() -> Iterator[Ask]:
    """Requests about both groups of Dags, which who may change the first alone is allowed there."""
    both = ["orders load", "vault load"]
    yield Ask(
        OPERATE,
        "POST /v1/tasks/{verb}",
        "/v1/tasks/pause",
        {"targets": [dict(zip(("dag_id", "task_id"), one.split(), strict=True)) for one in both]},
    )
    yield Ask(OPERATE, "POST /change/tasks/{verb}", "/change/tasks/pause", {"target": both})
    yield Ask(OPERATE, "POST /change/workflows/{verb}", "/change/workflows/pause", {"target": ["orders", "vault"]})
    yield Ask(ACKNOWLEDGE, "POST /alarms/confirm", "/alarms/confirm", {"matching": "?"})
