"""Replenishments: what is asked for, plans and progress."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidatorFunctionWrapHandler, WrapValidator

from taskops_provider.api.datamodels.common import Asked, LongText, Moment, Name, Names, PageQuery, Text
from taskops_provider.domain import replenishment as domain
from taskops_provider.domain.cells import CellClass, Wanted
from taskops_provider.domain.operations import Target
from taskops_provider.domain.progress import CellState, ReplenishmentState
from taskops_provider.domain.replenishment import MAX_ACTIVE_RUNS, MAX_DEPTH, MAX_RANGES
from taskops_provider.services.replenishment_list import NEWEST_FIRST, ReplenishmentFilter


class TaskTarget(Asked):
    """A task."""

    dag_id: Name
    task_id: Name


def _whole_day(value: Any, read: ValidatorFunctionWrapHandler) -> datetime:
    moment: datetime = domain.end_of_range(value, read) if isinstance(value, str) else read(value)
    return moment


class DateRange(Asked):
    """Logical dates, both included; a ``to`` without a time means all of that day."""

    start: Moment = Field(alias="from", examples=["2026-01-01T00:00:00Z"])
    end: Annotated[Moment, WrapValidator(_whole_day)] = Field(alias="to", examples=["2026-01-31T00:00:00Z"])


class ReplenishmentRequest(Asked):
    """What to replenish: which tasks, which cycles, which cells of them, and how."""

    workflows: Annotated[list[Name], Field(max_length=1000)] = Field(
        default=[], description="Workflows of which every task is wanted."
    )
    tasks: Annotated[list[TaskTarget], Field(max_length=10_000)] = Field(default=[], description="Single tasks.")
    upstream: int = Field(0, ge=0, le=MAX_DEPTH, description="Add so many steps upstream, across workflows.")
    downstream: int = Field(0, ge=0, le=MAX_DEPTH, description="Add so many steps downstream, across workflows.")
    ranges: Annotated[list[DateRange], Field(min_length=1, max_length=MAX_RANGES)]
    cells: list[Wanted] = Field(
        default=[Wanted.MISSING, Wanted.FAILED],
        min_length=1,
        description="`missing`: no run, or gated in it. `failed`: failed or upstream failed. `all`: also what is done.",
    )
    name: LongText = Field("", max_length=domain.MAX_NAME_LENGTH)
    max_active_runs: int = Field(1, ge=1, le=MAX_ACTIVE_RUNS, description="Runs of a workflow at a time.")
    newest_first: bool = False
    window: Text | None = Field(None, description="When runs may start, UTC.", examples=["22:00-06:00"])
    conf: dict[str, Any] = Field(default={}, description="Conf of the runs that are made.")
    reason: LongText | None = Field(None, max_length=2000)

    def asked(self, *, queues: bool = True) -> domain.Asked:
        """The inputs as the services take them."""
        return domain.Asked(
            workflows=tuple(self.workflows),
            tasks=tuple(Target(task.dag_id, task.task_id) for task in self.tasks),
            upstream=self.upstream,
            downstream=self.downstream,
            ranges=tuple(domain.Range(one.start, one.end) for one in self.ranges),
            wanted=frozenset(self.cells),
            name=self.name,
            max_active_runs=self.max_active_runs,
            newest_first=self.newest_first,
            window=domain.Window.parse(self.window) if self.window else None,
            conf=self.conf,
            reason=self.reason,
            queues=queues,
        )


class ReplenishmentPlanRequest(ReplenishmentRequest):
    """What to replenish, to be looked at."""

    grid: bool = Field(False, description="Give the cells of each task too.")


class ReplenishmentCreate(ReplenishmentRequest):
    """What to replenish, to be done."""

    queue: bool = Field(True, description="Wait for other backfills of the workflows; `false`: refuse (409).")

    def create(self) -> domain.Asked:
        """The inputs as the services take them."""
        return self.asked(queues=self.queue)


class ReplenishmentsQuery(PageQuery):
    """Which replenishments. Several values of one field mean any of them; several fields mean all of them."""

    state: list[ReplenishmentState] = Field(default=[], max_length=50, description="Any of these states.")
    actor: Names = Field(default_factory=list, description="Created by this person or program.", examples=[["alice"]])
    name: Text | None = Field(None, description="Part of the name; where it has none, of the id of one of its Dags.")
    workflow: Text | None = Field(None, description="Part of the name or id of a workflow of it.")
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
            workflow=self.workflow or "",
            dag_id=self.dag_id or "",
            since=self.since,
            until=self.until,
        )


class CellsQuery(PageQuery):
    """Which cells of a replenishment."""

    state: list[CellState] = Field(default=[], max_length=50, description="In one of these states.")
    dag_id: Names = Field(default_factory=list, description="Of this workflow.", examples=[["orders"]])


class Control(Asked):
    """How to pause, resume, cancel or retry."""

    terminate_instances: bool = Field(False, description="cancel: end what runs, in place of leaving it to its end.")
    reason: LongText | None = Field(None, max_length=2000)


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
    inputs: dict[str, Any]


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
