"""The commands of ``airflow taskops`` as Airflow's parser has them."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from airflow._shared.module_loading import import_string
from airflow.cli.cli_config import ActionCommand, CLICommand
from airflow.cli.cli_parser import get_parser

from taskops_provider.cli.definition import get_taskops_cli_commands
from taskops_provider.services.catalog import tasks, workflows
from taskops_provider.services.shared.actor import MONITOR

CHANGING = {"start", "pause", "offline", "delete", "submit", "set-owners"}


def walk(commands: list[CLICommand], path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], ActionCommand]]:
    for command in commands:
        here = (*path, command.name)
        if isinstance(command, ActionCommand):
            yield here, command
        else:
            yield from walk(list(command.subcommands), here)


ALL = dict(walk(get_taskops_cli_commands()))


def flags(*path: str) -> set[str]:
    return {flag for arg in ALL["taskops", *path].args for flag in arg.flags}


def test_the_commands_are_those_of_the_specification():
    found = {" ".join(path[1:]) for path in ALL}
    assert found == {
        *(f"{group} {verb}" for group in ("tasks", "workflows") for verb in ("list", "show", *CHANGING)),
        "workflows diagram",
        "tasks instances",
        "tasks lineage",
        "tasks export",
        *(
            f"replenish {verb}"
            for verb in ("plan", "create", "list", "show", "cells", "pause", "resume", "cancel", "retry")
        ),
        *(
            f"alarms {verb}"
            for verb in ("list", "create", "update", "delete", "events", "acknowledge", "confirm", "test")
        ),
        *(
            f"instances {verb}"
            for verb in ("rerun", "force", "hold", "release", "terminate", "set-success", "set-failed", "held")
        ),
        "runs hold",
        "runs release",
        "operations list",
        "operations show",
        "operations undo",
        "strict-mode show",
        "strict-mode on",
        "strict-mode off",
        "sync",
        "monitor",
        "check",
        "uninstall",
    }


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_each_command_loads_and_explains_itself(path, capsys):
    command = ALL[path]
    module = next(cell.cell_contents for cell in command.func.__closure__ if isinstance(cell.cell_contents, str))
    assert callable(import_string(module))
    assert command.epilog
    assert all(arg.kwargs.get("help") for arg in command.args)
    with pytest.raises(SystemExit) as end:
        get_parser().parse_args([*path, "--help"])
    assert end.value.code == 0
    shown = capsys.readouterr().out
    assert f"airflow {' '.join(path)}" in shown
    assert "Examples:" in shown


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_the_examples_can_be_typed(path):
    import shlex

    for line in ALL[path].epilog.splitlines()[1:]:
        words = shlex.split(line.partition("|" if '"' not in line else " | ")[0].partition(">")[0])
        assert words[:2] == ["airflow", "taskops"]
        assert get_parser().parse_args(words[1:]).func


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_help_shows_what_was_written(path):
    """Airflow's help takes words in square brackets for styles, and leaves them out."""
    command = ALL[path]
    texts = [command.help, command.description, command.epilog, *(arg.kwargs["help"] for arg in command.args)]
    assert [text for text in texts if re.search(r"\[[a-z#/@]", text)] == []


@pytest.mark.parametrize(
    ("group", "columns"),
    [
        ("tasks", tasks._sortable(MONITOR, datetime.now(UTC))),
        ("workflows", {*workflows._SORTABLE, "status", "task_count"}),
    ],
)
def test_the_columns_to_sort_by_are_named(group, columns):
    order_by = next(arg for arg in ALL["taskops", group, "list"].args if "--order-by" in arg.flags)
    named = order_by.kwargs["help"].partition("One of")[2]
    assert set(re.findall(r"\w+", named)) == set(columns)


def test_options_are_offered_where_they_work():
    for group in ("tasks", "workflows"):
        for verb in CHANGING:
            offered = flags(group, verb)
            assert {"--dry-run", "--reason", "--ticket", "--plan-hash", "--yes", "--file", "--all-matching"} <= offered
            assert ("--downstream-effect" in offered) == (verb in {"pause", "offline", "delete"})
            assert ("--terminate-instances" in offered) == (verb in {"pause", "offline"})
            assert ("--resume-at" in offered) == (verb == "pause")
            assert ("--cascade" in offered) == (verb == "offline")
            assert ("--held" in offered) == (verb == "start")
            assert ("--owners" in offered) == (verb == "set-owners")
            assert ("--fill-gap" in offered) == (verb in {"start", "pause"})
            assert "--notify-owners" in offered


def test_the_filters_of_a_list_are_those_of_a_change():
    for group in ("tasks", "workflows"):
        filters = flags(group, "list") - {"--limit", "--offset", "--order-by"}
        for verb in CHANGING:
            assert filters - flags(group, verb) == set()


def test_an_unknown_word_is_a_usage_error(capsys):
    with pytest.raises(SystemExit) as end:
        get_parser().parse_args(["taskops", "tasks", "pause", "d", "t", "--downstream-effect", "vanish"])
    assert end.value.code == 2
    assert "invalid choice: 'vanish' (choose from 'skip', 'run', 'fail', 'hold')" in capsys.readouterr().err


@pytest.mark.slow
def test_the_definition_is_cheap_to_import():
    code = (
        "import sys, airflow.cli.cli_config; before = set(sys.modules)\n"
        "import taskops_provider.cli.definition\n"
        "print(*sorted(m for m in set(sys.modules) - before if not m.startswith('taskops_provider')))\n"
        "print(*sorted(m for m in set(sys.modules) - before if m.startswith('taskops_provider')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    others, ours = done.stdout.splitlines()
    assert others == ""
    assert "services" not in ours
    assert "adapter" not in ours
    assert "models" not in ours
