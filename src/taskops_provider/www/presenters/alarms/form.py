"""What the fields of the dialog of an alarm rule say, as ``inputs.alarms.rule`` reads it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from taskops_provider.domain.alarms.addresses import split_people
from taskops_provider.domain.alarms.kinds import DEADLINES, AlarmScope, Kind
from taskops_provider.domain.answers import Json
from taskops_provider.domain.text import whole_number
from taskops_provider.exceptions import BadInput
from taskops_provider.inputs.problems import Path, dotted
from taskops_provider.www.page_request import PageRequest
from taskops_provider.www.presenters.alarms.channel_fields import described_channels
from taskops_provider.www.presenters.operations.form import ticked

#: field of the input -> the label of the dialog's field
_LABELS: Final[Mapping[tuple[str, ...], str]] = {
    ("name",): "name",
    ("scope",): "scope",
    ("dag_id",): "workflow ID",
    ("task_id",): "task ID",
    ("project",): "project",
    ("kind",): "kind",
    ("level",): "level",
    ("parameters", "on"): "on",
    ("parameters", "minutes"): "minutes",
    ("parameters", "percent"): "percent",
    ("parameters", "last"): "last runs",
    ("parameters", "time"): "time of day",
    ("parameters", "zone"): "time zone",
    ("parameters", "days"): "days",
    ("quiet_hours", "from"): "quiet hours from",
    ("quiet_hours", "to"): "quiet hours to",
    ("quiet_hours", "zone"): "time zone of the quiet hours",
    ("quiet_hours", "except_level"): "level let through",
    ("quiet_hours",): "quiet hours",
    ("repeat", "minutes"): "repeat every",
    ("repeat", "max"): "repeat at most",
    ("escalation", "after"): "escalate after",
    ("escalation",): "the escalation",
}


def label_of(path: Path) -> str:
    """Name a field of a rule as the dialog has it."""
    fields = tuple(part for part in path if isinstance(part, str))
    return next((_LABELS[fields[:n]] for n in range(len(fields), 0, -1) if fields[:n] in _LABELS), dotted(path))


def described_rule(asked: PageRequest) -> Json:
    """Return the rule that is described, without what it is on.

    :raises BadInput: for the first field that cannot be read
    """
    return {
        "name": asked.one("name"),
        "kind": asked.one("kind"),
        "level": _number(asked, "level") or 1,
        "parameters": _parameters(asked),
        "recipients": _recipients(asked, "", owners=ticked(asked, "owners")),
        "channels": described_channels(asked),
        "quiet_hours": _quiet_hours(asked),
        "repeat": _repeat(asked),
        "escalation": _escalation(asked),
        "enabled": ticked(asked, "enabled"),
    }


def described_target(asked: PageRequest) -> Json:
    """Return what the rule is on.

    :raises BadInput: if that is not filled in
    """
    scope = asked.one("scope")
    names = {
        AlarmScope.TASK.value: ("dag_id", "task_id"),
        AlarmScope.WORKFLOW.value: ("dag_id",),
        AlarmScope.PROJECT.value: ("project",),
    }.get(scope, ())
    target = {"dag_id": None, "task_id": None, "project": None} | {name: asked.one(name) or None for name in names}
    for name in names:
        if target[name] is None:
            raise BadInput(f"{label_of([name])} is empty")
    return {"scope": scope, **target}


def _parameters(asked: PageRequest) -> Json:
    """The fields of the chosen kind; those of the others are not shown, and not meant."""
    kind = asked.one("kind")
    if kind == Kind.FAILED:
        return {"on": asked.one("on") or None}
    if kind == Kind.RUNNING_LONGER_THAN:
        if asked.one("limit") == "percent":
            return {"percent": _needed(asked, "percent"), "last": _number(asked, "last")}
        return {"minutes": _needed(asked, "minutes")}
    if kind in DEADLINES:
        return {
            "time": asked.one("time")[:5],
            "zone": asked.one("deadline_zone") or None,
            "days": _number(asked, "days"),
        }
    return {}


def _number(asked: PageRequest, name: str) -> int | str | None:
    """Return a number, a text that is none for the input to refuse, or None if the field is empty."""
    given = asked.one(name)
    number = whole_number(given)
    return given or None if number is None else number


def _needed(asked: PageRequest, name: str) -> int | str:
    number = _number(asked, name)
    if number is None:
        raise BadInput(f"{label_of(['parameters', name])} is empty")
    return number


def _recipients(asked: PageRequest, prefix: str, *, owners: bool) -> Json:
    """Names and addresses stand in one field: what is an address is written to as it is."""
    names = [name.strip() for name in re.split(r"[,;\n]", asked.one(f"{prefix}people")) if name.strip()]
    users, addresses = split_people(names)
    return {"owners": owners, "users": users, "addresses": addresses}


def _quiet_hours(asked: PageRequest) -> Json | None:
    opens, closes = asked.one("quiet_from")[:5], asked.one("quiet_to")[:5]
    if not opens and not closes:
        return None
    if not opens or not closes:
        raise BadInput(f"the quiet hours have no {'end' if opens else 'beginning'}")
    level = _number(asked, "except_level")
    return {"from": opens, "to": closes, "zone": asked.one("quiet_zone"), "except_level": level}


def _repeat(asked: PageRequest) -> Json | None:
    minutes, most = _number(asked, "repeat_minutes"), _number(asked, "repeat_max")
    if minutes is None:
        return None
    return {"minutes": minutes} | ({} if most is None else {"max": most})


def _escalation(asked: PageRequest) -> Json | None:
    after = _number(asked, "escalate_after")
    recipients = _recipients(asked, "escalate_", owners=ticked(asked, "escalate_owners"))
    if after is None:
        if any(recipients.values()):
            raise BadInput("the escalation has no time: after how many minutes")
        return None
    return {"after": after, "recipients": recipients}
