"""What the REST API is asked: for every route, what people ask of it and what it refuses."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from taskops_provider.domain.instances import InstanceVerb, RunVerb
from tests.support.api import tasks, workflows


@dataclass(frozen=True)
class Ask:
    """One request.

    :param path: below ``/taskops/v1/``
    :param body: JSON; ``PLAN-HASH`` in it stands for the hash of the answer before
    :param then: further requests, on what this one left behind
    :param method: where it is not the route's
    """

    path: str
    body: Any = None
    user: str | None = "admin"
    content: str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    then: tuple[Ask, ...] = ()
    method: str = ""


def seen_then(path: str, body: dict[str, Any], *, user: str = "admin") -> Ask:
    """Preview, and apply exactly that."""
    applied = Ask(path, {**body, "plan_hash": "PLAN-HASH"}, user)
    return Ask(path, {**body, "dry_run": True}, user, then=(applied,))


Cases = dict[str, dict[str, Ask]]
TWO = tasks("orders.extract", "orders.load")
RANGE = [{"from": "2026-01-31", "to": "2026-02-09"}]
ALARM = {"dag_id": "orders", "task_id": "clean", "kind": "failed", "recipients": {"addresses": ["ops@example.com"]}}
ELSE = "tasks/orders/nothing"

LISTS: Cases = {
    "GET /v1/workflows": {
        "all": Ask("workflows"),
        "a page, sorted": Ask("workflows?order_by=-last_submitted_at&limit=2&offset=1"),
        "filtered": Ask("workflows?owner=ann&period=hour&search=s&status=all_scheduling"),
        "deleted and absent too": Ask("workflows?deleted=true&absent=true&search=gone"),
        "as a viewer": Ask("workflows?search=ledger", user="viewer"),
        "no such parameter": Ask("workflows?colour=red"),
        "no such status": Ask("workflows?status=on_fire"),
        "no such column": Ask("workflows?order_by=colour"),
        "nobody": Ask("workflows", user=None),
        "a token that is none": Ask("workflows", user=None, headers={"Authorization": "Bearer rubbish"}),
    },
    "GET /v1/workflows/{dag_id}": {
        "draining": Ask("workflows/stock"),
        "in a folder": Ask("workflows/ledger"),
        "gone": Ask("workflows/gone"),
        "there is none": Ask("workflows/nothing"),
    },
    "GET /v1/workflows/{dag_id}/diagram": {
        "chain": Ask("workflows/orders/diagram"),
        "there is none": Ask("workflows/nothing/diagram"),
    },
    "GET /v1/tasks": {
        "all": Ask("tasks"),
        "filtered": Ask("tasks?status=paused&owner=bob&dag_id=orders&task_type=BashOperator"),
        "tables": Ask("tasks?target_table=sales&search=u"),
        "a page": Ask("tasks?order_by=-task_id&limit=1&offset=2"),
        "no such period": Ask("tasks?period=fortnight"),
        "limit is no number": Ask("tasks?limit=many"),
    },
    "GET /v1/tasks/{dag_id}/{task_id}": {
        "paused": Ask("tasks/orders/load"),
        "deleted": Ask("tasks/report/send"),
        "outlet": Ask("tasks/sales/sum"),
        "there is none": Ask(ELSE),
    },
    "GET /v1/tasks/{dag_id}/{task_id}/lineage": {
        "both ways": Ask("tasks/sales/sum/lineage?depth=5"),
        "upstream": Ask("tasks/sales/sum/lineage?direction=upstream"),
        "downstream": Ask("tasks/orders/extract/lineage?direction=downstream&depth=1"),
        "too deep": Ask("tasks/sales/sum/lineage?depth=1000"),
        "there is none": Ask(f"{ELSE}/lineage"),
    },
    "GET /v1/tasks/{dag_id}/{task_id}/why": {
        "paused, until a time": Ask("tasks/orders/load/why"),
        "waits": Ask("tasks/orders/clean/why"),
        "in one run": Ask("tasks/ledger/match/why?run_id=run_0035"),
        "draining": Ask("tasks/stock/tell/why"),
        "offline": Ask("tasks/report/render/why"),
        "there is none": Ask(f"{ELSE}/why"),
    },
    "GET /v1/holds": {
        "all": Ask("holds"),
        "there is none": Ask("holds?dag_id=nothing"),
        "no such field": Ask("holds?task_id=load"),
    },
    "GET /v1/tasks/{dag_id}/{task_id}/instances": {
        "all": Ask("tasks/ledger/post/instances"),
        "gated": Ask("tasks/ledger/match/instances?gated=true"),
        "filtered": Ask(
            "tasks/orders/load/instances?state=failed&order_by=start_date&limit=1&logical_date_from=2026-02-01T00:00:00Z"
        ),
        "by what they do": Ask("tasks/orders/clean/instances?status=waiting_for_upstream&status=awaiting_execution"),
        "no such column": Ask("tasks/orders/load/instances?order_by=colour"),
        "there is none": Ask(f"{ELSE}/instances"),
    },
    "GET /v1/tasks/{dag_id}/{task_id}/curve": {
        "last 25": Ask("tasks/ledger/post/curve"),
        "not one of those": Ask("tasks/ledger/post/curve?last=3"),
        "there is none": Ask(f"{ELSE}/curve"),
    },
    "GET /v1/operations": {
        "all": Ask("operations"),
        "of a task": Ask("operations?dag_id=orders&task_id=load&order_by=operation_id"),
        "filtered": Ask(
            "operations?verb=pause&actor=bob&source=api&outcome=success&ticket=&since=2026-02-10T00:00:00Z"
        ),
        "no such column": Ask("operations?order_by=colour"),
        "as a viewer": Ask("operations?limit=2", user="viewer"),
    },
    "GET /v1/operations/{operation_id}": {
        "undone": Ask("operations/1"),
        "undo": Ask("operations/2"),
        "part success": Ask("operations/5"),
        "refused": Ask("operations/9"),
        "strict mode": Ask("operations/10"),
        "alarm rule": Ask("operations/12"),
        "replenishment": Ask("operations/17"),
        "export": Ask("operations/20"),
        "there is none": Ask("operations/999"),
        "no number": Ask("operations/first"),
    },
    "GET /v1/health": {"anyone": Ask("health", user=None)},
    "GET /v1/health/checks": {
        "all": Ask("health/checks"),
        "of some Dags": Ask("health/checks", user="viewer"),
    },
    "GET /v1/settings/strict-mode": {
        "all": Ask("settings/strict-mode"),
        "one": Ask("settings/strict-mode?project=dags-folder"),
        "there is none": Ask("settings/strict-mode?project=nothing"),
    },
    "GET /v1/exports/{export_id}": {
        "ready": Ask("exports/1"),
        "queued": Ask("exports/3"),
        "another's": Ask("exports/1", user="op"),
    },
    "GET /v1/exports/{export_id}/content": {
        "JSON": Ask("exports/1/content"),
        "CSV": Ask("exports/2/content"),
        "not ready": Ask("exports/3/content"),
        "there is none": Ask("exports/999/content"),
    },
    "GET /v1/replenishments": {
        "all": Ask("replenishments"),
        "filtered": Ask("replenishments?state=paused&actor=admin&dag_id=ledger"),
        "by name": Ask("replenishments?name=repair&order_by=created_at&limit=1"),
        "no such state": Ask("replenishments?state=on_fire"),
    },
    "GET /v1/replenishments/{replenishment_id}": {
        "goes on": Ask("replenishments/1"),
        "paused": Ask("replenishments/2"),
        "cancelled": Ask("replenishments/3"),
        "there is none": Ask("replenishments/999"),
    },
    "GET /v1/replenishments/{replenishment_id}/cells": {
        "all": Ask("replenishments/1/cells"),
        "waiting": Ask("replenishments/1/cells?state=waiting&dag_id=ledger&limit=2&offset=1"),
        "there is none": Ask("replenishments/999/cells"),
    },
    "GET /v1/alarms/rules": {
        "all": Ask("alarms/rules"),
        "filtered": Ask("alarms/rules?kind=failed&level=3&enabled=true&search=must"),
        "of a task": Ask("alarms/rules?dag_id=orders&task_id=extract"),
        "no such kind": Ask("alarms/rules?kind=exploded"),
    },
    "GET /v1/alarms/rules/{rule_id}": {
        "with all": Ask("alarms/rules/1"),
        "deadline": Ask("alarms/rules/2"),
        "there is none": Ask("alarms/rules/999"),
    },
    "GET /v1/alarms/events": {
        "all": Ask("alarms/events"),
        "filtered": Ask("alarms/events?rule_id=1&level=3&kind=failed&limit=1"),
        "no such parameter": Ask("alarms/events?colour=red"),
    },
    "GET /v1/alarms/events/{event_id}": {
        "confirmed": Ask("alarms/events/1"),
        "uncertain": Ask("alarms/events/3"),
        "there is none": Ask("alarms/events/999"),
    },
}

CHANGES: Cases = {
    "POST /v1/tasks/start": {
        "seen first": seen_then("tasks/start", {"targets": TWO, "held": "skip"}),
        "gap": Ask("tasks/start", {"targets": tasks("orders.load"), "fill_gap": True}),
        "gap, seen": Ask("tasks/start", {"targets": tasks("orders.load"), "fill_gap": True, "dry_run": True}),
    },
    "POST /v1/tasks/pause": {
        "seen first": seen_then(
            "tasks/pause",
            {
                "targets": tasks("orders.clean", "orders.load", "sales.sum"),
                "downstream": "run",
                "reason": "late",
                "ticket": "OPS-1",
                "resume_at": "2026-02-11T06:00:00Z",
                "notify_owners": True,
            },
        ),
        "ends instances": Ask("tasks/pause", {"targets": tasks("orders.clean"), "terminate_instances": True}),
        "plan has changed": Ask(
            "tasks/pause",
            {"targets": tasks("orders.clean"), "dry_run": True},
            then=(
                Ask("tasks/pause", {"targets": tasks("orders.clean")}),
                Ask("tasks/pause", {"targets": tasks("orders.clean"), "plan_hash": "PLAN-HASH"}),
            ),
        ),
        "no such task": Ask("tasks/pause", {"targets": tasks("orders.nothing")}),
        "resumes in the past": Ask("tasks/pause", {"targets": TWO, "resume_at": "2026-01-01T00:00:00Z"}),
        "owners do not go with it": Ask("tasks/pause", {"targets": TWO, "owners": ["ann"]}),
        "no targets": Ask("tasks/pause", {"targets": []}),
        "no such field": Ask("tasks/pause", {"targets": TWO, "colour": "red"}),
        "no such effect": Ask("tasks/pause", {"targets": TWO, "downstream": "explode"}),
        "two mistakes": Ask("tasks/pause", {"targets": [{"dag_id": "orders"}], "dry_run": "perhaps"}),
        "no JSON": Ask("tasks/pause", content="{", headers={"Content-Type": "application/json"}),
        "no object": Ask("tasks/pause", ["orders"]),
        "not said to be JSON": Ask("tasks/pause", content="targets=orders", headers={"Content-Type": "text/plain"}),
        "as a viewer": Ask("tasks/pause", {"targets": TWO}, user="viewer"),
        "nobody": Ask("tasks/pause", {"targets": TWO}, user=None),
    },
    "POST /v1/tasks/offline": {
        "seen first": seen_then("tasks/offline", {"targets": TWO, "downstream": "skip", "terminate_instances": True}),
        "in strict mode": Ask(
            "settings/strict-mode",
            {"project": "dags-folder", "strict_mode": True},
            method="PUT",
            then=(
                Ask("tasks/offline", {"targets": TWO, "downstream": "skip", "dry_run": True}),
                Ask("tasks/offline", {"targets": tasks("mart.build"), "downstream": "skip"}),
                Ask(
                    "tasks/offline",
                    {"targets": tasks("ledger.match", "ledger.close"), "downstream": "skip", "cascade": True},
                ),
            ),
        ),
    },
    "POST /v1/tasks/delete": {
        "seen first": seen_then(
            "tasks/delete", {"targets": tasks("report.render", "orders.load"), "downstream": "run"}
        ),
        "needs an effect": Ask("tasks/delete", {"targets": tasks("report.render")}),
    },
    "POST /v1/tasks/submit": {
        "seen first": seen_then("tasks/submit", {"targets": tasks("report.render", "report.send"), "reason": "again"}),
    },
    "POST /v1/tasks/set-owners": {
        "seen first": seen_then(
            "tasks/set-owners", {"targets": TWO, "owners": ["lena@example.com", "bob"], "notify_owners": True}
        ),
        "no owners": Ask("tasks/set-owners", {"targets": TWO, "owners": []}),
    },
    "POST /v1/workflows/start": {"seen first": seen_then("workflows/start", {"targets": workflows("stock", "ledger")})},
    "POST /v1/workflows/pause": {
        "seen first": seen_then("workflows/pause", {"targets": workflows("orders", "report"), "downstream": "fail"}),
        "no such workflow": Ask("workflows/pause", {"targets": workflows("nothing")}),
        "a task is no workflow": Ask("workflows/pause", {"targets": TWO}),
    },
    "POST /v1/workflows/offline": {
        "seen first": seen_then("workflows/offline", {"targets": workflows("mart", "gone")})
    },
    "POST /v1/workflows/delete": {
        "seen first": seen_then("workflows/delete", {"targets": workflows("report", "sales"), "downstream": "fail"}),
    },
    "POST /v1/workflows/submit": {"seen first": seen_then("workflows/submit", {"targets": workflows("report")})},
    "POST /v1/workflows/set-owners": {
        "seen first": seen_then("workflows/set-owners", {"targets": workflows("ledger"), "owners": ["erik", "eve"]}),
    },
    "POST /v1/operations/{operation_id}/undo": {
        "seen": Ask("operations/3/undo", {"dry_run": True}),
        "owners": Ask("operations/4/undo", {}),
        "states": Ask("operations/6/undo", {}),
        "undone already": Ask("operations/1/undo", {}),
        "cannot be": Ask("operations/20/undo", {}),
        "there is none": Ask("operations/999/undo", {}),
    },
    "PUT /v1/settings/strict-mode": {
        "one project": Ask("settings/strict-mode", {"project": "dags-folder", "strict_mode": True}),
        "all": Ask("settings/strict-mode", {"project": None, "strict_mode": True}),
        "there is none": Ask("settings/strict-mode", {"project": "nothing", "strict_mode": True}),
        "as a viewer": Ask("settings/strict-mode", {"project": "dags-folder", "strict_mode": True}, user="viewer"),
    },
    "POST /v1/exports": {
        "tasks": Ask("exports", {"kind": "tasks", "format": "csv", "filter": {"status": ["paused"]}}),
        "workflows": Ask("exports", {"kind": "workflows", "format": "json", "filter": {"search": "sales"}}),
        "no kind": Ask("exports", {"format": "csv"}),
        "no such kind": Ask("exports", {"kind": "alarms"}),
        "no such format": Ask("exports", {"kind": "tasks", "format": "xlsx"}),
    },
}

INSTANCES = "tasks/ledger/match/instances"
_OLD = {"instances": [{"run_id": "run_0036"}, {"run_id": "run_0035"}], "reason": "again"}
INSTANCE_CHANGES: Cases = {
    f"POST /v1/tasks/{{dag_id}}/{{task_id}}/instances/{verb}": {
        "seen": Ask(f"{INSTANCES}/{verb}", {**_OLD, "dry_run": True}),
        "done": Ask(f"{INSTANCES}/{verb}", _OLD),
        "no such run": Ask(f"{INSTANCES}/{verb}", {"instances": [{"run_id": "nothing"}]}),
    }
    for verb in InstanceVerb
} | {
    f"POST /v1/workflows/{{dag_id}}/runs/{verb}": {
        "seen": Ask(f"workflows/ledger/runs/{verb}", {"run_ids": ["run_0036"], "dry_run": True}),
        "done": Ask(f"workflows/ledger/runs/{verb}", {"run_ids": ["run_0036"], "reason": "wait"}),
        "no such run": Ask(f"workflows/ledger/runs/{verb}", {"run_ids": ["nothing"]}),
    }
    for verb in RunVerb
}

REPLENISHMENTS: Cases = {
    "POST /v1/replenishments/plan": {
        "workflow": Ask(
            "replenishments/plan", {"workflows": ["stock"], "ranges": [{"from": "2026-01-01", "to": "2026-02-09"}]}
        ),
        "grid": Ask(
            "replenishments/plan",
            {
                "tasks": tasks("orders.load"),
                "ranges": [{"from": "2026-02-08T23:00:00Z", "to": "2026-02-09T02:00:00Z"}],
                "upstream_depth": 1,
                "downstream_depth": 1,
                "cells": ["all"],
                "grid": True,
            },
        ),
        "two ranges": Ask(
            "replenishments/plan",
            {
                "tasks": tasks("ledger.close"),
                "ranges": [*RANGE, {"from": "2026-01-12", "to": "2026-01-13"}],
                "grid": True,
            },
        ),
        "the words of earlier versions": Ask(
            "replenishments/plan", {"tasks": tasks("ledger.close"), "ranges": RANGE, "upstream": 1, "downstream": 1}
        ),
        "no workflow": Ask("replenishments/plan", {"ranges": RANGE}),
        "no such workflow": Ask("replenishments/plan", {"workflows": ["nothing"], "ranges": RANGE}),
        "ends before it begins": Ask(
            "replenishments/plan", {"workflows": ["ledger"], "ranges": [{"from": "2026-02-02", "to": "2026-02-01"}]}
        ),
        "in the future": Ask(
            "replenishments/plan", {"workflows": ["ledger"], "ranges": [{"from": "2999-01-01", "to": "2999-01-02"}]}
        ),
        "no dates": Ask(
            "replenishments/plan", {"workflows": ["ledger"], "ranges": [{"from": "yesterday", "to": "today"}]}
        ),
        "window is none": Ask("replenishments/plan", {"workflows": ["stock"], "ranges": RANGE, "window": "at night"}),
        "without schedule": Ask("replenishments/plan", {"workflows": ["mart"], "ranges": RANGE}),
        "as a viewer": Ask("replenishments/plan", {"workflows": ["ledger"], "ranges": RANGE}, user="viewer"),
    },
    "POST /v1/replenishments": {
        "workflow": Ask(
            "replenishments",
            {
                "workflows": ["stock"],
                "ranges": [{"from": "2026-01-01", "to": "2026-02-09"}],
                "name": "stock again",
                "window": "22:00-06:00",
                "conf": {"full": True},
                "newest_first": True,
                "max_active_runs": 3,
            },
        ),
        "does not wait": Ask(
            "replenishments", {"workflows": ["ledger"], "ranges": RANGE, "cells": ["all"], "if_busy": "refuse"}
        ),
        "does not wait, in the words of earlier versions": Ask(
            "replenishments", {"workflows": ["ledger"], "ranges": RANGE, "cells": ["all"], "queue": False}
        ),
        "nothing to do": Ask(
            "replenishments", {"tasks": tasks("ledger.post"), "ranges": [{"from": "2026-01-31", "to": "2026-02-01"}]}
        ),
    },
    "POST /v1/replenishments/{replenishment_id}/pause": {
        "goes on": Ask("replenishments/1/pause", {"reason": "the database is busy"}),
        "over": Ask("replenishments/3/pause", {}),
        "there is none": Ask("replenishments/999/pause", {}),
    },
    "POST /v1/replenishments/{replenishment_id}/resume": {
        "paused": Ask("replenishments/2/resume", {}),
        "goes on": Ask("replenishments/1/resume", {}),
    },
    "POST /v1/replenishments/{replenishment_id}/cancel": {
        "leaves what runs": Ask("replenishments/1/cancel", {"reason": "wrong"}),
        "ends what runs": Ask("replenishments/1/cancel", {"terminate_instances": True}),
        "over": Ask("replenishments/3/cancel", {}),
        "as a viewer": Ask("replenishments/1/cancel", {}, user="viewer"),
    },
    "POST /v1/replenishments/{replenishment_id}/retry": {
        "cancelled": Ask("replenishments/3/retry", {}),
        "goes on": Ask("replenishments/1/retry", {}),
    },
}

ALARMS: Cases = {
    "POST /v1/alarms/rules": {
        "task": Ask("alarms/rules", ALARM),
        "with all": Ask(
            "alarms/rules",
            {
                "dag_id": "sales",
                "kind": "running_longer_than",
                "level": 2,
                "name": "slow",
                "parameters": {"minutes": 90},
                "recipients": {"owners": True, "users": ["carol"]},
                "channels": [{"channel": "email"}, {"channel": "chat"}],
                "quiet_hours": {"from": "22:00", "to": "07:00", "zone": "Europe/Berlin"},
                "repeat": {"minutes": 15},
                "escalation": {"after": 30, "recipients": {"addresses": ["boss@example.com"]}},
                "enabled": False,
            },
        ),
        "project": Ask(
            "alarms/rules",
            {
                "project": "dags-folder",
                "kind": "not_started_by",
                "parameters": {"time": "08:00"},
                "recipients": {"owners": True},
            },
        ),
        "no kind": Ask("alarms/rules", {**ALARM, "kind": None}),
        "no such kind": Ask("alarms/rules", {**ALARM, "kind": "exploded"}),
        "nobody is told": Ask("alarms/rules", {**ALARM, "recipients": {}}),
        "no address": Ask("alarms/rules", {**ALARM, "recipients": {"addresses": ["ops"]}}),
        "on nothing": Ask("alarms/rules", {"kind": "failed", "recipients": {"owners": True}}),
        "no such task": Ask("alarms/rules", {**ALARM, "task_id": "nothing"}),
        "no time": Ask("alarms/rules", {**ALARM, "kind": "not_finished_by", "parameters": {"time": "noon"}}),
        "no such zone": Ask("alarms/rules", {**ALARM, "quiet_hours": {"from": "22:00", "to": "07:00", "zone": "Mars"}}),
        "no such channel": Ask("alarms/rules", {**ALARM, "channels": [{"channel": "pigeon"}]}),
        "as a viewer": Ask("alarms/rules", ALARM, user="viewer"),
    },
    "PATCH /v1/alarms/rules/{rule_id}": {
        "some": Ask("alarms/rules/1", {"level": 1, "quiet_hours": None, "repeat": {"minutes": 60, "max": 1}}),
        "off": Ask("alarms/rules/2", {"enabled": False}),
        "nothing": Ask("alarms/rules/2", {}),
        "level is none": Ask("alarms/rules/2", {"level": 4}),
        "there is none": Ask("alarms/rules/999", {"level": 1}),
    },
    "DELETE /v1/alarms/rules/{rule_id}": {
        "with what it fired": Ask("alarms/rules/1"),
        "there is none": Ask("alarms/rules/999"),
        "as a viewer": Ask("alarms/rules/1", user="viewer"),
    },
    "GET /v1/alarms/rules/{rule_id}/test": {
        "none yet": Ask("alarms/rules/3/test"),
        "there is none": Ask("alarms/rules/999/test"),
    },
    "POST /v1/alarms/rules/{rule_id}/test": {
        "mail": Ask("alarms/rules/3/test", {}),
        "a channel is down": Ask("alarms/rules/1/test", {}),
        "there is none": Ask("alarms/rules/999/test", {}),
    },
    "POST /v1/alarms/events/{event_id}/acknowledge": {
        "unacknowledged": Ask("alarms/events/2/acknowledge", {}),
        "acknowledged": Ask("alarms/events/1/acknowledge", {}),
        "there is none": Ask("alarms/events/999/acknowledge", {}),
        "as a viewer": Ask("alarms/events/2/acknowledge", {}, user="viewer"),
    },
    "POST /v1/alarms/events/{event_id}/confirm": {
        "open": Ask("alarms/events/2/confirm", {}),
        "confirmed": Ask("alarms/events/1/confirm", {}),
        "there is none": Ask("alarms/events/999/confirm", {}),
    },
}

NIGHT = {
    "name": "night",
    "kinds": ["pause", "no_replenish"],
    "downstream": "hold",
    "scope": {"workflows": ["orders"], "tasks": [{"dag_id": "ledger", "task_id": "post"}]},
    "times": {"cron": "0 22 * * *", "zone": "Europe/Berlin", "until": "06:00", "exceptions": ["2026-02-14"]},
    "reason": "backup",
}
FREEZE = {
    "name": "close",
    "kinds": ["freeze"],
    "scope": {"projects": ["dags-folder"]},
    "times": {"begin": "2026-02-10T09:00:00Z", "end": "2026-02-10T12:00:00Z"},
}
_CALENDAR = (
    "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nSUMMARY:holiday\r\nDTSTART:20260501T000000Z\r\nEND:VEVENT\r\nEND:VCALENDAR"
)


def after_night(path: str, body: Any = None, method: str = "GET") -> Ask:
    """What is asked when there is a window."""
    return Ask("windows", NIGHT, method="POST", then=(Ask(path, body, method=method),))


WINDOWS: Cases = {
    "GET /v1/windows": {
        "none": Ask("windows"),
        "one": after_night("windows?dag_id=orders&kind=pause&open=false"),
        "no such kind": Ask("windows?kind=melt"),
    },
    "POST /v1/windows": {
        "recurring": Ask("windows", NIGHT),
        "open now": Ask("windows", FREEZE, then=(Ask("tasks/pause", {"targets": TWO}),)),
        "no times": Ask("windows", {**NIGHT, "times": {}}),
        "overlaps": Ask("windows", {**NIGHT, "times": {"cron": "0 * * * *", "duration": "2h"}}),
        "no such task": Ask("windows", {**NIGHT, "scope": {"tasks": [{"dag_id": "orders", "task_id": "nothing"}]}}),
        "as a viewer": Ask("windows", NIGHT, user="viewer"),
    },
    "POST /v1/windows/preview": {"two nights": Ask("windows/preview", {**NIGHT, "occurrences": 2})},
    "GET /v1/windows/calendar": {
        "a day": after_night("windows/calendar?begin=2026-02-10T00:00:00Z&end=2026-02-12T00:00:00Z"),
        "too long": Ask("windows/calendar?begin=2026-02-10T00:00:00Z&end=2027-02-11T00:00:00Z"),
    },
    "GET /v1/windows/export": {"one": after_night("windows/export")},
    "POST /v1/windows/import": {
        "one": Ask("windows/import", {"content": _CALENDAR, "kinds": ["freeze"], "scope": {"everything": True}}),
        "no scope": Ask("windows/import", {"content": _CALENDAR, "kinds": ["freeze"]}),
        "no calendar": Ask("windows/import", {"content": "holiday"}),
    },
    "POST /v1/windows/skip-next": {
        "two": Ask("windows/skip-next", {"workflows": ["orders"], "cycles": 2}),
        "no schedule": Ask("windows/skip-next", {"workflows": ["report"]}),
        "as a viewer": Ask("windows/skip-next", {"workflows": ["orders"]}, user="viewer"),
    },
    "POST /v1/windows/hold-all": {
        "a project": Ask("windows/hold-all", {"project": "dags-folder", "reason": "outage"}),
        "as a viewer": Ask("windows/hold-all", {}, user="viewer"),
    },
    "POST /v1/windows/release-all": {
        "in waves": Ask("windows/hold-all", {}, then=(Ask("windows/release-all", {"wave": 2, "every_minutes": 5}),)),
        "nothing is held": Ask("windows/release-all", {}),
    },
    "GET /v1/windows/{window_id}": {"one": after_night("windows/1"), "there is none": Ask("windows/999")},
    "GET /v1/windows/{window_id}/preview": {"one": after_night("windows/1/preview?occurrences=1")},
    "PATCH /v1/windows/{window_id}": {
        "some": after_night("windows/1", {"downstream": "skip", "reason": None}, "PATCH"),
        "there is none": Ask("windows/999", {"enabled": False}),
    },
    "DELETE /v1/windows/{window_id}": {
        "one": after_night("windows/1", method="DELETE"),
        "there is none": Ask("windows/999"),
    },
}

#: a route, with its verb in place of ``{verb}`` -> a name for each request
CASES: Cases = {**LISTS, **CHANGES, **INSTANCE_CHANGES, **REPLENISHMENTS, **ALARMS, **WINDOWS}
