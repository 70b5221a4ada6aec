"""What a replenishment is asked for: the one reader of REST, forms and command line (requirements 6)."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any

from pydantic import (
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    model_validator,
)
from pydantic_core import core_schema

from taskops_provider.domain.answers import Json
from taskops_provider.domain.cells import CellSelection
from taskops_provider.domain.operations.limits import MAX_REASON_LENGTH
from taskops_provider.domain.operations.targets import Target
from taskops_provider.domain.replenishment import (
    MAX_ACTIVE_RUNS,
    MAX_DEPTH,
    MAX_NAME_LENGTH,
    MAX_RANGES,
    DailyWindow,
    IfBusy,
    Range,
    ReplenishmentRequest,
    WaitFor,
    end_of_range,
)
from taskops_provider.inputs.fields import AtMost, Between, Input, LocalMoment, LongText, Name, ZoneName
from taskops_provider.inputs.free_text import FreeJson
from taskops_provider.inputs.problems import predicate, sentence

MAX_WORKFLOWS = 1000
MAX_TASKS = 10_000


class TaskTarget(Input):
    """A task."""

    dag_id: Name = Field(examples=["orders"])
    task_id: Name = Field(examples=["clean"])


def _whole_day(value: Any, read: ValidatorFunctionWrapHandler) -> datetime:
    moment: datetime = end_of_range(value, read) if isinstance(value, str) else read(value)
    return moment


class DateRange(Input):
    """Logical dates, both included; a ``to`` without a time means all of that day."""

    start: LocalMoment = Field(alias="from", examples=["2026-01-01T00:00:00Z"])
    end: Annotated[LocalMoment, WrapValidator(_whole_day)] = Field(alias="to", examples=["2026-01-31T00:00:00Z"])

    @model_validator(mode="after")
    def _has_an_end_after_its_beginning(self) -> DateRange:
        # a zone may be missing from one of them alone: then the plan looks
        if (self.start.tzinfo is None) == (self.end.tzinfo is None) and self.start > self.end:
            raise predicate("ends before it begins")
        return self


class _WindowText:
    """A daily window as text; pydantic would read and describe the tuple that it is."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        """Read it with the domain's own reader."""
        return core_schema.no_info_plain_validator_function(self._read)

    def __get_pydantic_json_schema__(self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler) -> Json:
        """Describe it."""
        return {"type": "string", "maxLength": 500}

    def _read(self, value: Any) -> DailyWindow:
        if isinstance(value, DailyWindow):
            return value
        try:
            return DailyWindow.parse(value if isinstance(value, str) else repr(value))
        except ValueError as error:
            raise predicate(str(error)) from None


Window = Annotated[DailyWindow, _WindowText()]


class ReplenishmentInput(Input):
    """What to replenish: which tasks, which cycles, which cells of them, and how."""

    workflows: Annotated[list[Name], Field(max_length=MAX_WORKFLOWS)] = Field(
        default=[], description="Workflows of which every task is wanted."
    )
    tasks: Annotated[list[TaskTarget], Field(max_length=MAX_TASKS)] = Field(default=[], description="Single tasks.")
    upstream_depth: Annotated[int, Between(0, MAX_DEPTH)] = Field(
        0, description="Add so many steps upstream, across workflows."
    )
    downstream_depth: Annotated[int, Between(0, MAX_DEPTH)] = Field(
        0, description="Add so many steps downstream, across workflows."
    )
    ranges: Annotated[list[DateRange], Field(max_length=MAX_RANGES, json_schema_extra={"minItems": 1})]
    timezone: ZoneName | None = Field(
        None,
        description="Time zone of ranges that name none; by default each Dag's own.",
        examples=["Asia/Shanghai"],
    )
    exclude: Annotated[list[TaskTarget], Field(max_length=MAX_TASKS)] = Field(
        default=[], description="Tasks that do not execute and count as success."
    )
    cells: list[CellSelection] = Field(
        default=[CellSelection.MISSING, CellSelection.FAILED],
        min_length=1,
        max_length=50,
        description="`missing`: no run, or gated in it. `failed`: failed or upstream failed. `all`: also what is done.",
    )
    name: Annotated[LongText, AtMost(MAX_NAME_LENGTH)] = ""
    max_active_runs: Annotated[int, Between(1, MAX_ACTIVE_RUNS)] = Field(1, description="Runs of a workflow at a time.")
    newest_first: bool = False
    window: Window | None = Field(None, description="When runs may start, UTC.", examples=["22:00-06:00"])
    conf: FreeJson = Field(default={}, description="Conf of the runs that are made.")
    override_conf: bool = Field(
        False, description="Existing runs in which cells execute get this conf too; by default they keep theirs."
    )
    wait_for: WaitFor = Field(
        WaitFor.INSIDE,
        description="Which cells upstream, across workflows, a cell waits for. `none`. `inside`: those that this "
        "replenishment executes. `all`: also those that it does not execute must have succeeded.",
    )
    run_on_latest_version: bool | None = Field(
        None,
        description="What is cleared executes by the newest version of its Dag (true) or by its run's (false). "
        "Null: as the Dag's `rerun_with_latest_version`, else Airflow's configuration, says.",
    )
    reason: Annotated[LongText, AtMost(MAX_REASON_LENGTH)] | None = None

    @model_validator(mode="after")
    def _has_targets_and_ranges(self) -> ReplenishmentInput:
        if not self.workflows and not self.tasks:
            raise sentence("name at least one workflow or task to replenish")
        if not self.ranges:
            raise sentence("give at least one range of dates")
        if self.override_conf and not self.conf:
            raise sentence("give a conf to override that of existing runs with")
        return self

    def request(self, *, is_selection: bool = False) -> ReplenishmentRequest:
        """Return the inputs as the services take them.

        :param is_selection: the targets were selected among others, not named
        """
        return ReplenishmentRequest(
            workflows=tuple(self.workflows),
            tasks=tuple(Target(task.dag_id, task.task_id) for task in self.tasks),
            upstream_depth=self.upstream_depth,
            downstream_depth=self.downstream_depth,
            ranges=tuple(Range(one.start, one.end) for one in self.ranges),
            timezone=self.timezone,
            exclude=tuple(Target(task.dag_id, task.task_id) for task in self.exclude),
            cells=frozenset(self.cells),
            name=self.name,
            max_active_runs=self.max_active_runs,
            newest_first=self.newest_first,
            window=self.window,
            conf=self.conf,
            override_conf=self.override_conf,
            wait_for=self.wait_for,
            run_on_latest_version=self.run_on_latest_version,
            reason=self.reason,
            is_selection=is_selection,
        )


class ReplenishmentCreateInput(ReplenishmentInput):
    """What to replenish, to be done."""

    if_busy: IfBusy = Field(
        IfBusy.QUEUE,
        description="Another backfill of one of the workflows goes on: `queue` behind it, or `refuse` (409).",
    )

    def request(self, *, is_selection: bool = False) -> ReplenishmentRequest:
        """Return the inputs as the services take them."""
        return replace(super().request(is_selection=is_selection), if_busy=self.if_busy)


class ControlInput(Input):
    """How to pause, resume, cancel or retry."""

    terminate_instances: bool = Field(False, description="cancel: end what runs, in place of leaving it to its end.")
    reason: Annotated[LongText, AtMost(MAX_REASON_LENGTH)] | None = None
