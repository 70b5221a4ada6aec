"""Values of flags and arguments as they were given: ``--ticket=--`` has the value ``--``.

argparse of Python 3.11 takes a value that is only ``--`` for the sign that options end, and hands over an empty list.
"""

from __future__ import annotations

from argparse import Action, ArgumentError, ArgumentParser, Namespace
from typing import Any, Final

from airflow.cli.cli_config import Arg

_END_OF_OPTIONS: Final = "--"


def as_given(arg: Arg) -> Arg:
    """Return an argument whose value arrives as it was given. One that takes no value, or several, stays as it is."""
    action = {None: _Keep, "store": _Keep, "append": _KeepEach}.get(arg.kwargs.get("action"))
    if action is None or arg.kwargs.get("nargs") is not None:
        return arg
    return Arg(arg.flags, **{**arg.kwargs, "action": action})


def given_value(action: Action, value: Any) -> Any:
    """Return the value that an action was called with, or ``--`` where argparse took that away.

    :raises ArgumentError: for ``--`` if the argument does not take it
    """
    if action.nargs is not None or value != []:
        return value
    if action.choices is not None and _END_OF_OPTIONS not in action.choices:
        allowed = ", ".join(map(repr, action.choices))
        raise ArgumentError(action, f"invalid choice: {_END_OF_OPTIONS!r} (choose from {allowed})")
    if action.type is int:
        raise ArgumentError(action, f"invalid int value: {_END_OF_OPTIONS!r}")
    return _END_OF_OPTIONS


def add_to(earlier: Any, value: Any) -> list[Any]:
    """Return the values of a repeatable flag, with one more."""
    return [*(earlier or ()), value]


class _Keep(Action):
    """Keeps the value."""

    def __call__(
        self, parser: ArgumentParser, namespace: Namespace, values: Any, option_string: str | None = None
    ) -> None:
        setattr(namespace, self.dest, given_value(self, values))


class _KeepEach(Action):
    """Keeps the values of a repeatable flag."""

    def __call__(
        self, parser: ArgumentParser, namespace: Namespace, values: Any, option_string: str | None = None
    ) -> None:
        setattr(namespace, self.dest, add_to(getattr(namespace, self.dest), given_value(self, values)))
