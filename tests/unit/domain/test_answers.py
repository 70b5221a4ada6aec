"""Answers of services become plain data in one way."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum

from taskops_provider.domain.answers import INTERNAL, OMIT_NONE, to_plain_data


class Colour(StrEnum):
    RED = "red"


@dataclass(frozen=True)
class Inner:
    colour: Colour
    note: str | None = field(default=None, metadata=OMIT_NONE)
    secret: str = field(default="x", metadata=INTERNAL)


@dataclass(frozen=True)
class Outer:
    inner: tuple[Inner, ...]
    by: dict[Colour, int]
    at: datetime
    names: frozenset[str]
    empty: None = None


def test_dataclasses_become_dicts_in_the_order_of_their_fields():
    at = datetime(2026, 1, 2, tzinfo=UTC)
    answer = Outer((Inner(Colour.RED), Inner(Colour.RED, "why")), {Colour.RED: 2}, at, frozenset("ba"))
    assert to_plain_data(answer) == {
        "inner": [{"colour": "red"}, {"colour": "red", "note": "why"}],
        "by": {"red": 2},
        "at": at,
        "names": ["a", "b"],
        "empty": None,
    }
    assert list(to_plain_data(answer)) == ["inner", "by", "at", "names", "empty"]
    # no enumeration is left, which YAML would write as an object
    assert type(to_plain_data(answer)["inner"][0]["colour"]) is str
