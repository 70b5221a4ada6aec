"""The requests of the REST API."""

from __future__ import annotations

from collections.abc import Iterator

from taskops_provider.api import docs_page
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
    LISTS,
    OPEN_WINDOWS,
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

_TASK = "/v1/tasks/{dag}/load"


def rest_requests() -> list[Ask]:
    """Return one request or more for each act and route."""
    return [*_reads(), *_operations(), *_replenishments(), *_alarms(), *_windows(), *_others()]


def _reads() -> Iterator[Ask]:
    yield get("see that TaskOps works; scripts and styles", "/v1/health", of_side=False)
    for path in ("/openapi.json", "/docs"):
        yield get("read the documentation of the API", path, of_side=False)
    for name in docs_page.files().values():
        yield get("read the documentation of the API", "/docs/{name}", f"/docs/{name}", of_side=False)
    for path in (
        "workflows",
        "tasks",
        "operations",
        "replenishments",
        "alarms/rules",
        "alarms/events",
        "windows",
        "windows/export",
        "holds",
        "settings/strict-mode",
        "health/checks",
    ):
        yield get(LISTS, f"/v1/{path}", of_side=False)
    in_summer = "/v1/windows/calendar?begin=2190-06-01T00:00:00Z&end=2190-07-01T00:00:00Z"
    yield get(LISTS, "/v1/windows/calendar", in_summer, of_side=False)
    yield get(ABOUT, "/v1/workflows/{dag_id}", "/v1/workflows/{dag}")
    yield get(ABOUT, "/v1/workflows/{dag_id}/diagram", "/v1/workflows/{dag}/diagram")
    for part in ("", "/lineage", "/why"):
        yield get(ABOUT, f"/v1/tasks/{{dag_id}}/{{task_id}}{part}", f"{_TASK}{part}")
    for part in ("/instances", "/curve"):
        yield get(HISTORY, f"/v1/tasks/{{dag_id}}/{{task_id}}{part}", f"{_TASK}{part}")
    yield get(RECORDS, "/v1/operations/{operation_id}", "/v1/operations/{operation}")
    for part in ("", "/cells"):
        yield get(RECORDS, f"/v1/replenishments/{{replenishment_id}}{part}", f"/v1/replenishments/{{queued}}{part}")
    for part in ("", "/preview"):
        yield get(RECORDS, f"/v1/windows/{{window_id}}{part}", f"/v1/windows/{{window}}{part}")
    yield get(RECORDS, "/v1/alarms/rules/{rule_id}", "/v1/alarms/rules/{rule}")
    yield get(ALARM, "/v1/alarms/events/{event_id}", "/v1/alarms/events/{event}")


def _operations() -> Iterator[Ask]:
    for act, scope, verb, task, options in operations():
        target = {"dag_id": dag_of(act, verb, task)} | ({"task_id": task} if task else {})
        yield Ask(act, f"POST /v1/{scope}/{{verb}}", f"/v1/{scope}/{verb}", {"targets": [target], **options})
    yield Ask("undo", "POST /v1/operations/{operation_id}/undo", "/v1/operations/{operation}/undo", {})
    for one in InstanceVerb:
        yield Ask(
            INSTANCES,
            "POST /v1/tasks/{dag_id}/{task_id}/instances/{verb}",
            f"{_TASK}/instances/{one.value}",
            {"instances": [{"run_id": run_for(one)}]},
            changes=changes_something(one),
        )
    for verb in RunVerb:
        yield Ask(
            RUNS,
            "POST /v1/workflows/{dag_id}/runs/{verb}",
            f"/v1/workflows/{{dag}}/runs/{verb.value}",
            {"run_ids": ["run_0002"]},
            changes=None,
        )


_REPLENISH = {
    "tasks": [{"dag_id": "{dag}", "task_id": "extract"}],
    "ranges": [{"from": "2026-01-01", "to": "2026-01-03"}],
    "cells": ["all"],
}


def _replenishments() -> Iterator[Ask]:
    yield Ask(REPLENISH, "POST /v1/replenishments/plan", "/v1/replenishments/plan", _REPLENISH, changes=False)
    yield Ask(REPLENISH, "POST /v1/replenishments", "/v1/replenishments", _REPLENISH)
    whole = {**_REPLENISH, "workflows": ["{dag}"]}
    del whole["tasks"]
    yield Ask(REPLENISH, "POST /v1/replenishments", "/v1/replenishments", {**whole, "conf": {"full": True}})
    route = "/v1/replenishments/{replenishment_id}/{verb}"
    for verb, state in STATE_FOR.items():
        yield Ask(CONTROL[verb], f"POST {route}", f"/v1/replenishments/{{{state}}}/{verb.value}", {})
    for done in ("pause", "cancel"):
        yield Ask(TAKE_BACK, f"POST {route}", f"/v1/replenishments/{{cleared}}/{done}", {})
    yield Ask(CANCEL_AND_END, f"POST {route}", "/v1/replenishments/{queued}/cancel", {"terminate_instances": True})


_RULE = {"dag_id": "{dag}", "task_id": "load", "kind": "failed", "recipients": {"addresses": ["ops@example.com"]}}


def _alarms() -> Iterator[Ask]:
    rule, event = "/v1/alarms/rules/{rule", "/v1/alarms/events/{event"
    yield Ask(RULES, "POST /v1/alarms/rules", "/v1/alarms/rules", _RULE)
    yield Ask(RULES, "POST /v1/alarms/rules", "/v1/alarms/rules", {**_RULE, "task_id": None})
    yield Ask(RULES, f"PATCH {rule}_id}}", f"{rule}}}", {"level": 3})
    yield Ask(RULES, f"DELETE {rule}_id}}", f"{rule}}}")
    yield Ask(RULES, f"POST {rule}_id}}/test", f"{rule}}}/test", {}, changes=None)
    yield get(RULES, f"{rule}_id}}/test", f"{rule}}}/test")
    for verb in ("acknowledge", "confirm"):
        yield Ask(ACKNOWLEDGE, f"POST {event}_id}}/{verb}", f"{event}}}/{verb}", {})
    on_project = {"project": "{project}", "kind": "failed", "recipients": {"addresses": ["ops@example.com"]}}
    yield Ask(PROJECT_RULES, "POST /v1/alarms/rules", "/v1/alarms/rules", on_project)


_WINDOW = {
    "name": "night",
    "kinds": ["pause"],
    "scope": {"tasks": [{"dag_id": "{dag}", "task_id": "load"}]},
    "times": {"begin": "2190-06-01T00:00:00Z", "end": "2190-06-02T00:00:00Z"},
}
_CALENDAR = "\r\n".join(
    [
        "BEGIN:VCALENDAR",
        "BEGIN:VEVENT",
        "SUMMARY:night",
        "DTSTART:21900601T000000Z",
        "DTEND:21900602T000000Z",
        "END:VEVENT",
        "END:VCALENDAR",
    ]
)


def _windows() -> Iterator[Ask]:
    one = "/v1/windows/{window"
    yield Ask(WINDOWS, "POST /v1/windows", "/v1/windows", _WINDOW)
    yield Ask(WINDOWS, "POST /v1/windows/preview", "/v1/windows/preview", _WINDOW, changes=False)
    imported = {"content": _CALENDAR, "kinds": ["pause"], "scope": _WINDOW["scope"]}
    yield Ask(WINDOWS, "POST /v1/windows/import", "/v1/windows/import", imported)
    yield Ask(WINDOWS, f"PATCH {one}_id}}", f"{one}}}", {"reason": "later"})
    yield Ask(WINDOWS, f"DELETE {one}_id}}", f"{one}}}")
    yield Ask(WINDOWS, "POST /v1/windows/skip-next", "/v1/windows/skip-next", {"workflows": ["{dag}"]})
    for scope in ({"folders": ["x"]}, {"tags": ["x"]}, {"everything": True}):
        yield Ask(OPEN_WINDOWS, "POST /v1/windows", "/v1/windows", {**_WINDOW, "scope": scope}, of_side=False)
    yield Ask(OPEN_WINDOWS, "POST /v1/windows/hold-all", "/v1/windows/hold-all", {}, of_side=False)
    yield Ask(OPEN_WINDOWS, "POST /v1/windows/release-all", "/v1/windows/release-all", {}, of_side=False)


def _others() -> Iterator[Ask]:
    settings = "/v1/settings/strict-mode"
    yield Ask("strict mode", f"PUT {settings}", settings, {"project": "{project}", "strict_mode": True})
    yield Ask("strict mode", f"PUT {settings}", settings, {"project": None, "strict_mode": True}, of_side=False)
    yield Ask(DOWNLOADS, "POST /v1/exports", "/v1/exports", {"kind": "tasks"}, changes=False, of_side=False)
    for part in ("", "/content"):
        yield get(DOWNLOADS, f"/v1/exports/{{export_id}}{part}", f"/v1/exports/{{own_export}}{part}", of_side=False)
