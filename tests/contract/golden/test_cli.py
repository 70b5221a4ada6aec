"""The command line answers as recorded: every command of the parser, its help, its forms of output, its refusals."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace

import pytest
from airflow.cli.cli_parser import get_parser

from tests.contract.golden.cli_cases import CASES, Run
from tests.contract.golden.compare import Golden, file_name, left_over
from tests.contract.golden.world import World
from tests.support.cli import Answer

#: groups of commands, which have a help too
GROUPS = ("", "workflows", "tasks", "instances", "runs", "replenish", "alarms", "windows", "operations", "strict-mode")

#: of an argument that the parser refuses; it shows the help with that
EXIT_USAGE = 2


def commands(parser: argparse.ArgumentParser, *names: str) -> Iterator[tuple[str, bool]]:
    """Every command below one, and whether it is a group of others."""
    choices = [one.choices for one in parser._actions if isinstance(one, argparse._SubParsersAction)]
    yield " ".join(names), bool(choices)
    for below in choices:
        for name, one in below.items():
            yield from commands(one, *names, name)


def offered() -> dict[str, bool]:
    """``tasks pause`` -> whether it is a group, for all of ``airflow taskops``."""
    airflow = next(one for one in get_parser()._actions if isinstance(one, argparse._SubParsersAction))
    return dict(commands(airflow.choices["taskops"]))


def test_every_command_is_recorded() -> None:
    found = offered()
    assert set(CASES) == {name for name, is_group in found.items() if not is_group}
    assert set(GROUPS) == {name for name, is_group in found.items() if is_group}
    names = {f"cli/{file_name(name)}.txt" for name in CASES}
    assert not left_over("cli", names | {f"cli/help/{file_name('taskops', name)}.txt" for name in found})


@pytest.mark.parametrize("command", [*GROUPS, *CASES])
def test_the_help_is_as_recorded(world: World, golden: Golden, command: str) -> None:
    answer = world.cli(*command.split(), "--help")
    golden.check(f"cli/help/{file_name('taskops', command)}.txt", told(f"{command} --help", answer))


@pytest.mark.parametrize("command", CASES)
def test_a_command_answers_as_recorded(world: World, golden: Golden, command: str) -> None:
    parts = [_play(world, run) for run in CASES[command]]
    golden.check(f"cli/{file_name(command)}.txt", "\n".join(parts))


def _play(world: World, run: Run) -> str:
    world.start_anew()
    if run.before:
        assert world.cli(*run.before.split()).code == 0
        world.effects()
    world.wait(run.hours)
    answer = world.cli(*run.words, stdin=run.stdin, answers=run.answers)
    if answer.code == EXIT_USAGE and answer.out.startswith("Usage: "):
        answer = replace(answer, out="(the help)")
    typed = run.stdin or run.answers
    line = run.line + (f"  # {run.hours} h later" if run.hours else "") + (f" <<< {typed!r}" if typed else "")
    return told(f"{run.before} && {line}" if run.before else line, answer, *world.effects())


def told(line: str, answer: Answer, *effects: str) -> str:
    """A command as a person sees it; with ``!`` what went to standard error."""
    errors = [f"! {one}" for one in answer.err.splitlines()]
    # no file ends in the middle of a line but the one that a command wrote so
    return "\n".join([f"$ {line}", answer.out.rstrip("\n"), *errors, f"exit {answer.code}", *effects, ""])
