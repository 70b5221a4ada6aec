"""Instances of a task."""

from __future__ import annotations

from datetime import datetime
from enum import IntEnum

from pydantic import BaseModel, ConfigDict, Field, StrictBool

from taskops_provider.api.datamodels.changes import ChangeAnswer
from taskops_provider.api.datamodels.common import PageQuery, Sometimes
from taskops_provider.api.datamodels.operations import TargetOutcome
from taskops_provider.domain.instances import InstanceStatus
from taskops_provider.domain.states import Downstream
from taskops_provider.inputs.fields import Input, Moment, Names, Text
from taskops_provider.inputs.instances import InstancesInput, RunsInput
from taskops_provider.inputs.operation import OptionalText
from taskops_provider.services.catalog.instances import InstanceFilter

DRY_RUN = Field(False, description="Show what would be done and change nothing.")
PLAN_HASH = Field(None, description="Of a preview: do exactly what it showed, or nothing.")


class Instance(BaseModel):
    """One instance of a task."""

    run_id: str
    map_index: int = Field(
        description="-1 where the task is not mapped; in a loop, the number of the iteration if it is not."
    )
    run_type: str
    logical_date: datetime | None = Field(description="The data time.")
    data_interval_start: datetime | None
    data_interval_end: datetime | None
    state: str | None = Field(description="Airflow's state; null while it waits for what is upstream.")
    status: InstanceStatus = Field(description="What it is doing.")
    try_number: int
    start_date: datetime | None
    end_date: datetime | None
    duration: float | None = Field(description="Seconds.")
    pool: str
    gated: bool = Field(description="It does not execute: its task was stopped when its run was made, or ended it.")
    held: bool = Field(description="People hold it, or its run: it does not start until it is released.")
    downstream: Downstream | None = Field(description="Of a gated one: the effect it is gated with.")
    note: str | None
    iteration: str | None = Field(
        description="Of a task in a loop: which; `0.2` in a loop within a loop, `2[0]` if it is mapped in it."
    )
    region_id: str | None = Field(
        description="Of a task in a loop: with `map_index` it tells the instance from all others of its run."
    )


class StatusTotals(BaseModel):
    """How many instances are doing what, in the ranges that were asked for."""

    waiting_for_upstream: int
    waiting_for_event: int
    awaiting_execution: int
    running: int
    success: int
    failed: int
    skipped: int
    removed: int


class Instances(BaseModel):
    """A page of instances, those of the newest run first."""

    instances: list[Instance]
    total_entries: int = Field(description="How many match on all pages.")
    counts: StatusTotals = Field(description="In the ranges that were asked for, whatever states were.")
    gated: int = Field(description="How many of these do not execute because their task was stopped.")


class InstancesQuery(PageQuery):
    """Which instances, in which order."""

    order_by: Text = Field(
        "-run",
        description="One of run, logical_date, state, try_number, start_date, end_date, duration; descending with a "
        "`-` in front.",
    )
    state: Names = Field(
        default_factory=list, description="In any of these states of Airflow's; `none`: waits for what is upstream."
    )
    status: list[InstanceStatus] = Field(default_factory=list, max_length=50, description="Doing any of these.")
    gated: bool | None = Field(None, description="Those alone that are gated, or those alone that are not.")
    logical_date_from: Moment | None = Field(None, description="Data time not before; it has a logical date then.")
    logical_date_to: Moment | None = Field(None, description="Data time not after.")
    start_date_from: Moment | None = Field(None, description="Started not before.")
    start_date_to: Moment | None = Field(None, description="Started not after.")

    def filter(self) -> InstanceFilter:
        """The filter as the services take it."""
        return InstanceFilter(
            states=tuple(self.state),
            gated=self.gated,
            logical_from=self.logical_date_from,
            logical_to=self.logical_date_to,
            started_from=self.start_date_from,
            started_to=self.start_date_to,
        )


class Last(IntEnum):
    """How many instances a curve has."""

    A_FEW = 25
    MORE = 50
    MANY = 100


class CurveQuery(Input):
    """How much of the curve."""

    last: Last = Field(Last.A_FEW, description="The last 25, 50 or 100 instances that executed to their end.")


class Point(BaseModel):
    """One instance of the curve."""

    run_id: str
    map_index: int
    logical_date: datetime | None
    state: str = Field(description="`success` or `failed`.")
    start_date: datetime
    end_date: datetime
    duration: float | None = Field(description="Seconds.")


class Curve(BaseModel):
    """How long a task took, when it started and ended, the oldest instance first."""

    dag_id: str
    task_id: str
    points: list[Point]


class InstanceChange(InstancesInput):
    """A change of single instances of a task."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "instances": [{"run_id": "scheduled__2026-01-01T00:00:00+00:00", "map_index": -1}],
                    "with_downstream": "workflow",
                    "reason": "late data",
                    "dry_run": True,
                }
            ]
        }
    )

    dry_run: StrictBool = DRY_RUN
    plan_hash: OptionalText = PLAN_HASH


class RunChange(RunsInput):
    """A change of whole runs of a workflow."""

    dry_run: StrictBool = DRY_RUN
    plan_hash: OptionalText = PLAN_HASH


class InstanceOutcome(TargetOutcome):
    """What came, or would come, of it for one instance; `before` and `after` are Airflow's states, or `held`.

    Of a whole run `task_id` is null.
    """

    run_id: str
    map_index: int
    region_id: str | None = Field(description="As it was given.")


class Follower(BaseModel):
    """A workflow that gets a new run."""

    dag_id: str
    by: str = Field(description="`trigger` or `asset`.")
    of_task: str = Field(description="The task that causes it, as `dag.task`.")


class InstanceChangeAnswer(ChangeAnswer):
    """What was done, or with `dry_run` would be done, instance by instance."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "operation_id": 8,
                    "verb": "instances-rerun",
                    "dry_run": False,
                    "outcome": "success",
                    "counts": {"applied": 1, "left_alone": 0, "blocked": 0},
                    "items": [
                        {
                            "dag_id": "orders",
                            "task_id": "clean",
                            "outcome": "applied",
                            "before": "failed",
                            "after": None,
                            "reason": None,
                            "blocked_by": [],
                            "run_id": "scheduled__2026-01-01T00:00:00+00:00",
                            "map_index": -1,
                            "region_id": None,
                        }
                    ],
                }
            ]
        }
    )

    items: list[InstanceOutcome]  # type: ignore[assignment]
    follows: Sometimes[list[Follower]] = Field(
        None, description="Of a rerun `everywhere`: workflows that get a new run once an instance has run again."
    )
