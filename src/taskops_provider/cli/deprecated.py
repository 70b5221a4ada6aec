"""Old flags and commands: they work until 1.0, are hidden from ``--help``, and warn on stderr.

Which there are is in :mod:`taskops_provider.domain.deprecated_words`.
"""

from __future__ import annotations

import sys
from argparse import SUPPRESS, Action, ArgumentParser, Namespace
from collections.abc import Iterable, Iterator
from typing import Any, Final

from airflow.cli.cli_config import Arg

from taskops_provider.cli.as_given import add_to, given_value
from taskops_provider.domain.deprecated_words import OldWord, WordKind, old_word, old_words

_WARNED: Final = "_deprecated_flags"
_KEPT: Final = ("nargs", "type", "choices", "metavar")


def with_old_flags(command: str, arguments: Iterable[Arg]) -> Iterator[Arg]:
    """Yield the arguments of a command, and those for its old flags.

    An old flag that is among the arguments keeps its place; the others do what the new flag does.

    :param command: ``tasks list``
    """
    listed = tuple(arguments)
    words = {word.old: word for word in old_words(WordKind.FLAG, command)}
    replaced = {flag for arg in listed for flag in arg.flags if flag in words}
    for arg in listed:
        old = replaced.intersection(arg.flags)
        yield _replaced(arg, words[old.pop()]) if old else arg
        yield from (
            _renamed(arg, word)
            for flag, word in words.items()
            if flag not in replaced and word.new.partition(" ")[0] in arg.flags
        )


def is_old(command: str) -> bool:
    """Whether a command has another name now: lists of commands leave it out."""
    return old_word(WordKind.COMMAND, command) is not None


def hidden(arg: Arg) -> Arg:
    """Return an argument that is not in ``--help``: it only goes with a flag that warns."""
    return Arg(arg.flags, **{**arg.kwargs, "help": SUPPRESS})


def warn_of_command(command: str) -> None:
    """Print the line that says what a command is called now."""
    word = old_word(WordKind.COMMAND, command)
    assert word is not None
    _warn(word)


def _warn(word: OldWord) -> None:
    sys.stderr.write(f"warning: {word.sentence}\n")
    sys.stderr.flush()


def _renamed(arg: Arg, word: OldWord) -> Arg:
    """The old name of a flag; a switch, if the new name comes with a value: ``--no-wait``, ``--if-busy refuse``."""
    # no default of its own: that of the new flag counts
    return _hidden(arg, word, default=SUPPRESS, constant=word.new.partition(" ")[2] or None)


def _replaced(arg: Arg, word: OldWord) -> Arg:
    """A flag whose work something else does now: its value is found where it was, and so is its default."""
    return _hidden(arg, word, default=arg.kwargs.get("default", False if _is_switch(arg) else None))


def _hidden(arg: Arg, word: OldWord, *, default: Any, constant: str | bool | None = None) -> Arg:
    if _is_switch(arg):
        constant = True
    appends = arg.kwargs.get("action") == "append"

    class OldFlag(Action):
        """Does what the flag does, and warns once."""

        def __call__(
            self, parser: ArgumentParser, namespace: Namespace, values: Any, option_string: str | None = None
        ) -> None:
            given = given_value(self, values) if constant is None else constant
            setattr(namespace, self.dest, add_to(getattr(namespace, self.dest), given) if appends else given)
            warned: list[OldWord] = namespace.__dict__.setdefault(_WARNED, [])
            if word not in warned:
                warned.append(word)
                _warn(word)

    dest = arg.kwargs.get("dest") or _long_flag(arg).lstrip("-").replace("-", "_")
    old = Arg((word.old,), help=SUPPRESS, action=OldFlag, dest=dest, default=default)
    if constant is None:
        old.kwargs.update({name: arg.kwargs[name] for name in _KEPT if name in arg.kwargs})
    else:
        old.kwargs["nargs"] = 0
    return old


def _long_flag(arg: Arg) -> str:
    return next(str(flag) for flag in arg.flags if flag.startswith("--"))


def _is_switch(arg: Arg) -> bool:
    return bool(arg.kwargs.get("action") == "store_true")
