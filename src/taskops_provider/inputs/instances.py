"""An operation on task instances, or on whole runs, as it is asked for on every surface."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field, StrictBool

from taskops_provider.domain.instances import Reach
from taskops_provider.domain.operations.limits import MAX_INSTANCES, MAX_RUNS
from taskops_provider.inputs.fields import Input, Name
from taskops_provider.inputs.operation import OptionalText, ReasonAndTicket


class InstanceTarget(Input):
    """An instance of the task."""

    run_id: Name = Field(examples=["scheduled__2026-01-01T00:00:00+00:00"])
    map_index: int = Field(-1, ge=-1, le=2**31 - 1, description="-1 where the task is not mapped.")
    region_id: Name | None = Field(
        None, description="Of a task in a loop; needed if several iterations have instances with this map index."
    )


class _Explained(Input):
    reason: OptionalText = Field(None, description="Why; kept with the operation.")
    ticket: OptionalText = Field(None, description="The ticket that asks for it.")
    override_freeze: StrictBool = Field(
        False, description="Do it although a window freezes a task. Needs a reason, and to edit every Dag."
    )

    def explanation(self) -> ReasonAndTicket:
        """Why, as the services take it."""
        return ReasonAndTicket(reason=self.reason, ticket=self.ticket)


class InstancesInput(_Explained):
    """A change of single instances of a task."""

    instances: Annotated[list[InstanceTarget], Field(min_length=1, max_length=MAX_INSTANCES)]
    with_downstream: Reach = Field(
        Reach.NONE,
        description="rerun: what is rerun with them. `none`; `workflow`: what is downstream in their runs; "
        "`everywhere`: also what follows in other workflows.",
    )

    def names(self) -> list[tuple[str, int, str | None]]:
        """The instances, as run id, map index and region."""
        return [(one.run_id, one.map_index, one.region_id.lower() if one.region_id else None) for one in self.instances]


class RunsInput(_Explained):
    """A change of whole runs of a workflow."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"run_ids": ["manual__2026-01-01"], "dry_run": True}]})

    run_ids: Annotated[list[Name], Field(min_length=1, max_length=MAX_RUNS)]
