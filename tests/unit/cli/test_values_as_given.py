"""A flag's value is kept as it was typed, or refused in one line: ``--`` too, which argparse would take away.

Every flag of every command is tried: the parser that Airflow builds is walked.
"""

from __future__ import annotations

from argparse import Action, ArgumentParser, Namespace
from collections.abc import Iterator

import pytest

from tests.support.cli_parsers import needed_words, taskops_parsers, words_for

#: texts that look like something else to a parser
AWKWARD = ("--", "--x", "-", "-x", "---", "-- x", "=")

PARSERS = taskops_parsers()


class Refused(Exception):
    """The parser ended, with this line."""


def parse(parser: ArgumentParser, words: list[str]) -> Namespace | str:
    """Return what was parsed, or the line of the refusal."""

    def refuse(status: int = 0, message: str | None = None) -> None:
        assert status == 2
        raise Refused((message or "").strip())

    # Airflow keeps its parsers: what is changed here must not stay
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parser, "exit", refuse)
        patch.setattr(parser, "print_help", lambda *_: None)
        try:
            return parser.parse_args(words)
        except Refused as refusal:
            return str(refusal)


def options(parser: ArgumentParser) -> Iterator[tuple[str, Action]]:
    """The flags that take a value."""
    for action in parser._actions:
        for flag in action.option_strings:
            if flag.startswith("--") and action.nargs != 0:
                yield flag, action


@pytest.mark.parametrize("command", PARSERS)
def test_a_flags_value_is_kept_as_it_stands_or_refused(command):
    parser = PARSERS[command]
    words = needed_words(parser)
    for flag, action in options(parser):
        for text in AWKWARD:
            found = parse(parser, [*words, f"{flag}={text}"])
            if isinstance(found, str):
                assert len(found.splitlines()) == 1
                assert flag in found
                assert action.nargs == 2 or repr(text) in found
            else:
                repeats = isinstance(getattr(parse(parser, [*words, f"{flag}=1"]), action.dest), list)
                assert getattr(found, action.dest) == ([text] if repeats else text)


@pytest.mark.parametrize("command", PARSERS)
def test_an_arguments_value_is_kept_as_it_stands_or_refused(command):
    parser = PARSERS[command]
    arguments = [one for one in parser._actions if not one.option_strings]
    for number, action in enumerate(arguments):
        if action.nargs is not None:
            continue
        before, after = (
            [word for one in some for word in words_for(one)] for some in (arguments[:number], arguments[number + 1 :])
        )
        found = parse(parser, ["--", *before, "--", *after])
        if isinstance(found, str):
            assert "'--'" in found
        else:
            assert getattr(found, action.dest) == "--"
