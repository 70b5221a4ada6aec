"""Replenishments: what is asked for, plans and progress."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from taskops_provider.api.datamodels.common import PageQuery
from taskops_provider.domain.answers import Json, to_plain_data
from taskops_provider.domain.cells import CellClass
from taskops_provider.domain.progress import CellState, ReplenishmentState
from taskops_provider.inputs.fields import Moment, Name, Names, Text
from taskops_provider.inputs.replenishment import ControlInput, ReplenishmentCreateInput, ReplenishmentInput
from taskops_provider.services.replenishments.listing import NEWEST_FIRST, ReplenishmentFilter


class ReplenishmentPlanRequest(ReplenishmentInput):
    """What to replenish, to be looked at."""

    grid: bool = Field(False, description="Give the cells of each task too.")


class ReplenishmentCreate(ReplenishmentCreateInput):
    """What to replenish, to be done."""


class ReplenishmentsQuery(PageQuery):
    """Which replenishments. Several values of one field mean any of them; several fields mean all of them."""

    state: list[ReplenishmentState] = Field(default=[], max_length=50, description="Any of these states.")
    actor: Names = Field(default_factory=list, description="Created by this person or program.", examples=[["alice"]])
    name: Text | None = Field(None, description="Part of the name; where it has none, of the id of one of its Dags.")
    workflow_like: Text | None = Field(None, description="Part of the name or id of a workflow of it.")
    dag_id: Name | None = Field(None, description="A workflow of it.", examples=["orders"])
    since: Moment | None = Field(None, description="Created since; without a zone in Airflow's default zone.")
    until: Moment | None = Field(None, description="Created until.")
    order_by: Text = Field(
        NEWEST_FIRST,
        description="`replenishment_id`, `created_at`, `state` or `actor`, with a `-` in front: descending.",
        examples=["-created_at"],
    )

    def filter(self) -> ReplenishmentFilter:
        """The filter as the services have it."""
        return ReplenishmentFilter(
            states=tuple(state.value for state in self.state),
            actors=tuple(self.actor),
            name=self.name or "",
            workflow=self.workflow_like or "",
            dag_id=self.dag_id or "",
            since=self.since,
            until=self.until,
        )


class CellsQuery(PageQuery):
    """Which cells of a replenishment."""

    state: list[CellState] = Field(default=[], max_length=50, description="In one of these states.")
    dag_id: Names = Field(default_factory=list, description="Of this workflow.", examples=[["orders"]])


class Control(ControlInput):
    """How to pause, resume, cancel or retry."""


class Stretch(BaseModel):
    """Cycles one after another that are alike."""

    model_config = ConfigDict(populate_by_name=True)

    class_: CellClass = Field(alias="class")
    execute: bool
    first: datetime = Field(description="Logical date of the first of these cycles.")
    last: datetime
    cycles: int


class PlannedTask(BaseModel):
    """One row of the grid."""

    task_id: str
    pulled_in: str | None = Field(description="Why it executes too although nobody asked for it.")
    by_class: dict[CellClass, int]
    execute: int
    cells: list[Stretch] | None = Field(None, description="With `grid`: all cycles, oldest first.")


class PlannedWorkflow(BaseModel):
    """The grid of one workflow."""

    dag_id: str
    cycles: int
    first: datetime | None
    last: datetime | None
    new_runs: int
    existing_runs: int
    tasks: list[PlannedTask]
    timezone: str = Field(description="In which ranges that name no zone were read.")
    first_day: str | None = Field(description="The day of the first logical date in that zone.")
    last_day: str | None


class PlanCounts(BaseModel):
    """Cells by class, and what becomes of them."""

    by_class: dict[CellClass, int]
    execute: int
    left_alone: int
    new_runs: int
    existing_runs: int


class ReplenishmentPlan(BaseModel):
    """What a replenishment would do. Nothing has been changed."""

    name: str | None
    cells: int
    counts: PlanCounts
    estimated_seconds: int | None = Field(description="By history; null where the tasks have none.")
    warnings: list[str]
    workflows: list[PlannedWorkflow]


class CellCounts(BaseModel):
    """The cells that execute, by what had become of them and by what they do now."""

    by_class: dict[CellClass, int]
    by_state: dict[CellState, int]


class Replenishment(BaseModel):
    """One replenishment and its progress."""

    replenishment_id: int
    operation_id: int = Field(description="Its operation record.")
    name: str
    state: ReplenishmentState
    percent_complete: float
    percent_success: float
    eta: datetime | None = Field(description="When it is likely to end.")
    counts: CellCounts
    actor: str
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    problem: str | None = Field(
        description="What it waits for (it begins with `waits:`), or what it could not execute; null if all is well."
    )
    inputs: Annotated[Json, BeforeValidator(to_plain_data)]


class WorkflowProgress(BaseModel):
    """The part of one workflow."""

    dag_id: str
    percent_complete: float
    percent_success: float
    by_state: dict[CellState, int]


class ReplenishmentDetails(Replenishment):
    """One replenishment, and each of its workflows that you may read."""

    workflows: list[WorkflowProgress]
    warnings: list[str] = []


class Replenishments(BaseModel):
    """A page of replenishments."""

    replenishments: list[Replenishment]
    total_entries: int


class Cell(BaseModel):
    """One task in one cycle."""

    dag_id: str
    task_id: str
    logical_date: datetime
    run_id: str | None = Field(description="null while the run has not been made.")
    was: CellClass = Field(description="What had become of it when the replenishment was planned.")
    state: CellState


class Cells(BaseModel):
    """A page of cells."""

    cells: list[Cell]
    total_entries: int


Verb = Literal["pause", "resume", "cancel", "retry"]
