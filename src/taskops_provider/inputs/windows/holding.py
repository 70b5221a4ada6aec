"""Holding and releasing everything, and leaving out the next cycles, as people and programs ask for it."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StrictInt

from taskops_provider.domain.operations.limits import MAX_REASON_LENGTH
from taskops_provider.inputs.fields import AtMost, Between, Input, LongText, Name
from taskops_provider.inputs.replenishment import TaskTarget

MAX_CYCLES = 1000
MAX_SKIPPED = 100

_Reason = Annotated[LongText, AtMost(MAX_REASON_LENGTH)] | None


class HoldAll(Input):
    """Hold everything, or a project, until it is released."""

    project: Name | None = Field(None, description="A Dag bundle; everything if left out.")
    reason: _Reason = None


class ReleaseAll(Input):
    """Release what is held."""

    project: Name | None = Field(None, description="What is held of this Dag bundle; everything if left out.")
    wave: Annotated[StrictInt, Between(1, 100_000)] | None = Field(
        None, description="So many workflows at a time, in the order of their ids; all at once if left out."
    )
    every_minutes: Annotated[StrictInt, Between(1, 24 * 60)] = Field(10, description="Minutes between two waves.")
    reason: _Reason = None


class SkipNext(Input):
    """Leave out the next cycles of workflows or tasks."""

    tasks: Annotated[tuple[TaskTarget, ...], Field(max_length=MAX_SKIPPED)] = ()
    workflows: Annotated[tuple[Name, ...], Field(max_length=MAX_SKIPPED)] = ()
    cycles: Annotated[StrictInt, Between(1, MAX_CYCLES)] = Field(1, description="How many cycles of the schedule.")
    reason: _Reason = None
