"""The types that alarm rules are made of. Their errors read on after the name of the field."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, StrictInt

from taskops_provider.domain.alarms.kinds import LEVELS
from taskops_provider.domain.clock import parse_clock
from taskops_provider.domain.zones import parse_zone
from taskops_provider.inputs.fields import Between, Input, Text
from taskops_provider.inputs.problems import predicate
from taskops_provider.inputs.wording import not_allowed

MAX_MINUTES = 60 * 24 * 31


def one_of(values: type[StrEnum]) -> BeforeValidator:
    """Return the validator of a choice."""

    def check(given: Any) -> Any:
        try:
            return values(given)
        except ValueError:
            allowed = ", ".join(value.value for value in values)
            told = f"is missing; allowed are {allowed}" if given is None else not_allowed(given, f"are {allowed}")
            raise predicate(told) from None

    return BeforeValidator(check)


def reading_on(parse: Callable[[str], str]) -> AfterValidator:
    """Return the validator of a text from a function whose errors read on after the name of the field."""

    def check(given: str) -> str:
        try:
            return parse(given)
        except ValueError as error:
            raise predicate(str(error)) from None

    return AfterValidator(check)


def _level(given: Any) -> Any:
    if isinstance(given, bool) or given not in LEVELS:
        raise predicate(not_allowed(given, "are 1 (lowest), 2, 3"))
    return given


def _clock(given: Any) -> str:
    try:
        return f"{parse_clock(given):%H:%M}"
    except ValueError as error:
        raise predicate(str(error)) from None


def _zone(given: str) -> str:
    return parse_zone(given).key


Level = Annotated[Annotated[StrictInt, Field(ge=1, le=3)], BeforeValidator(_level)]
Minutes = Annotated[StrictInt, Between(1, MAX_MINUTES)]
#: ``HH:MM``
Clock = Annotated[Text, BeforeValidator(_clock)]
#: the name of a time zone
Zone = Annotated[Text, reading_on(_zone)]


class RulePart(Input):
    """A part of a rule, which nobody changes once it is read."""

    model_config = ConfigDict(frozen=True)
