"""The window that the flags of ``airflow taskops windows`` describe."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from taskops_provider.cli.run import UsageError
from taskops_provider.cli.times import parse_time
from taskops_provider.domain.answers import Json
from taskops_provider.inputs.problems import Path, dotted

#: field of the input -> the flag it is given by
_FLAGS: Final[Mapping[str, str]] = {
    "name": "--name",
    "kinds": "--kind",
    "downstream": "--downstream-effect",
    "reason": "--reason",
    "begin": "--from",
    "end": "--to",
    "rrule": "--rrule",
    "cron": "--cron",
    "zone": "--zone",
    "starts": "--starts",
    "duration": "--duration",
    "until": "--until",
    "last": "--last",
    "exceptions": "--except",
    "tasks": "--task",
    "workflows": "--workflow",
    "folders": "--folder",
    "projects": "--project",
    "tags": "--tag",
    "cycles": "--cycles",
    "wave": "--wave",
    "every_minutes": "--every",
    "project": "--project",
}


def flag_of(path: Path) -> str:
    """Name a field of a window as the command line has it."""
    named = [part for part in path if isinstance(part, str) and part in _FLAGS]
    return _FLAGS[named[-1]] if named else dotted(path)


def described_window(args: Namespace, now: datetime) -> Json:
    """Return what the flags say of a window, for ``inputs.windows.window``; what they do not say is left out.

    :raises BadInput: for a time that is none
    :raises UsageError: for flags that do not go together
    """
    given: Json = {
        name: value
        for name in ("name", "kinds", "downstream", "reason")
        if (value := getattr(args, name, None)) is not None
    }
    if scope := described_scope(args):
        given["scope"] = scope
    if times := _times(args, now):
        given["times"] = times
    if getattr(args, "enable", False) and args.disable:
        raise UsageError("--enable and --disable do not go together")
    if getattr(args, "enable", False) or getattr(args, "disable", False):
        given["enabled"] = bool(args.enable)
    return given


def described_scope(args: Namespace) -> Json:
    """Return what the flags say of the scope."""
    scope: Json = {
        name: value
        for name in ("workflows", "folders", "projects", "tags")
        if (value := getattr(args, f"in_{name}", None))
    }
    if tasks := getattr(args, "in_tasks", None):
        scope["tasks"] = [{"dag_id": dag_id, "task_id": task_id} for dag_id, task_id in tasks]
    if getattr(args, "everything", False):
        scope["everything"] = True
    return scope


def _times(args: Namespace, now: datetime) -> Json:
    times: Json = {
        name: value for name in ("rrule", "cron", "zone", "starts", "duration") if (value := getattr(args, name, None))
    }
    for name, flag in (("begin", "--from"), ("end", "--to"), ("last", "--last")):
        if text := getattr(args, name, None):
            times[name] = parse_time(flag, text, now, sign="+")
    if args.until_clock:
        times["until"] = args.until_clock
    if args.exceptions:
        times["exceptions"] = args.exceptions
    return times
