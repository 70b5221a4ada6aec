"""One line about an input that is not valid, the same on every surface."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

from pydantic_core import PydanticCustomError

from taskops_provider.exceptions import BadInput
from taskops_provider.inputs.wording import unquoted, words_of

#: pydantic's place of a problem: names of fields, positions in lists
Path = Sequence[str | int]

_PREDICATE: Final = "predicate"
_SENTENCE: Final = "sentence"


def predicate(text: str) -> PydanticCustomError:
    """Return the error of a validator that goes on after the name of the field: ``is 5; allowed are 1, 2, 3``."""
    return PydanticCustomError(_PREDICATE, "{text}", {"text": text})


def sentence(text: str) -> PydanticCustomError:
    """Return the error of a validator that says all by itself, without the name of the field."""
    return PydanticCustomError(_SENTENCE, "{text}", {"text": text})


class InvalidInput(BadInput):
    """An input that is not valid.

    :param errors: what is wrong, as pydantic has it
    :param allowed: the fields that there are
    :param name: how the surface that reads it names fields
    """

    def __init__(self, errors: Sequence[Mapping[str, Any]], allowed: Sequence[str], name: Callable[[Path], str]):
        self.errors = errors
        self.allowed = allowed
        super().__init__(self.line(name))

    def line(self, name: Callable[[Path], str]) -> str:
        """Return one line about the first field that is not valid.

        :param name: how the surface names fields
        """
        first = self.errors[0]
        allowed = self.allowed if len(first["loc"]) == 1 else ()
        return problem(first, name(first["loc"]), allowed=allowed) + more(self.errors)


@contextmanager
def naming(name: Callable[[Path], str]) -> Iterator[None]:
    """Have what is read inside named as a surface does.

    :raises BadInput: for an input that is not valid, with the surface's names of fields
    """
    try:
        yield
    except InvalidInput as invalid:
        raise BadInput(invalid.line(name)) from None


def dotted(path: Path) -> str:
    """Name a field as JSON has it: ``targets[0].dag_id``."""
    name = ""
    for part in path:
        name += f"[{part}]" if isinstance(part, int) else f".{part}"
    return name.lstrip(".")


def flag(path: Path) -> str:
    """Name a field as the command line has it: ``--resume-at``."""
    return f"--{str(path[0]).replace('_', '-')}" if path else ""


def problem(error: Mapping[str, Any], name: str, *, noun: str = "field", allowed: Sequence[str] = ()) -> str:
    """Return the line about one error of pydantic's.

    :param name: of the field
    :param noun: what the surface calls a field
    :param allowed: the fields that there are
    """
    if error["type"].startswith("union_tag"):
        tag = error["ctx"]["discriminator"].strip("'")
        tags = error["ctx"].get("expected_tags")
        return f"{tag} is {error['ctx']['tag']!r}; allowed are {unquoted(tags)}" if tags else f"{tag} is missing"
    if error["type"] == "extra_forbidden":
        told = f"; allowed are {', '.join(allowed)}" if allowed else ""
        return f"{name}: there is no such {noun}{told}"
    if words := words_of(error):
        return f"{name} {words}"
    if error["type"] == _PREDICATE:
        return f"{name} {error['msg']}"
    if error["type"] == _SENTENCE:
        return str(error["msg"])
    return f"{name}: {str(error['msg']).removeprefix('Value error, ')}"


def names_no_field(error: Mapping[str, Any]) -> bool:
    """Whether the line about an error of a whole object says all without the name of a field."""
    return error["type"] == _SENTENCE or str(error["type"]).startswith("union_tag")


def more(errors: Sequence[Any]) -> str:
    """Return what follows the first line if there are further errors."""
    return f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
