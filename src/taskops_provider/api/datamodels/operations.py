"""Operation records."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field, StrictBool

from taskops_provider.api.datamodels.common import PageQuery, Sometimes
from taskops_provider.domain.answers import Json
from taskops_provider.domain.operations.outcomes import OperationOutcome
from taskops_provider.inputs.fields import Input, Moment, Name, Names, Text
from taskops_provider.services.operations.records import NEWEST_FIRST, RecordFilter

#: from where operations come
Source = Literal["ui", "cli", "api", "operator", "monitor"]


class Counts(BaseModel):
    """How many targets each outcome has; a workflow's tasks are counted one by one."""

    applied: int
    left_alone: int = Field(description="The operation does not apply to their status; nothing was done to them.")
    blocked: int = Field(description="Strict mode or a missing permission forbids it.")


class Blocker(BaseModel):
    """A task that blocks another one in strict mode; without names where you may not read its Dag."""

    dag_id: str | None
    task_id: str | None
    name: str = Field(examples=["load", "others that you may not see"])
    task_type: Sometimes[str] = None
    period: Sometimes[str] = None
    owners: Sometimes[list[str]] = None


class TargetOutcome(BaseModel):
    """What came, or would come, of an operation for one target."""

    dag_id: str
    task_id: str | None = Field(description="null for a workflow as such.")
    outcome: Literal["applied", "left_alone", "blocked"]
    before: str | None = Field(description="The shown status before.", examples=["scheduling"])
    after: str | None = Field(description="The shown status after.", examples=["paused"])
    reason: str | None = Field(description="Why it was left alone or blocked.")
    blocked_by: list[Blocker]
    wave: Sometimes[int] = Field(None, description="With `cascade`: 1 for the leaves, 2 for those above them, ...")


class ExportProgress(BaseModel):
    """How far the download behind a record is."""

    export_id: int
    state: str
    rows: int
    size: int
    error: str | None = Field(None, description="Why it failed.")


class Operation(BaseModel):
    """One change that somebody made, or asked for."""

    operation_id: int = Field(examples=[7])
    verb: str = Field(examples=["pause", "undo", "instances-rerun", "strict-mode-on", "export"])
    scope: str = Field(description="`task`, `workflow` or `project`.")
    at: datetime
    actor: str = Field(examples=["alice"])
    source: str = Field(description="`ui`, `cli`, `api`, `operator` or `monitor`.")
    outcome: OperationOutcome
    counts: Counts = Field(description="Of the targets that you may see.")
    instances_ended: int
    options: Json = Field(description="What was chosen with it.", examples=[{"downstream": "skip"}])
    reason: str | None
    ticket: str | None
    undoes: int | None = Field(description="The operation that this one undid.")
    undone_by: int | None = Field(description="The operation that undid this one.")
    export: Sometimes[ExportProgress] = Field(None, description="Of the verb `export` alone.")


class RecordedOutcome(TargetOutcome):
    """What came of a recorded operation for one target."""

    owners_before: Sometimes[list[str]] = Field(None, description="Where owners were changed.")
    owners_after: Sometimes[list[str]] = Field(None, description="Where owners were changed.")


class OperationDetails(Operation):
    """One change with what came of each target that you may see."""

    items: list[RecordedOutcome]


class Operations(BaseModel):
    """A page of operations, newest first."""

    operations: list[Operation]
    total_entries: int = Field(description="How many there are on all pages.")


class OperationsQuery(PageQuery):
    """Which operations. Several values of one field mean any of them; several fields mean all of them."""

    verb: Names = Field(default_factory=list, description="Of this verb.", examples=[["pause"]])
    actor: Names = Field(default_factory=list, description="By this person or program.", examples=[["alice"]])
    source: list[Source] = Field(default_factory=list, max_length=50, description="From here.")
    outcome: list[OperationOutcome] = Field(default_factory=list, max_length=50, description="With this outcome.")
    dag_id: Name | None = Field(None, description="That touched this workflow.", examples=["orders"])
    task_id: Name | None = Field(None, description="That touched this task.", examples=["clean"])
    workflow_like: Text | None = Field(None, description="Part of the name or id of a workflow that was touched.")
    task_like: Text | None = Field(None, description="Part of the name or id of a task that was touched.")
    ticket: Text | None = Field(None, description="Part of the ticket.")
    since: Moment | None = Field(None, description="Since this time; without a zone in Airflow's default zone.")
    until: Moment | None = Field(None, description="Until this time.")
    order_by: Text = Field(
        NEWEST_FIRST,
        description="`operation_id`, `at`, `verb` or `actor`, with a `-` in front: descending.",
        examples=["-at"],
    )

    def filter(self) -> RecordFilter:
        """The filter as the services have it."""
        return RecordFilter(
            verbs=tuple(self.verb),
            actors=tuple(self.actor),
            sources=tuple(self.source),
            outcomes=tuple(outcome.value for outcome in self.outcome),
            dag_id=self.dag_id or "",
            task_id=self.task_id or "",
            workflow=self.workflow_like or "",
            task=self.task_like or "",
            ticket=self.ticket or "",
            since=self.since,
            until=self.until,
        )


class Undo(Input):
    """How to undo an operation."""

    dry_run: StrictBool = Field(False, description="Show what would be done and change nothing.")
    plan_hash: Text | None = Field(None, description="Of a preview: nothing is undone if the state has changed since.")
