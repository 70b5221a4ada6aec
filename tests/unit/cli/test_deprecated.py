"""Old names of flags do what the new ones do, and say so once: each that ``domain/deprecated_words.py`` has."""

from __future__ import annotations

import shlex

import pytest
from airflow.cli.cli_parser import get_parser

from taskops_provider.domain.deprecated_words import OLD_WORDS, WordKind
from tests.support.cli_parsers import needed_words, taskops_parsers

PARSERS = taskops_parsers()
FLAGS = [(command, word) for word in OLD_WORDS if word.kind is WordKind.FLAG for command in word.where]
NAMES = [f"{command} {word.old}" for command, word in FLAGS]
#: their work is done by another command, or by a flag with a place of its own
APART = {"replenish show", "tasks lineage"}


def values(command: str, *words: str) -> dict[str, object]:
    """What a command line says, whatever flags say it."""
    given = [*shlex.split(command), *needed_words(PARSERS[command]), *words]
    found = vars(get_parser().parse_args(["taskops", *given]))
    return {name: value for name, value in found.items() if not name.startswith("_") and name != "func"}


def a_value(command: str, flag: str) -> tuple[str, ...]:
    action = PARSERS[command]._option_string_actions[flag]
    if action.nargs == 0:
        return ()
    return (str(next(iter(action.choices))) if action.choices else "1",)


@pytest.mark.parametrize(("command", "word"), FLAGS, ids=NAMES)
def test_an_old_flag_does_what_the_new_one_does(command, word):
    value = a_value(command, word.old)
    old = values(command, word.old, *value)
    assert old != values(command) or value == ("skip",)
    if command not in APART:
        assert old == values(command, *shlex.split(word.new), *value)


@pytest.mark.parametrize(("command", "word"), FLAGS, ids=NAMES)
def test_an_old_flag_warns_once_on_stderr_and_names_the_new_one(command, word, capsys):
    value = a_value(command, word.old)
    values(command, word.old, *value, word.old, *value)
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err == f"warning: {word.old} is deprecated and will be removed in 1.0; use {word.new}\n"


@pytest.mark.parametrize(("command", "word"), FLAGS, ids=NAMES)
def test_an_old_flag_takes_no_value_that_the_new_one_refuses(command, word):
    value = a_value(command, word.old)
    refused = [f"{word.old}=vanish"] if not value or value != ("1",) or "depth" in word.new else [word.old]
    with pytest.raises(SystemExit) as end:
        values(command, *refused)
    assert end.value.code == 2


@pytest.mark.parametrize(("command", "word"), FLAGS, ids=NAMES)
def test_help_names_the_new_flag_only(command, word):
    shown = PARSERS[command].format_help().split()
    assert word.old not in {one.strip(",[]") for one in shown}
    new = word.new.partition(" ")[0]
    assert not new.startswith("--") or any(new in one for one in shown)


def test_the_new_flags_do_not_warn(capsys):
    values("tasks pause", "--downstream-effect", "run", "--workflow-like", "x")
    assert capsys.readouterr().err == ""


def test_old_and_new_values_of_a_repeatable_flag_add_up():
    found = values("tasks list", "--workflow", "a", "--workflow-like", "b", "--workflow", "c")
    assert found["workflows"] == ["a", "b", "c"]


@pytest.mark.parametrize("word", [word for word in OLD_WORDS if word.kind is WordKind.COMMAND], ids=str)
def test_an_old_command_is_not_listed(word, capsys):
    group = word.old.partition(" ")[0]
    with pytest.raises(SystemExit):
        get_parser().parse_args(["taskops", group, "--help"])
    shown = capsys.readouterr().out
    assert word.old.rpartition(" ")[2] not in shown.split()
    assert {word.old, word.new} <= set(PARSERS)
