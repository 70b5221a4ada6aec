"""What the pages are asked: for every page the ways it is looked at, for every dialog its steps and refusals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from taskops_provider.domain.instances import InstanceVerb, RunVerb


@dataclass(frozen=True)
class Look:
    """One page, or a part of one.

    :param path: below ``/taskops/``, with its query
    :param fields: of a form that is sent; ``PLAN-HASH`` stands for that of the answer before. None: it is read
    :param is_part: whether a script asks, for a part of a page
    :param then: what is sent next, on what this one left behind
    """

    path: str
    fields: Mapping[str, str | list[str]] | None = None
    user: str | None = "admin"
    is_part: bool = True
    headers: Mapping[str, str] = field(default_factory=dict)
    then: tuple[Look, ...] = ()


Cases = dict[str, dict[str, Look]]
_DONE = {"step": "apply", "part": "plan", "plan_hash": "PLAN-HASH"}


def page(path: str, **more: str | None) -> Look:
    """A whole page."""
    return Look(path, is_part=False, user=more.get("user", "admin"))


def dialog(path: str, **fields: str | list[str]) -> Look:
    """What a dialog shows, and what comes of confirming it."""
    return Look(path, fields, then=(Look(path, {**fields, **_DONE}),))


def sent(path: str, user: str = "admin", **fields: str | list[str]) -> Look:
    """A form, sent once."""
    return Look(path, fields, user)


PAGES: Cases = {
    "GET /": {"the workflows": page("?q=nothing")},
    "GET /workflows": {
        "all": page("workflows"),
        "filtered": page("workflows?q=s&owner=ann&period=hour&status=all_scheduling&sort=-dag_id"),
        "problems": page("workflows?status=on_fire&sort=colour&page=x&q=nothing&folder=dags-folder/finance"),
        "a viewer": page("workflows?q=ledger", user="viewer"),
        "nobody": page("workflows", user=None),
        "nobody, a part": Look("workflows", user=None),
    },
    "GET /tasks": {
        "filtered": page("tasks?q=l&dag_id=orders&status=paused&owner=bob"),
        "the tab of a Dag": page("tasks?tab=dag&dag_id=mart"),
        "problems": page("tasks?status=on_fire&period=fortnight&q=nothing"),
    },
    "GET /workflow": {
        "draining": page("workflow?dag_id=stock"),
        "offline": page("workflow?dag_id=report"),
        "there is none": page("workflow?dag_id=nothing"),
    },
    "GET /workflow/summary": {"orders": Look("workflow/summary?dag_id=orders")},
    "GET /workflow/bar": {"stock": Look("workflow/bar?dag_id=stock&tab=dag")},
    "GET /diagram": {"page": page("diagram?dag_id=report"), "there is none": page("diagram?dag_id=nothing")},
    "GET /diagram/part": {"orders": Look("diagram/part?dag_id=orders")},
    "GET /task": {
        "info": page("task?dag_id=orders&task_id=load&view=info"),
        "lineage": page("task?dag_id=sales&task_id=sum&view=lineage&embedded=1"),
        "lineage as a list": Look("task?dag_id=sales&task_id=sum&view=lineage&mode=list&status=scheduling"),
        "history": Look("task?dag_id=ledger&task_id=match&view=history&status=gated&status=failed"),
        "curve": Look("task?dag_id=ledger&task_id=post&view=curve&last=7"),
        "there is none": page("task?dag_id=orders&task_id=nothing"),
        "a group": page("task?embedded=1&dag_id=orders&task_id={TASK_ID}"),
    },
    "GET /task/why": {
        "paused": Look("task/why?dag_id=orders&task_id=load"),
        "in a run": Look("task/why?dag_id=ledger&task_id=match&run_id=run_0035"),
        "there is none": Look("task/why?dag_id=orders&task_id=nothing"),
    },
    "GET /folders": {
        "at the top": Look("folders"),
        "in one": Look("folders?under=dags-folder"),
        "found": Look("folders?q=fin"),
    },
    "GET /owners": {
        "for a filter": Look("owners?q=a&for=filter"),
        "for a dialog": Look("owners?q=e"),
        "nothing": Look("owners?q=nothing"),
    },
    "GET /operations": {
        "all": page("operations"),
        "filtered": Look(
            "operations?verb=pause&actor=bob&source=api&outcome=success&since=2026-02-10T00:00&zone=Europe/Berlin"
        ),
        "problems": Look("operations?source=moon&since=never&verb=explode"),
    },
    "GET /operation": {
        "part success": page("operation?id=5"),
        "undone": Look("operation?id=1"),
        "refused": Look("operation?id=9&outcome=blocked"),
        "strict mode": Look("operation?id=10"),
        "alarm rule": Look("operation?id=12"),
        "replenishment": Look("operation?id=17"),
        "export": Look("operation?id=20"),
        "there is none": page("operation?id=999"),
        "no number": Look("operation?id=first"),
    },
    "GET /operation/download": {"ready": Look("operation/download?id=20"), "queued": Look("operation/download?id=22")},
    "GET /replenishments": {
        "all": page("replenishments"),
        "filtered": Look("replenishments?state=paused&actor=admin&name=ledger&since=2026-02-10T00:00"),
        "nothing": Look("replenishments?name=nothing&state=on_fire"),
    },
    "GET /replenishments/progress": {
        "rows": Look("replenishments/progress?row=1.Queued&row=2.Paused"),
        "no row": Look("replenishments/progress?row=x"),
    },
    "GET /replenishment": {
        "goes on": page("replenishment?id=1"),
        "failed ones": Look("replenishment?id=1&show=failed"),
        "cancelled": Look("replenishment?id=3"),
        "there is none": page("replenishment?id=999"),
    },
    "GET /replenishment/progress": {"all": Look("replenishment/progress?id=1&cycles=1")},
    "GET /alarms": {
        "all": page("alarms"),
        "filtered": Look("alarms?kind=failed&level=3&state=confirmed&dag_id=orders&task_id=load"),
        "nothing": Look("alarms?kind=succeeded&level=9"),
    },
    "GET /alarm": {
        "confirmed": page("alarm?id=1"),
        "uncertain": Look("alarm?id=3"),
        "there is none": Look("alarm?id=999"),
    },
    "GET /windows": {
        "none": page("windows"),
        "a month": page("windows?view=month&month=2026-03&zone=Europe/Berlin"),
        "no such view": page("windows?view=year"),
    },
    "GET /alarm_rules/tested": {
        "none yet": Look("alarm_rules/tested?id=1"),
        "no such rule": Look("alarm_rules/tested?id=999"),
    },
    "GET /alarm_rules": {
        "all": page("alarm_rules"),
        "one": Look("alarm_rules?rule=1"),
        "a viewer": Look("alarm_rules?q=must&kind=failed", user="viewer"),
    },
    "GET /settings": {"admin": page("settings"), "a viewer": Look("settings", user="viewer")},
}

_TWO = ["orders clean", "orders load"]
CHANGES: Cases = {
    "POST /change/tasks/start": {
        "dialog": dialog("change/tasks/start", target=_TWO, held="skip"),
        "gap": Look("change/tasks/start", {"target": "orders load", "fill_gap": "on", "part": "plan"}),
    },
    "POST /change/tasks/pause": {
        "dialog": dialog("change/tasks/pause", target=_TWO),
        "options": Look(
            "change/tasks/pause",
            {"target": _TWO, "downstream": "run", "resume_at": "2026-02-11T06:00", "zone": "Europe/Berlin",
             "reason": "late\r\nagain", "ticket": "OPS-1", "notify_owners": "on", "terminate_instances": "on",
             "step": "apply", "part": "plan"},
        ),
        "all that match": dialog("change/tasks/pause", matching="?owner=bob"),
        "nothing matches": sent("change/tasks/pause", matching="?q=nothing"),
        "a filter that is none": sent("change/tasks/pause", matching="?status=on_fire"),
        "nothing": sent("change/tasks/pause"),
        "both": sent("change/tasks/pause", matching="?", target=_TWO),
        "no target": sent("change/tasks/pause", target="orders"),
        "no such task": sent("change/tasks/pause", target="orders nothing"),
        "no such effect": sent("change/tasks/pause", target=_TWO, part="plan", downstream="explode"),
        "no such zone": sent("change/tasks/pause", target=_TWO, part="plan", resume_at="2026-02-11T06:00", zone="Mars"),
        "in the past": sent("change/tasks/pause", target=_TWO, part="plan", resume_at="2026-01-01T00:00"),
        "no such step": sent("change/tasks/pause", target=_TWO, step="jump"),
        "no box": sent("change/tasks/pause", target=_TWO, notify_owners="perhaps"),
        "plan has changed": sent("change/tasks/pause", target=_TWO, **{**_DONE, "plan_hash": f"1.{'0' * 40}"}),
        "a viewer": sent("change/tasks/pause", "viewer", target=_TWO),
        "no token": Look("change/tasks/pause", {"target": _TWO}, headers={"X-TaskOps-CSRF": "rubbish"}),
        "nobody": Look("change/tasks/pause", {"target": _TWO}, user=None),
    },
    "POST /change/tasks/offline": {"dialog": dialog("change/tasks/offline", target="orders load", downstream="skip")},
    "POST /change/tasks/delete": {
        "not chosen yet": sent("change/tasks/delete", target="report render"),
        "dialog": dialog("change/tasks/delete", target=["report render", "orders load"], downstream="run"),
    },
    "POST /change/tasks/submit": {"dialog": dialog("change/tasks/submit", target=["report render", "report send"])},
    "POST /change/tasks/set-owners": {
        "not chosen yet": sent("change/tasks/set-owners", target="orders load"),
        "dialog": dialog(
            "change/tasks/set-owners", target="orders load", owner=["lena@example.com", "bob"], notify_owners="on"
        ),
    },
    "POST /change/workflows/start": {"dialog": dialog("change/workflows/start", target=["stock", "ledger"])},
    "POST /change/workflows/pause": {
        "dialog": dialog("change/workflows/pause", target=["orders", "report"], downstream="hold"),
        "no such workflow": sent("change/workflows/pause", target="nothing"),
    },
    "POST /change/workflows/offline": {"dialog": dialog("change/workflows/offline", target="mart")},
    "POST /change/workflows/delete": {"dialog": dialog("change/workflows/delete", target="report", downstream="fail")},
    "POST /change/workflows/submit": {"dialog": dialog("change/workflows/submit", target="report")},
    "POST /change/workflows/set-owners": {
        "dialog": dialog("change/workflows/set-owners", target="ledger", owner="erik"),
    },
    "POST /undo": {
        "dialog": Look("undo", {"operation_id": "3"}, then=(Look("undo", {"operation_id": "3", "step": "apply"}),)),
        "undone already": sent("undo", operation_id="1"),
        "no number": sent("undo", operation_id="first"),
    },
    "POST /settings": {
        "on": Look(
            "settings", {"project": "dags-folder", "strict_mode": "on"},
            then=(
                Look("settings", {"project": "dags-folder", "strict_mode": "on", "step": "apply"}),
                Look("change/tasks/offline", {"target": ["orders extract", "mart build"], "downstream": "skip"}),
            ),
        ),
        "no such value": sent("settings", project="dags-folder", strict_mode="perhaps"),
        "no such project": sent("settings", project="nothing", strict_mode="on"),
        "a viewer": sent("settings", "viewer", project="dags-folder", strict_mode="on"),
    },
    "POST /columns": {
        "chosen": sent("columns", list="tasks", column=["status", "owners"], shown=["status"]),
        "reset": sent("columns", list="tasks", reset="1"),
        "no such column": sent("columns", list="tasks", column="colour"),
    },
    "POST /exports": {
        "tasks": sent("exports", list="tasks", matching="?status=paused", format="csv"),
        "no such list": sent("exports", list="alarms", format="csv"),
        "no such format": sent("exports", list="workflows", format="xlsx"),
    },
}  # fmt: skip

_INSTANCES = {"dag_id": "ledger", "task_id": "match", "target": ["-1 run_0036", "-1 run_0035"]}
INSTANCES: Cases = {
    f"POST /instances/{verb}": {
        "dialog": Look(
            f"instances/{verb}", _INSTANCES, then=(Look(f"instances/{verb}", {**_INSTANCES, "step": "apply"}),)
        ),
        "no instance": Look(f"instances/{verb}", {**_INSTANCES, "target": "run_0036"}),
    }
    for verb in InstanceVerb
} | {
    f"POST /runs/{verb}": {
        "dialog": Look(f"runs/{verb}", {"dag_id": "ledger", "target": "run_0036"}),
        "no run": Look(f"runs/{verb}", {"dag_id": "ledger", "target": "nothing"}),
    }
    for verb in RunVerb
}

_RANGE = {"from": "2026-02-08T00:00", "to": "2026-02-09T00:00", "part": "plan"}
_ALARM = {
    "step": "apply",
    "kind": "failed",
    "on": "retries_exhausted",
    "level": "1",
    "owners": "on",
    "channel": "email",
}
_ON_CLEAN = {"target": "orders clean", "scope": "task", "dag_id": "orders", "task_id": "clean"}
_RULE = "alarm_rules"
_WINDOW = {
    "name": "night",
    "kind": ["pause", "freeze"],
    "workflows": "orders",
    "tasks": "ledger post",
    "cron": "0 22 * * *",
    "zone": "Europe/Berlin",
    "until": "06:00",
    "reason": "backup",
    "enabled": "on",
}


def after_window(path: str, **fields: str | list[str]) -> Look:
    """What a dialog shows when there is a window."""
    return Look("windows/new", {**_WINDOW, "step": "apply"}, then=(Look(path, fields),))


OTHERS: Cases = {
    "POST /windows/new": {
        "dialog": sent("windows/new"),
        "preview": Look("windows/new", {**_WINDOW, "step": "preview"}),
        "made": Look("windows/new", {**_WINDOW, "step": "apply"}, then=(page("windows"),)),
        "no cron": Look("windows/new", {**_WINDOW, "step": "apply", "cron": "often"}),
        "a viewer": Look("windows/new", {**_WINDOW, "step": "apply"}, user="viewer"),
    },
    "POST /windows/edit": {
        "dialog": after_window("windows/edit", id="1"),
        "changed": after_window("windows/edit", **{**_WINDOW, "id": "1", "kind": "freeze", "step": "apply"}),
        "there is none": sent("windows/edit", id="999"),
    },
    "POST /windows/delete": {
        "dialog": after_window("windows/delete", id="1"),
        "deleted": after_window("windows/delete", id="1", step="apply"),
    },
    "POST /replenish/tasks": {
        "dialog": sent("replenish/tasks", target=["ledger post", "ledger close"]),
        "made": Look(
            "replenish/tasks",
            {"target": "ledger close", **_RANGE},
            then=(
                Look(
                    "replenish/tasks",
                    {
                        "target": "ledger close",
                        **_RANGE,
                        **_DONE,
                        "name": "again",
                        "window": "22:00-06:00",
                        "conf": '{"full": true}',
                        "order": "newest",
                        "max_active_runs": "2",
                    },
                ),
            ),
        ),
        "no range": Look("replenish/tasks", {"target": "ledger close", "part": "plan"}),
        "no date": Look("replenish/tasks", {"target": "ledger close", **_RANGE, "from": "never"}),
        "no conf": Look("replenish/tasks", {"target": "ledger close", **_RANGE, "conf": "full"}),
        "nothing to do": Look("replenish/tasks", {"target": "ledger post", **_RANGE, "cells": "failed"}),
    },
    "POST /replenish/workflows": {"dialog": sent("replenish/workflows", target="stock", zone="Europe/Berlin")},
    "POST /replenish/instances": {
        "dialog": Look("replenish/instances", _INSTANCES),
        "nothing": Look("replenish/instances", {**_INSTANCES, "target": []}),
    },
    **{
        f"POST /replenishment/{verb}": {
            "dialog": Look(
                f"replenishment/{verb}",
                {"target": number},
                then=(
                    Look(
                        f"replenishment/{verb}", {"target": number, "step": "apply", "reason": "so", "running": "end"}
                    ),
                ),
            ),
            "cannot be": Look(f"replenishment/{verb}", {"target": other}),
        }
        for verb, number, other in (
            ("pause", "1", "3"),
            ("resume", "2", "1"),
            ("cancel", "1", "3"),
            ("retry", "3", "1"),
        )
    },
    "POST /alarms/confirm": {
        "dialog": Look(
            "alarms/confirm",
            {"target": ["2", "3"]},
            then=(Look("alarms/confirm", {"target": ["2", "3"], "step": "apply"}),),
        ),
        "all that match": sent("alarms/confirm", matching="?state=open"),
        "confirmed": sent("alarms/confirm", target="1"),
    },
    f"POST /{_RULE}/new": {
        "dialog": sent(f"{_RULE}/new"),
        "on a project": Look(f"{_RULE}/new", {**_ALARM, "scope": "project", "project": "dags-folder"}),
        "on nothing": Look(f"{_RULE}/new", {**_ALARM, "scope": "task"}),
        "no such scope": Look(f"{_RULE}/new", _ALARM),
    },
    f"POST /{_RULE}/new/tasks": {
        "dialog": sent(f"{_RULE}/new/tasks", target="orders clean"),
        "made": Look(
            f"{_RULE}/new/tasks",
            {
                **_ALARM,
                **_ON_CLEAN,
                "name": "late",
                "kind": "not_finished_by",
                "time": "08:00",
                "deadline_zone": "Europe/Berlin",
                "days": "1",
                "people": "carol, ops@example.com",
                "webhook": "on",
                "webhook_connection": "chat",
                "endpoint": "hooks/ops",
                "quiet_from": "22:00",
                "quiet_to": "06:00",
                "quiet_zone": "Europe/Berlin",
                "except_level": "3",
                "repeat_minutes": "30",
                "repeat_max": "5",
                "escalate_after": "60",
                "escalate_people": "boss@example.com",
                "enabled": "on",
            },
        ),
        "several": Look(
            f"{_RULE}/new/tasks",
            {
                **_ALARM,
                "target": _TWO,
                "kind": "running_longer_than",
                "limit": "percent",
                "percent": "50",
                "last": "20",
            },
        ),
        "no time": Look(f"{_RULE}/new/tasks", {**_ALARM, **_ON_CLEAN, "kind": "not_finished_by"}),
        "no minutes": Look(
            f"{_RULE}/new/tasks", {**_ALARM, **_ON_CLEAN, "kind": "running_longer_than", "minutes": "many"}
        ),
        "no channel": Look(f"{_RULE}/new/tasks", {**_ALARM, **_ON_CLEAN, "channel": ""}),
        "nobody": Look(f"{_RULE}/new/tasks", {**_ALARM, **_ON_CLEAN, "owners": ""}),
        "half a night": Look(f"{_RULE}/new/tasks", {**_ALARM, **_ON_CLEAN, "quiet_from": "22:00"}),
        "escalation without a time": Look(f"{_RULE}/new/tasks", {**_ALARM, **_ON_CLEAN, "escalate_people": "carol"}),
        "a channel that nobody released": Look(f"{_RULE}/new/tasks", {**_ALARM, **_ON_CLEAN, "channel": "pigeon"}),
    },
    f"POST /{_RULE}/new/workflows": {"dialog": sent(f"{_RULE}/new/workflows", target="sales")},
    f"POST /{_RULE}/edit": {
        "dialog": sent(f"{_RULE}/edit", target="1"),
        "changed": Look(f"{_RULE}/edit", {**_ALARM, **_ON_CLEAN, "target": "1", "level": "2"}),
        "there is none": sent(f"{_RULE}/edit", target="999"),
        "a viewer": sent(f"{_RULE}/edit", "viewer", target="1"),
    },
    f"POST /{_RULE}/test": {
        "dialog": Look(
            f"{_RULE}/test", {"target": "3"}, then=(Look(f"{_RULE}/test", {"target": "3", "step": "apply"}),)
        )
    },
    **{
        f"POST /{_RULE}/{verb}": {
            "dialog": Look(
                f"{_RULE}/{verb}",
                {"target": ["1", "4"]},
                then=(Look(f"{_RULE}/{verb}", {"target": ["1", "4"], "step": "apply"}),),
            )
        }
        for verb in ("enable", "disable", "delete")
    },
}

#: a route below ``/taskops``, with its verb in place of ``<verb>`` -> a name for each request
CASES: Cases = {**PAGES, **CHANGES, **INSTANCES, **OTHERS}
