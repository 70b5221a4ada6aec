"""What Airflow asks for our commands, each time that it builds its parser."""

from __future__ import annotations

import logging
from typing import Any

from taskops_provider.airflow_versions import MISSING_NAME, log_unavailable
from taskops_provider.cli.lazy import CHECK, lazy_command

log = logging.getLogger(__name__)


def get_taskops_cli_commands() -> list[Any]:
    """Return the command group; of a version of Airflow that lacks what it needs, only one that says so."""
    try:
        from taskops_provider.cli import definition

        return list(definition.get_taskops_cli_commands())
    except MISSING_NAME as error:
        log_unavailable(log, "`airflow taskops`", error)
        return _only_check()


def _only_check() -> list[Any]:
    from airflow.cli.cli_config import ActionCommand, GroupCommand

    check = ActionCommand(name="check", help="Check the installation", func=lazy_command(CHECK), args=())
    return [GroupCommand(name="taskops", help="Does not work with this version of Airflow", subcommands=(check,))]
