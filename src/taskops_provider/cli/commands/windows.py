"""``airflow taskops windows ...``"""

from __future__ import annotations

import sys
from argparse import Namespace
from pathlib import Path
from typing import Any

from taskops_provider.cli.output import STRUCTURED, Columns, print_details, print_list, print_object, print_table
from taskops_provider.cli.run import UsageError, changes, opened, reads
from taskops_provider.cli.text import out, say
from taskops_provider.cli.window import described_scope, described_window, flag_of
from taskops_provider.domain.answers import to_plain_data
from taskops_provider.domain.text import plural
from taskops_provider.exceptions import BadInput
from taskops_provider.inputs.problems import naming
from taskops_provider.inputs.reading import read
from taskops_provider.inputs.windows.holding import HoldAll, ReleaseAll, SkipNext
from taskops_provider.inputs.windows.window import WindowChange, WindowCreate
from taskops_provider.services.windows import changes as window_changes
from taskops_provider.services.windows import preview
from taskops_provider.services.windows.answers import (
    HeldOrReleased,
    OccurrenceAnswer,
    StoppedCycle,
    WindowAnswer,
    WindowPreview,
)
from taskops_provider.services.windows.calendar_file import MAX_LENGTH, export_windows, read_windows
from taskops_provider.services.windows.hold_all import hold_all, release_all
from taskops_provider.services.windows.listing import WindowFilter, list_windows, show_window
from taskops_provider.services.windows.skip_next import skip_next

WINDOWS: Columns = {
    "window": lambda one: one.window_id,
    "name": lambda one: one.name,
    "kinds": lambda one: [kind.value for kind in one.kinds],
    "effect": lambda one: one.downstream.value if one.downstream else None,
    "scope": lambda one: scope_words(one.scope),
    "open_until": lambda one: one.open_until,
    "next": lambda one: one.next_begin,
    "enabled": lambda one: one.enabled,
    "reason": lambda one: one.reason,
}
CYCLES: Columns = {
    "begin": lambda row: row[0].begin,
    "end": lambda row: row[0].end,
    "dag_id": lambda row: row[1].dag_id if row[1] else None,
    "run_after": lambda row: row[1].run_after if row[1] else None,
    "logical_date": lambda row: row[1].logical_date if row[1] else None,
}


@reads
def windows_list(args: Namespace) -> None:
    """List windows, the newest first."""
    where = WindowFilter(
        dag_id=args.in_dag or "",
        kinds=tuple(args.kinds or ()),
        purposes=tuple(args.purposes or ()),
        search=args.search or "",
        open_now=True if args.open_now else None,
    )
    with opened() as work:
        page = list_windows(work.session, work.actor, where, work.now, limit=args.limit, offset=args.offset)
    print_list(page.rows, WINDOWS, args.output, empty="no windows")


@reads
def windows_show(args: Namespace) -> None:
    """Show one window."""
    with opened() as work:
        shown = show_window(work.session, work.actor, args.window_id, work.now)
    _print_window(shown, args.output)


@changes
def windows_create(args: Namespace) -> None:
    """Make a window."""
    with opened() as work:
        window = _described(args, work.now)
        shown = window_changes.create_window(work.session, work.actor, window, work.now)
    _print_window(shown, args.output)


@changes
def windows_update(args: Namespace) -> None:
    """Change a window."""
    with opened() as work, naming(flag_of):
        given = described_window(args, work.now)
        if not given:
            raise UsageError("name what is to change")
        change = read(WindowChange, given)
        shown = window_changes.update_window(work.session, work.actor, args.window_id, change, work.now)
    _print_window(shown, args.output)


@changes
def windows_delete(args: Namespace) -> None:
    """Delete a window."""
    with opened() as work:
        shown = window_changes.delete_window(work.session, work.actor, args.window_id, work.now)
    _print_window(shown, args.output)


@reads
def windows_preview(args: Namespace) -> None:
    """Tell what a window would do."""
    with opened() as work:
        if args.kept is not None:
            shown = preview.preview_kept(work.session, work.actor, args.kept, work.now, occurrences=args.occurrences)
        else:
            window = _described(args, work.now)
            shown = preview.preview_window(work.session, work.actor, window, work.now, occurrences=args.occurrences)
    _print_preview(shown, args.output)


@changes
def windows_import(args: Namespace) -> None:
    """Make the windows of an iCalendar file: all, or none."""
    text = _read_file(args.file)
    defaults: dict[str, Any] = {
        name: value for name in ("kinds", "downstream") if (value := getattr(args, name)) is not None
    }
    if scope := described_scope(args):
        defaults["scope"] = scope
    with opened() as work:
        windows = read_windows(text, defaults)
        made = window_changes.create_windows(work.session, work.actor, windows, work.now)
    print_list(made, WINDOWS, args.output, empty="no windows")


@reads
def windows_export(args: Namespace) -> None:
    """Write the windows as an iCalendar file."""
    with opened() as work:
        text = export_windows(work.session, work.actor, work.now)
    if args.to_file is None:
        sys.stdout.write(text)
        return
    try:
        Path(args.to_file).write_text(text, newline="")
    except OSError as error:
        raise BadInput(f"--to {args.to_file} cannot be written: {error.strerror}") from None


@changes
def windows_skip_next(args: Namespace) -> None:
    """Leave out the next cycles."""
    with opened() as work, naming(flag_of):
        scope = described_scope(args)
        asked = read(SkipNext, {**scope, "cycles": args.cycles, "reason": args.reason})
        made = skip_next(work.session, work.actor, asked, work.now)
    print_list(made, WINDOWS, args.output, empty="nothing")


@changes
def windows_hold_all(args: Namespace) -> None:
    """Hold everything, or a project."""
    with opened() as work, naming(flag_of):
        asked = read(HoldAll, {"project": args.project, "reason": args.reason})
        held = hold_all(work.session, work.actor, asked, work.now)
    _print_held(held, args.output)


@changes
def windows_release_all(args: Namespace) -> None:
    """Release what is held."""
    given = {"project": args.project, "reason": args.reason, "wave": args.wave, "every_minutes": args.every}
    with opened() as work, naming(flag_of):
        released = release_all(work.session, work.actor, read(ReleaseAll, given), work.now)
    _print_held(released, args.output)


def _described(args: Namespace, now: Any) -> WindowCreate:
    given = described_window(args, now)
    for name, flags in (("name", "--name"), ("kinds", "a --kind"), ("scope", "what it covers"), ("times", "its times")):
        if name not in given:
            raise UsageError(f"name {flags}; see --help" if flags[0] != "-" else f"give it a {flags}")
    with naming(flag_of):
        return read(WindowCreate, given)


def _read_file(name: str) -> str:
    try:
        if name == "-":
            return sys.stdin.read(MAX_LENGTH + 1)
        with Path(name).open(encoding="utf-8", newline="") as file:
            return file.read(MAX_LENGTH + 1)
    except UnicodeDecodeError:
        raise BadInput(f"{name} is not text in UTF-8") from None
    except OSError as error:
        raise BadInput(f"{name} cannot be read: {error.strerror}") from None


def scope_words(scope: dict[str, Any]) -> list[str]:
    """What a window covers, as the lists have it."""
    if scope["everything"]:
        return ["everything"]
    words = [f"{one['dag_id']} {one['task_id']}" for one in scope["tasks"]]
    words += scope["workflows"]
    for name in ("folders", "projects", "tags"):
        words += [f"{name[:-1]} {one}" for one in scope[name]]
    return words


def _print_window(shown: WindowAnswer, output: str) -> None:
    details = to_plain_data(shown)
    if output in STRUCTURED:
        print_object(details, output)
        return
    details["scope"] = scope_words(shown.scope)
    print_details(details)


def _print_preview(shown: WindowPreview, output: str) -> None:
    if output in STRUCTURED:
        print_object(to_plain_data(shown), output)
        return
    tell = say if output == "plain" else out
    tell(f"{plural(shown.workflows, 'workflow')}, {plural(shown.tasks, 'task')}")
    rows: list[tuple[OccurrenceAnswer, StoppedCycle | None]] = []
    for one in shown.occurrences:
        rows += [(one, cycle) for cycle in one.cycles] or [(one, None)]
    print_table(rows, CYCLES, output, empty="it is not open any more")
    for one in shown.occurrences:
        if one.more_cycles:
            tell(f"from {one.begin:%Y-%m-%d %H:%M} UTC: at least {one.more_cycles:,} more")
    if shown.without_cycles:
        tell(f"without cycles to tell: {', '.join(shown.without_cycles)}")
    if shown.not_looked_at:
        tell(f"{plural(shown.not_looked_at, 'more workflow')} not looked at")


def _print_held(held: HeldOrReleased, output: str) -> None:
    details = to_plain_data(held)
    if output in STRUCTURED:
        print_object(details, output)
    else:
        print_details(details)
