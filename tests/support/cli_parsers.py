"""The parsers of ``airflow taskops``, as Airflow builds them."""

from __future__ import annotations

from argparse import Action, ArgumentParser, _SubParsersAction
from collections.abc import Iterator

from airflow.cli.cli_parser import get_parser


def taskops_parsers() -> dict[str, ArgumentParser]:
    """The parser of each command: ``tasks list``."""
    top = next(action for action in get_parser()._actions if isinstance(action, _SubParsersAction))
    return dict(_leaves(top.choices["taskops"], ""))


def needed_words(parser: ArgumentParser) -> list[str]:
    """Words for the positional arguments that a command needs."""
    return [word for action in parser._actions for word in words_for(action)]


def words_for(action: Action) -> list[str]:
    """Words that a positional argument needs."""
    if action.option_strings or action.nargs in ("?", "*"):
        return []
    return ["1" if action.type is int else "x"]


def _leaves(parser: ArgumentParser, path: str) -> Iterator[tuple[str, ArgumentParser]]:
    for action in parser._actions:
        if isinstance(action, _SubParsersAction):
            for name, below in action.choices.items():
                yield from _leaves(below, f"{path} {name}".strip())
            return
    yield path, parser
