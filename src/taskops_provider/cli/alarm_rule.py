"""The rule that the flags of ``airflow taskops alarms`` describe."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping
from typing import Any, Final

from taskops_provider.cli.run import UsageError
from taskops_provider.domain.alarms.addresses import split_people
from taskops_provider.domain.answers import Json
from taskops_provider.inputs.free_text import read_json
from taskops_provider.inputs.problems import Path, dotted

#: field of the input -> the flag it is given by; of a part of a list or an object the flag of the whole
_FLAGS: Final[Mapping[tuple[str, ...], str]] = {
    ("dag_id",): "--workflow",
    ("task_id",): "--task",
    ("project",): "--project",
    ("kind",): "--kind",
    ("name",): "--name",
    ("level",): "--level",
    ("parameters", "on"): "--on",
    ("parameters", "minutes"): "--minutes",
    ("parameters", "percent"): "--percent",
    ("parameters", "last"): "--last",
    ("parameters", "time"): "--by",
    ("parameters", "zone"): "--zone",
    ("parameters", "days"): "--days",
    ("recipients", "users"): "--user",
    ("recipients", "addresses"): "--address",
    ("channels",): "--channel",
    ("quiet_hours", "zone"): "--quiet-zone",
    ("quiet_hours", "except_level"): "--quiet-except-level",
    ("quiet_hours",): "--quiet-hours",
    ("repeat", "minutes"): "--repeat-minutes",
    ("repeat", "max"): "--repeat-max",
    ("escalation", "after"): "--escalate-after",
    ("escalation",): "--escalate-to",
}
#: destination of a flag -> the parameter of a kind
_PARAMETERS: Final[Mapping[str, str]] = {
    "on_failure": "on",
    "minutes": "minutes",
    "percent": "percent",
    "last": "last",
    "by": "time",
    "zone": "zone",
    "days": "days",
}


def flag_of(path: Path) -> str:
    """Name a field of a rule as the command line has it."""
    fields = tuple(part for part in path if isinstance(part, str))
    for length in range(len(fields), 0, -1):
        if fields[:length] in _FLAGS:
            return _FLAGS[fields[:length]]
    return dotted(path)


def described_rule(args: Namespace) -> Json:
    """Return what the flags say of a rule, for ``inputs.alarms.rule``; what they do not say is left out.

    :raises BadInput: for JSON that is none
    :raises UsageError: for flags that do not go together
    """
    given = _target(args)
    for name in ("name", "kind", "level"):
        if (value := getattr(args, name)) is not None:
            given[name] = value
    if parameters := _values(args, _PARAMETERS):
        given["parameters"] = parameters
    if args.owners or args.users or args.addresses:
        given["recipients"] = {
            "owners": bool(args.owners),
            "users": args.users or [],
            "addresses": args.addresses or [],
        }
    if args.channels:
        given["channels"] = [_channel(text) for text in args.channels]
    given |= _quiet_hours(args) | _repeat(args) | _escalation(args)
    if args.enable and args.disable:
        raise UsageError("--enable and --disable do not go together")
    if args.enable or args.disable:
        given["enabled"] = bool(args.enable)
    return given


def _values(args: Namespace, names: Mapping[str, str]) -> Json:
    """Return the values of flags that were given, by the names of fields."""
    return {name: value for flag, name in names.items() if (value := getattr(args, flag, None)) is not None}


def _target(args: Namespace) -> Json:
    chosen = [value for value in (args.task, args.workflow, args.project) if value is not None]
    if len(chosen) > 1:
        raise UsageError("name one of --task, --workflow and --project")
    if not chosen:
        return {}
    dag_id, task_id = args.task or (args.workflow, None)
    scope = "task" if args.task else "workflow" if args.workflow is not None else "project"
    return {"scope": scope, "dag_id": dag_id, "task_id": task_id, "project": args.project}


def _channel(text: str) -> Any:
    """Read the name of a channel, or a JSON object of its name and what people may set of it.

    :raises BadInput: for JSON that is none
    """
    if not text.lstrip().startswith("{"):
        return {"channel": text}
    return read_json(text, "--channel")


def _quiet_hours(args: Namespace) -> Json:
    if args.quiet_hours is None:
        if args.quiet_zone is not None or args.quiet_except_level is not None:
            raise UsageError("--quiet-zone and --quiet-except-level go with --quiet-hours")
        return {}
    if args.quiet_hours == "none":
        return {"quiet_hours": None}
    opens, _, closes = args.quiet_hours.partition("-")
    more = _values(args, {"quiet_zone": "zone", "quiet_except_level": "except_level"})
    return {"quiet_hours": {"from": opens, "to": closes, **more}}


def _repeat(args: Namespace) -> Json:
    if args.repeat_minutes is None:
        if args.repeat_max is not None:
            raise UsageError("--repeat-max goes with --repeat-minutes")
        return {}
    return {
        "repeat": _values(args, {"repeat_minutes": "minutes", "repeat_max": "max"}) if args.repeat_minutes else None
    }


def _escalation(args: Namespace) -> Json:
    if args.escalate_after is None:
        if args.escalate_to:
            raise UsageError("--escalate-to goes with --escalate-after")
        return {}
    if not args.escalate_after:
        return {"escalation": None}
    users, addresses = split_people(args.escalate_to or [])
    return {"escalation": {"after": args.escalate_after, "recipients": {"users": users, "addresses": addresses}}}
