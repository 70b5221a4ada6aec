"""Workflows."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, Field

from taskops_provider.api.datamodels.common import PageQuery
from taskops_provider.api.datamodels.operations import Operation
from taskops_provider.domain.periods import Period
from taskops_provider.domain.states import WorkflowStatus
from taskops_provider.inputs.fields import Input, Names, Text
from taskops_provider.services.catalog.filters import WorkflowFilter
from taskops_provider.services.exports.filters import workflow_filter


class StatusCounts(BaseModel):
    """How many tasks show each status (deleted ones do not count)."""

    scheduling: int
    paused: int
    offline: int
    invalid: int


class Workflow(BaseModel):
    """A Dag as TaskOps sees it."""

    dag_id: str = Field(examples=["orders"])
    status: WorkflowStatus
    task_count: int
    status_counts: StatusCounts
    owners: list[str] = Field(examples=[["ann", "bob"]])
    project: str = Field(description="The Dag bundle.")
    folder: str = Field(description="`bundle/dir/sub`: the directory of the Dag file.")
    schedule: str | None = Field(examples=["@daily"])
    period: Period
    draining_runs: int | None = Field(description="Runs left while it drains; null where it does not.")
    first_submitted_at: datetime | None
    last_submitted_at: datetime | None


class Run(BaseModel):
    """A run of a workflow."""

    run_id: str
    run_type: str = Field(examples=["scheduled"])
    state: str = Field(examples=["success"])
    logical_date: datetime | None = Field(description="The data time.")
    data_interval_start: datetime | None
    data_interval_end: datetime | None
    run_after: datetime
    start_date: datetime | None
    end_date: datetime | None
    duration: float | None = Field(description="Seconds; null while it has not ended.")
    held: bool = Field(description="People hold it: nothing starts in it until it is released.")


class WorkflowDetails(Workflow):
    """One workflow."""

    display_name: str
    is_present: bool = Field(description="Its Dag exists and is not stale.")
    is_deleted: bool
    timezone: str | None = Field(description="The time zone of its schedule.")
    effective_from: datetime | None
    effective_to: datetime | None
    bundle_url: str | None = Field(description="Where the Dag bundle shows its code, for those that say so.")
    type_counts: dict[str, int] = Field(description="Tasks by type.", examples=[{"BashOperator": 3}])
    period_counts: dict[Period, int] = Field(description="Tasks by period.", examples=[{"day": 3}])
    runs: list[Run] | None = Field(
        description="The last 30, oldest first; null where the tasks share no period, or you may not see runs."
    )
    runs_not_shown: str | None = Field(description="Why `runs` is null.")
    last_operations: list[Operation] = Field(description="The newest five.")


class Workflows(BaseModel):
    """A page of workflows."""

    workflows: list[Workflow]
    total_entries: int = Field(description="How many match on all pages.")


class WorkflowFilterFields(Input):
    """Which workflows. Several values of one field mean any of them; several fields mean all of them."""

    search: Text | None = Field(None, description="Part of the name or id, in any case; several separated by `|`.")
    owner: Names = Field(default_factory=list, description="Owned by any of them.")
    folder: Names = Field(default_factory=list, description="In these folders (`bundle/dir`) or below them.")
    project: Names = Field(default_factory=list, description="In these projects (Dag bundles).")
    period: list[Period] = Field(default_factory=list, max_length=50, description="Scheduled by these periods.")
    status: list[WorkflowStatus] = Field(default_factory=list, max_length=50, description="With these statuses.")
    deleted: bool = Field(False, description="Deleted ones as well.")
    absent: bool = Field(False, description="Those as well whose Dag is gone.")

    def filter(self) -> WorkflowFilter:
        """The filter as the services take it."""
        return workflow_filter(self.model_dump(mode="json"))


class WorkflowsQuery(WorkflowFilterFields, PageQuery):
    """Which workflows, in which order."""

    order_by: Text = Field(
        "dag_id",
        description="One of dag_id, status, task_count, folder, period, first_submitted_at, last_submitted_at; "
        "descending with a `-` in front.",
    )
