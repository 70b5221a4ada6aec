"""What the fields of the dialog of an alarm rule say, as the services read rules; one line about what cannot be."""

from __future__ import annotations

import json
import re
from typing import Any

from taskops_provider.domain.alarms import EMAIL, WEBHOOK, AlarmScope, Kind, is_address
from taskops_provider.exceptions import BadInput
from taskops_provider.www.asked import Asked
from taskops_provider.www.forms import ticked


def read_rule_fields(asked: Asked) -> dict[str, Any]:
    """Return the rule that is described, without what it is on, in the form of REST bodies.

    :raises BadInput: for the first field that cannot be
    """
    kind = asked.one("kind")
    return {
        "name": asked.one("name"),
        "kind": kind,
        "level": _number(asked, "level", "Level") or 1,
        "parameters": _parameters(asked, kind),
        "recipients": _people(asked, "", owners=ticked(asked, "owners")),
        "channels": _channels(asked),
        "quiet_hours": _quiet(asked),
        "repeat": _repeat(asked),
        "escalation": _escalation(asked),
        "enabled": ticked(asked, "enabled"),
    }


def read_target(asked: Asked) -> dict[str, Any]:
    """Return what the rule is on.

    :raises BadInput: when that is not filled in
    """
    scope = asked.one("scope")
    names = {"task": ("dag_id", "task_id"), "workflow": ("dag_id",), "project": ("project",)}.get(scope)
    if names is None:
        allowed = ", ".join(one.value for one in AlarmScope)
        raise BadInput(f"scope is {scope[:60]!r}; allowed are {allowed}")
    labels = {"dag_id": "Workflow ID", "task_id": "Task ID", "project": "Project"}
    found = {name: asked.one(name) or None for name in labels if name in names}
    for name, value in found.items():
        if value is None:
            raise BadInput(f"{labels[name]} is empty")
    return {"scope": scope, "dag_id": None, "task_id": None, "project": None, **found}


def _parameters(asked: Asked, kind: str) -> dict[str, Any]:
    """The fields of the chosen kind; those of the others are not shown, and not meant."""
    if kind == Kind.FAILED:
        return {"on": asked.one("on")} if asked.one("on") else {}
    if kind == Kind.RUNNING_LONGER_THAN:
        if asked.one("limit") == "percent":
            last = _number(asked, "last", "Last runs")
            percent = {"percent": _needed(asked, "percent", "Percent")}
            return percent | ({} if last is None else {"last": last})
        return {"minutes": _needed(asked, "minutes", "Minutes")}
    if kind in (Kind.NOT_FINISHED_BY, Kind.NOT_STARTED_BY):
        if not asked.one("time"):
            raise BadInput("Time of day is empty")
        found = {
            "time": asked.one("time")[:5],
            "zone": asked.one("deadline_zone") or None,
            "days": _number(asked, "days", "Days"),
        }
        return {name: value for name, value in found.items() if value is not None}
    return {}


def _number(asked: Asked, name: str, label: str) -> int | None:
    given = asked.one(name)
    if not given:
        return None
    if not (given.isascii() and given.isdigit() and len(given) < 10):
        raise BadInput(f"{label}: {given[:60]!r} is no whole number")
    return int(given)


def _needed(asked: Asked, name: str, label: str) -> int:
    found = _number(asked, name, label)
    if found is None:
        raise BadInput(f"{label} is empty")
    return found


def _people(asked: Asked, prefix: str, *, owners: bool) -> dict[str, Any]:
    """Names and addresses stand in one field: what is an address is written to as it is."""
    names = [name.strip() for name in re.split(r"[,;\n]", asked.one(f"{prefix}people")) if name.strip()]
    return {
        "owners": owners,
        "users": [name for name in names if not is_address(name)],
        "addresses": [name for name in names if is_address(name)],
    }


def _channels(asked: Asked) -> list[Any]:
    channels: list[Any] = []
    if ticked(asked, "email"):
        channels.append({"channel": EMAIL, "connection": asked.one("email_connection") or None, "args": {}})
    if ticked(asked, "webhook"):
        args = {"endpoint": asked.one("endpoint")} if asked.one("endpoint") else {}
        channels.append({"channel": WEBHOOK, "connection": asked.one("webhook_connection") or None, "args": args})
    if other := asked.one("other_channels"):
        try:
            found = json.loads(other)
        except ValueError as error:
            raise BadInput(f"other channels are no JSON: {error}") from None
        channels += found if isinstance(found, list) else [found]
    if not channels:
        raise BadInput("no channel is chosen: tick e-mail or webhook, or name another one")
    return channels


def _quiet(asked: Asked) -> dict[str, Any] | None:
    opens, closes = asked.one("quiet_from")[:5], asked.one("quiet_to")[:5]
    if not opens and not closes:
        return None
    if not opens or not closes:
        raise BadInput(f"the quiet hours have no {'end' if opens else 'beginning'}")
    return {
        "from": opens,
        "to": closes,
        "zone": asked.one("quiet_zone") or "UTC",
        "except_level": _number(asked, "except_level", "Except level"),
    }


def _repeat(asked: Asked) -> dict[str, Any] | None:
    minutes, most = _number(asked, "repeat_minutes", "Repeat every"), _number(asked, "repeat_max", "At most")
    if minutes is None:
        return None
    return {"minutes": minutes} | ({} if most is None else {"max": most})


def _escalation(asked: Asked) -> dict[str, Any] | None:
    after = _number(asked, "escalate_after", "Escalate after")
    people = _people(asked, "escalate_", owners=ticked(asked, "escalate_owners"))
    if after is None:
        if people["owners"] or people["users"] or people["addresses"]:
            raise BadInput("the escalation has no time: after how many minutes")
        return None
    return {"after": after, "recipients": people}
