"""Commands whose code is loaded when they run, and what they say if this version of Airflow lacks what it needs.

Imports nothing of Airflow.
"""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from collections.abc import Callable
from importlib import import_module

from taskops_provider.airflow_versions import MISSING_NAME, unavailable

CHECK = "system.taskops_check"
_COMMANDS = "taskops_provider.cli.commands"


def lazy_command(handler: str) -> Callable[[Namespace], None]:
    """Return a command that loads its code when it runs.

    :param handler: ``module.function`` below ``taskops_provider.cli.commands``
    """
    path = f"{_COMMANDS}.{handler}"

    def command(args: Namespace) -> None:
        module, _, name = path.rpartition(".")
        try:
            run = getattr(import_module(module), name)
        except MISSING_NAME as error:
            tell_unavailable(path.removeprefix(f"{_COMMANDS}."), error, args)
            sys.exit(1)
        run(args)

    command.__name__ = handler.rpartition(".")[2]
    return command


def _called(name: str) -> str:
    """``tasks list`` for ``tasks_list``, ``check`` for ``taskops_check``."""
    return " ".join(name.removeprefix("taskops_").split("_", 1)).replace("_", "-")


def tell_unavailable(handler: str, error: BaseException, args: Namespace) -> None:
    """Say why a command does not work; the check says it as its only result, with all that is missing."""
    line = unavailable(f"`airflow taskops {_called(handler.rpartition('.')[2])}`", error)
    if handler == CHECK:
        from taskops_provider.adapter.internals import missing_internals

        missing = missing_internals()
        line += f"; Airflow lacks {', '.join(missing)}" if missing else ""
    if handler != CHECK:
        print(f"error: {line}", file=sys.stderr)  # noqa: T201 - the printers of cli.text may be what is missing
    elif getattr(args, "output", "table") == "json":
        print(json.dumps([{"name": "airflow", "level": "error", "message": line}], indent=2))  # noqa: T201
    else:
        print(f"airflow | error | {line}")  # noqa: T201
