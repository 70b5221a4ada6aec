"""Answers of services as plain data: what JSON, YAML and templates are made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import fields, is_dataclass
from datetime import datetime
from enum import Enum
from functools import cache
from typing import Any, Final, TypeAlias, TypeVar

from pydantic import BaseModel

Answer = TypeVar("Answer")

#: an object of JSON that has no shape of its own: the conf of a run, a column
Json: TypeAlias = dict[str, Any]
#: ``field(default=None, metadata=OMIT_NONE)``: the field is left out of plain data while it is None
OMIT_NONE: Final[Mapping[str, bool]] = {"omit_none": True}
#: ``field(metadata=INTERNAL)``: the field is never in plain data
INTERNAL: Final[Mapping[str, bool]] = {"internal": True}


_SCALARS = frozenset({type(None), bool, int, float, str, datetime})


def copy_as(kind: type[Answer], answer: Any, **more: Any) -> Answer:
    """Return a dataclass with the fields of another and some more: a kind that is derived from that of ``answer``."""
    return kind(**{one.name: getattr(answer, one.name) for one in fields(answer)}, **more)


def to_plain_data(answer: Any) -> Any:
    """Return an answer as dicts, lists and scalars, in the order of its fields.

    A field that would be a keyword of Python's has an underscore behind it, which plain data do not: ``class_``.
    Dataclasses, named tuples and models of inputs become dicts, enumerations their values, sequences and sets lists.
    Times and everything else stay as they are: each surface writes them its way.
    """
    # by their exact type first: most values are scalars, and there may be 100,000 of them
    kind = type(answer)
    if kind in _SCALARS:
        return answer
    if kind is list:
        return [to_plain_data(value) for value in answer]
    if is_dataclass(kind):
        return _plain_fields(answer, kind)
    if isinstance(answer, BaseModel):
        return answer.model_dump(mode="json", by_alias=True)
    if isinstance(answer, Enum):
        return answer.value
    if isinstance(answer, Mapping):
        return {to_plain_data(key): to_plain_data(value) for key, value in answer.items()}
    if hasattr(kind, "_fields"):
        return {name: to_plain_data(value) for name, value in zip(kind._fields, answer, strict=True)}
    if isinstance(answer, AbstractSet | Sequence) and not isinstance(answer, str | bytes | bytearray):
        return [to_plain_data(value) for value in (sorted(answer) if isinstance(answer, AbstractSet) else answer)]
    return answer


def _plain_fields(answer: Any, kind: type) -> Json:
    shown: Json = {}
    for name, key, omits_none in _shown_fields(kind):
        value = getattr(answer, name)
        if not (omits_none and value is None):
            shown[key] = value if type(value) in _SCALARS else to_plain_data(value)
    return shown


def field_names(kind: type) -> tuple[str, ...]:
    """Return the keys that plain data of a dataclass has, in their order."""
    return tuple(key for _, key, _ in _shown_fields(kind))


@cache
def _shown_fields(kind: type) -> tuple[tuple[str, str, bool], ...]:
    """The fields of a dataclass that plain data has: name, key there, whether it is left out while it is None."""
    return tuple(
        (one.name, one.name.removesuffix("_"), bool(one.metadata.get("omit_none")))
        for one in fields(kind)
        if not one.metadata.get("internal")
    )
