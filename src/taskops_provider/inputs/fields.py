"""The types that inputs are made of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Annotated, Any

from airflow import settings
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    StringConstraints,
    model_validator,
)
from pydantic_core import ValidationError, core_schema

from taskops_provider.domain.iso_times import read_iso_time
from taskops_provider.domain.zones import parse_zone
from taskops_provider.inputs.free_text import MAX_TEXT_LENGTH, text_problem
from taskops_provider.inputs.problems import predicate
from taskops_provider.inputs.wording import not_allowed

TIME_EXAMPLE = "2026-12-24T06:00:00+01:00"


def _is_storable(text: str) -> str:
    if found := text_problem(text):
        raise predicate(found)
    return text


def _is_not_empty(text: str) -> str:
    # an empty one is a script's unset variable, and would match everything
    if not text.strip():
        raise predicate("is empty; leave it out to match everything")
    return text


def _is_time(value: Any) -> Any:
    """Pydantic would take numbers, and texts that read as one, for seconds since 1970."""
    if isinstance(value, datetime):
        return value
    try:
        if isinstance(value, str):
            return read_iso_time(value)
    except ValueError:
        pass  # it is named below, as everything else that is no time
    raise predicate(not_allowed(value, f"are a date and time in ISO 8601, as {TIME_EXAMPLE}"))


def _in_utc(moment: datetime) -> datetime:
    """Without a zone a time is in Airflow's default zone, as everywhere in Airflow."""
    try:
        return (moment if moment.tzinfo else moment.replace(tzinfo=settings.TIMEZONE)).astimezone(UTC)
    except (OverflowError, ValueError):
        raise predicate("is beyond the times that can be kept") from None


def _in_utc_if_zoned(moment: datetime) -> datetime:
    _in_utc(moment)  # refuses what cannot be kept, in whatever zone
    return _in_utc(moment) if moment.tzinfo else moment


def _zone_name(name: str) -> str:
    try:
        parse_zone(name)
    except ValueError as error:
        raise predicate(str(error)) from None
    return name


Text = Annotated[str, StringConstraints(max_length=500), AfterValidator(_is_storable), AfterValidator(_is_not_empty)]
LongText = Annotated[str, StringConstraints(max_length=MAX_TEXT_LENGTH), AfterValidator(_is_storable)]
Name = Annotated[
    str, StringConstraints(min_length=1, max_length=250), AfterValidator(_is_storable), AfterValidator(_is_not_empty)
]
Moment = Annotated[datetime, BeforeValidator(_is_time), AfterValidator(_in_utc)]
#: a moment, or what clocks show in a zone that is known only later: then it has none
LocalMoment = Annotated[datetime, BeforeValidator(_is_time), AfterValidator(_in_utc_if_zoned)]
ZoneName = Annotated[str, StringConstraints(min_length=1, max_length=60), AfterValidator(_zone_name)]
#: an autoincremented key
Number = Annotated[int, Field(ge=1, le=2**63 - 1)]

Names = Annotated[list[Name], Field(max_length=200)]


@dataclass(frozen=True)
class Between:
    """A whole number from ``low`` to ``high``, both included; the error says so."""

    low: int
    high: int

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        """Read a whole number, then look at its size."""
        return core_schema.no_info_wrap_validator_function(self._read, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """Describe it."""
        return {**handler(schema), "minimum": self.low, "maximum": self.high}

    def _read(self, value: Any, read: Callable[[Any], int]) -> int:
        allowed = f"are {self.low:,} to {self.high:,}"
        try:
            number = read(value)
        except ValidationError:
            raise predicate(not_allowed(value, allowed)) from None
        if not self.low <= number <= self.high:
            raise predicate(not_allowed(number, allowed))
        return number


@dataclass(frozen=True)
class AtMost:
    """A text of at most so many characters; the error says so."""

    most: int

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        """Read a text, then look at its length."""
        return core_schema.no_info_after_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """Describe it."""
        return {**handler(schema), "maxLength": self.most}

    def _check(self, text: str) -> str:
        if len(text) > self.most:
            raise predicate(f"has {len(text):,} characters; at most {self.most:,} are kept")
        return text


#: fields that do not exist of one object, as far as they are told of
_MOST_UNKNOWN = 20


class Input(BaseModel):
    """What is sent. A field that does not exist is refused: a misspelt one would silently do something else."""

    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _tell_of_few_unknown(cls, given: Any) -> Any:
        """Leave out all but some of very many fields that do not exist: each error takes time and memory."""
        known = len(cls.model_fields)
        if not isinstance(given, dict) or len(given) <= known + _MOST_UNKNOWN:
            return given
        names = {*cls.model_fields, *(one.alias for one in cls.model_fields.values())}
        unknown = list(islice((name for name in given if name not in names), _MOST_UNKNOWN))
        return {name: value for name, value in given.items() if name in names} | {name: given[name] for name in unknown}
