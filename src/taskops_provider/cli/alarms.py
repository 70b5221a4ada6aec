"""The rule that the flags of ``airflow taskops alarms`` describe, as the services read it."""

from __future__ import annotations

import json
from argparse import Namespace
from typing import Any

from taskops_provider.cli.run import UsageError
from taskops_provider.domain.alarms import Kind, is_address
from taskops_provider.exceptions import BadInput

_PARAMETERS = {
    "on_failure": ("on", (Kind.FAILED,)),
    "minutes": ("minutes", (Kind.RUNNING_LONGER_THAN,)),
    "percent": ("percent", (Kind.RUNNING_LONGER_THAN,)),
    "last": ("last", (Kind.RUNNING_LONGER_THAN,)),
    "by": ("time", (Kind.NOT_FINISHED_BY, Kind.NOT_STARTED_BY)),
    "zone": ("zone", (Kind.NOT_FINISHED_BY, Kind.NOT_STARTED_BY)),
    "days": ("days", (Kind.NOT_FINISHED_BY, Kind.NOT_STARTED_BY)),
}


def given_rule(args: Namespace) -> dict[str, Any]:
    """Return what the flags say of a rule, in the form of REST bodies; what they do not say is left out.

    :raises BadInput: for a value that cannot be
    :raises UsageError: for flags that do not go together
    """
    given: dict[str, Any] = {}
    given |= _target(args)
    for name in ("name", "kind", "level"):
        if (value := getattr(args, name)) is not None:
            given[name] = value
    parameters = {
        key: value for name, (key, _) in _PARAMETERS.items() if (value := getattr(args, name, None)) is not None
    }
    if parameters:
        given["parameters"] = parameters
    if args.owners or args.users or args.addresses:
        given["recipients"] = {
            "owners": bool(args.owners),
            "users": args.users or [],
            "addresses": args.addresses or [],
        }
    if args.channels:
        given["channels"] = [read_channel(text) for text in args.channels]
    given |= _follow_up(args)
    if args.enable and args.disable:
        raise UsageError("--enable and --disable do not go together")
    if args.enable or args.disable:
        given["enabled"] = bool(args.enable)
    return given


def _target(args: Namespace) -> dict[str, Any]:
    chosen = [value for value in (args.task, args.workflow, args.project) if value is not None]
    if len(chosen) > 1:
        raise UsageError("name one of --task, --workflow and --project")
    if not chosen:
        return {}
    dag_id, task_id = args.task or (args.workflow, None)
    scope = "task" if args.task else "workflow" if args.workflow is not None else "project"
    return {"scope": scope, "dag_id": dag_id, "task_id": task_id, "project": args.project}


def read_channel(text: str) -> dict[str, Any]:
    """Read ``email``, ``webhook:CONNECTION``, ``package.Class`` or a JSON object.

    :raises BadInput: for JSON that is none
    """
    if not text.lstrip().startswith("{"):
        channel, _, connection = text.partition(":")
        return {"channel": channel, "connection": connection or None}
    try:
        found = json.loads(text)
    except json.JSONDecodeError as error:
        raise BadInput(f"--channel is no JSON: {error}") from None
    return dict(found)


def _follow_up(args: Namespace) -> dict[str, Any]:
    """Quiet hours, repeats and escalation; ``none`` takes them away."""
    given: dict[str, Any] = {}
    if args.quiet_hours is not None:
        opens, _, closes = args.quiet_hours.partition("-")
        given["quiet_hours"] = (
            None
            if args.quiet_hours == "none"
            else {
                "from": opens,
                "to": closes,
                "zone": args.quiet_zone or "UTC",
                "except_level": args.quiet_except_level,
            }
        )
    elif args.quiet_zone is not None or args.quiet_except_level is not None:
        raise UsageError("--quiet-zone and --quiet-except-level go with --quiet-hours")
    if args.repeat_minutes is not None:
        most = 3 if args.repeat_max is None else args.repeat_max
        given["repeat"] = {"minutes": args.repeat_minutes, "max": most} if args.repeat_minutes else None
    elif args.repeat_max is not None:
        raise UsageError("--repeat-max goes with --repeat-minutes")
    if args.escalate_after is not None:
        given["escalation"] = (
            {"after": args.escalate_after, "recipients": _people(args.escalate_to or [])}
            if args.escalate_after
            else None
        )
    elif args.escalate_to:
        raise UsageError("--escalate-to goes with --escalate-after")
    return given


def _people(names: list[str]) -> dict[str, Any]:
    return {
        "owners": False,
        "users": [name for name in names if not is_address(name)],
        "addresses": [name for name in names if is_address(name)],
    }
