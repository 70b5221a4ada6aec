"""``airflow taskops strict-mode ...``"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence

from taskops_provider.cli.output import Columns, print_list
from taskops_provider.cli.run import changes, opened, reads
from taskops_provider.exceptions import ResourceNotFound
from taskops_provider.services.operations.strict_mode_setting import StrictMode, list_strict_mode, set_strict_mode

COLUMNS: Columns = {
    "project": lambda mode: mode.project,
    "strict_mode": lambda mode: "on" if mode.strict_mode else "off",
    "chosen": lambda mode: "here" if mode.chosen else "by the configuration",
    "changed_by": lambda mode: mode.changed_by,
    "changed_at": lambda mode: mode.changed_at,
}


@reads
def strict_mode_show(args: Namespace) -> None:
    """Show the setting of projects."""
    with opened() as work:
        modes = list_strict_mode(work.session, work.actor)
    if args.project is not None:
        names = [mode.project for mode in modes]
        modes = [mode for mode in modes if mode.project == args.project]
        if not modes:
            raise ResourceNotFound(
                f"project {args.project!r} does not exist; there are {', '.join(names) or 'none yet'}"
            )
    _print(modes, args.output)


@changes
def strict_mode_on(args: Namespace) -> None:
    """Turn strict mode on."""
    _set(args, on=True)


@changes
def strict_mode_off(args: Namespace) -> None:
    """Turn strict mode off."""
    _set(args, on=False)


def _set(args: Namespace, *, on: bool) -> None:
    with opened() as work:
        modes = set_strict_mode(work.session, work.actor, args.project, on, work.now)
    _print(modes, args.output)


def _print(modes: Sequence[StrictMode], output: str) -> None:
    print_list(modes, COLUMNS, output, empty="no projects yet")
