"""What Airflow asks for our commands, each time that it builds its parser."""

from __future__ import annotations

import logging
import sys
from argparse import Namespace
from typing import Any

from taskops_provider.airflow_versions import MISSING_NAME, log_unavailable
from taskops_provider.cli.lazy import CHECK, tell_unavailable

log = logging.getLogger(__name__)


def get_taskops_cli_commands() -> list[Any]:
    """Return the command group; of a version of Airflow that lacks what it needs, only one that says so."""
    try:
        from taskops_provider.cli import definition

        return list(definition.get_taskops_cli_commands())
    except MISSING_NAME as error:
        log_unavailable(log, "`airflow taskops`", error)
        return _only_check(error)


def _only_check(reason: BaseException) -> list[Any]:
    from airflow.cli.cli_config import ActionCommand, GroupCommand

    def say_why(args: Namespace) -> None:
        tell_unavailable(CHECK, reason, args)
        sys.exit(1)

    check = ActionCommand(name="check", help="Check the installation", func=say_why, args=())
    return [GroupCommand(name="taskops", help="Does not work with this version of Airflow", subcommands=(check,))]
