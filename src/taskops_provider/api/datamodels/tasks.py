"""Tasks."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, Field

from taskops_provider.api.datamodels.common import PageQuery, Sometimes
from taskops_provider.api.datamodels.operations import Operation
from taskops_provider.domain.periods import Period
from taskops_provider.domain.states import Downstream, TaskState, TaskStatus
from taskops_provider.inputs.fields import Input, Names, Text
from taskops_provider.services.catalog.filters import TaskFilter
from taskops_provider.services.exports.filters import task_filter


class Task(BaseModel):
    """A task of a Dag's latest version, with its scheduling state."""

    dag_id: str = Field(examples=["orders"])
    task_id: str = Field(examples=["clean"])
    status: TaskStatus = Field(description="What is shown.")
    owners: list[str] = Field(examples=[["ann", "bob"]])
    project: str = Field(description="The Dag bundle.")
    folder: str = Field(description="`bundle/dir/sub`: the directory of the Dag file.")
    task_type: str = Field(examples=["BashOperator"])
    period: Period
    schedule: str | None = Field(examples=["@daily"])
    pool: str | None
    queue: str | None
    downstream: Downstream | None = Field(description="Of a stopped task: what becomes of its instances.")
    reason: str | None = Field(description="Why it was stopped or started last.")
    resume_at: datetime | None = Field(description="When it starts again by itself.")
    first_submitted_at: datetime | None
    last_submitted_at: datetime | None
    first_run_at: datetime | None
    effective_from: datetime | None
    effective_to: datetime | None
    source_tables: list[str] = Field(description="Its inlets.")
    target_tables: list[str] = Field(description="Its outlets.")
    window: Sometimes[str] = Field(
        None,
        description="The window that it is in. Left out where it is in none.",
        examples=["night until 2026-01-12 06:00:00 UTC"],
    )


class TaskDetails(Task):
    """One task."""

    display_name: str
    state: TaskState = Field(description="What is stored: without expiry and without its Dag's pause.")
    ticket: str | None
    is_present: bool = Field(description="It is in the latest version of its Dag.")
    last_operations: list[Operation] = Field(description="The newest five.")


class Tasks(BaseModel):
    """A page of tasks."""

    tasks: list[Task]
    total_entries: int = Field(description="How many match on all pages.")


class TaskFilterFields(Input):
    """Which tasks. Several values of one field mean any of them; several fields mean all of them."""

    search: Text | None = Field(None, description="Part of the task's name or id, in any case.")
    dag_id: Names = Field(default_factory=list, description="In these workflows.")
    workflow_like: Names = Field(default_factory=list, description="In workflows with this in their name or id.")
    owner: Names = Field(default_factory=list, description="Owned by any of them.")
    folder: Names = Field(default_factory=list, description="In these folders (`bundle/dir`) or below them.")
    project: Names = Field(default_factory=list, description="In these projects (Dag bundles).")
    period: list[Period] = Field(default_factory=list, max_length=50, description="Scheduled by these periods.")
    status: list[TaskStatus] = Field(default_factory=list, max_length=50, description="With these statuses.")
    task_type: Names = Field(default_factory=list, description="Of these types.", examples=[["BashOperator"]])
    source_table: Text | None = Field(None, description="Part of an inlet's URI.")
    target_table: Text | None = Field(None, description="Part of an outlet's URI.")
    deleted: bool = Field(False, description="Deleted ones as well.")
    absent: bool = Field(False, description="Those as well that are no longer in their Dag.")

    def filter(self) -> TaskFilter:
        """The filter as the services take it."""
        return task_filter(self.model_dump(mode="json"))


class TasksQuery(TaskFilterFields, PageQuery):
    """Which tasks, in which order."""

    order_by: Text = Field(
        "dag_id",
        description="One of dag_id, task_id, status, folder, task_type, period, pool, first_submitted_at, "
        "last_submitted_at, first_run_at, effective_from, effective_to; descending with a `-` in front.",
    )
