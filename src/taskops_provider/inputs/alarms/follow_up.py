"""What a rule does later: quiet hours, repeats, escalation."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import AfterValidator, BeforeValidator, Field, StrictInt, model_validator

from taskops_provider.domain.alarms.times import Quiet
from taskops_provider.domain.clock import parse_clock
from taskops_provider.domain.zones import parse_zone
from taskops_provider.inputs.alarms.fields import Clock, Level, Minutes, RulePart, Zone
from taskops_provider.inputs.alarms.recipients import Recipients
from taskops_provider.inputs.fields import Between
from taskops_provider.inputs.problems import predicate

MAX_REPEATS = 1000
DEFAULT_REPEATS = 3


class QuietHours(RulePart):
    """When nothing is sent; what fires then is sent at their end, as one message."""

    opens: Clock = Field(alias="from", examples=["22:00"])
    closes: Clock = Field(alias="to", examples=["07:00"])
    zone: Annotated[Zone, BeforeValidator(lambda given: given or "UTC")] = Field("UTC", examples=["Europe/Berlin"])
    except_level: Level | None = Field(None, description="This level and above is sent all the same.")

    @property
    def quiet(self) -> Quiet:
        """The hours themselves."""
        return Quiet(parse_clock(self.opens), parse_clock(self.closes), parse_zone(self.zone), self.except_level)

    @model_validator(mode="after")
    def _leave_some_time(self) -> Self:
        if self.opens == self.closes:
            raise predicate("begin and end at the same time; disable the rule to send nothing at all")
        return self


class Repeat(RulePart):
    """Say it again until somebody acknowledges it."""

    minutes: Minutes = Field(description="After so many minutes each time.")
    max: Annotated[StrictInt, Between(1, MAX_REPEATS)] = Field(DEFAULT_REPEATS, description="At most so often.")


def _somebody(given: Recipients) -> Recipients:
    if not given:
        raise predicate("names nobody")
    return given


class Escalation(RulePart):
    """Tell others too if nobody acknowledges it."""

    after: Minutes = Field(description="After so many minutes.")
    recipients: Annotated[Recipients, AfterValidator(_somebody)]
