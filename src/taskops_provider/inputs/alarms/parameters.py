"""What a rule waits for in detail: the parameters of each kind."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final, TypeAlias, TypeVar

from pydantic import Field, StrictInt

from taskops_provider.domain.alarms.kinds import DEADLINES, FailedOn, Kind
from taskops_provider.domain.alarms.times import Deadline
from taskops_provider.domain.answers import Json
from taskops_provider.domain.clock import parse_clock
from taskops_provider.domain.zones import parse_zone
from taskops_provider.exceptions import BadInput
from taskops_provider.inputs.alarms.fields import Clock, Minutes, RulePart, Zone, one_of
from taskops_provider.inputs.fields import Between
from taskops_provider.inputs.reading import read

MAX_DAYS = 31
MAX_LAST = 100
DEFAULT_LAST = 10
MAX_PERCENT = 10_000


class NoParameters(RulePart):
    """Of the kinds that need none."""


class Failed(RulePart):
    """Which failure counts."""

    on: Annotated[FailedOn, one_of(FailedOn)] = FailedOn.RETRIES_EXHAUSTED


class LongerThanMinutes(RulePart):
    """Longer than a number of minutes."""

    minutes: Minutes


class LongerThanAverage(RulePart):
    """Longer than the average of the last successful runs, by percent."""

    percent: Annotated[StrictInt, Between(1, MAX_PERCENT)]
    last: Annotated[StrictInt, Between(1, MAX_LAST)] = DEFAULT_LAST


class DueBy(RulePart):
    """By a time of the day."""

    time: Clock
    zone: Zone = "UTC"
    days: Annotated[StrictInt, Between(0, MAX_DAYS)] = Field(0, description="After the data day.")

    @property
    def deadline(self) -> Deadline:
        """The deadlines that follow from it."""
        return Deadline(parse_clock(self.time), parse_zone(self.zone), self.days)


Parameters: TypeAlias = NoParameters | Failed | LongerThanMinutes | LongerThanAverage | DueBy
AnyParameters = TypeVar("AnyParameters", bound=RulePart)

#: kind -> its parameters; of ``running_longer_than`` those that are given decide
_MODELS: Final[Mapping[Kind, type[Parameters]]] = {Kind.FAILED: Failed} | dict.fromkeys(DEADLINES, DueBy)


def read_parameters(kind: Kind, given: Json | None) -> Parameters:
    """Read the parameters of a kind; those that are null are as if they were not there.

    :raises BadInput: one line about what is not valid
    """
    given = {name: value for name, value in (given or {}).items() if value is not None}
    if kind is Kind.RUNNING_LONGER_THAN:
        return _read_longer_than(given)
    if kind in DEADLINES and "time" not in given:
        _refuse_unknown(kind, DueBy, given)
        raise BadInput(f"{kind.value} needs a time, as 08:00")
    return _read(kind, _MODELS.get(kind, NoParameters), given)


def _read_longer_than(given: Json) -> Parameters:
    kind = Kind.RUNNING_LONGER_THAN
    if ("minutes" in given) == ("percent" in given):
        raise BadInput(f"{kind.value} needs minutes, or percent over the average of the last runs; one of them")
    if "minutes" not in given:
        return _read(kind, LongerThanAverage, given)
    if "last" in given:
        raise BadInput("last goes with percent, not with minutes")
    return _read(kind, LongerThanMinutes, given)


def _read(kind: Kind, model: type[AnyParameters], given: Json) -> AnyParameters:
    _refuse_unknown(kind, model, given)
    return read(model, given, at=("parameters",))


def _refuse_unknown(kind: Kind, model: type[RulePart], given: Json) -> None:
    if unknown := sorted(set(given) - set(model.model_fields)):
        allowed = ", ".join(model.model_fields) or "none"
        raise BadInput(f"parameters of {kind.value} has no {unknown[0][:40]!r}; allowed are {allowed}")
