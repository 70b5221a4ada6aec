"""Changes of tasks and workflows: what is asked for, what came of it."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StrictBool

from taskops_provider.api.datamodels.common import Sometimes
from taskops_provider.api.datamodels.operations import Counts, TargetOutcome
from taskops_provider.domain.operations.limits import MAX_TARGETS
from taskops_provider.domain.operations.outcomes import OperationOutcome
from taskops_provider.domain.operations.targets import Scope, Target
from taskops_provider.domain.states import Downstream, Verb
from taskops_provider.inputs.fields import Input, Name
from taskops_provider.inputs.operation import Options, Request
from taskops_provider.inputs.replenishment import TaskTarget

_HASH = r"^[0-9]{1,18}\.[0-9a-f]{40}$"


class WorkflowTarget(Input):
    """A workflow."""

    dag_id: Name = Field(examples=["orders"])


class Change(Options):
    """What is chosen with a change. Which verbs take which is said by the table of verbs."""

    plan_hash: str | None = Field(
        None,
        pattern=_HASH,
        description="Of a preview: where the state has changed since, nothing is done and the answer is 409.",
    )
    dry_run: StrictBool = Field(False, description="Preview: show what would be done and change nothing.")

    def options(self) -> Options:
        """What was chosen, as the services take it."""
        return Options.model_construct(**{name: getattr(self, name) for name in Options.model_fields})


class TaskChange(Change):
    """A change of tasks, of one workflow or of many."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "targets": [{"dag_id": "orders", "task_id": "clean"}],
                    "reason": "source system is down",
                    "downstream": "skip",
                    "dry_run": True,
                }
            ]
        }
    )

    targets: Annotated[list[TaskTarget], Field(min_length=1, max_length=MAX_TARGETS)]

    def request(self, verb: Verb) -> Request:
        """The operation that is asked for."""
        targets = tuple(Target(target.dag_id, target.task_id) for target in self.targets)
        return Request(verb, Scope.TASK, targets, self.options())


class WorkflowChange(Change):
    """A change of whole workflows."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"targets": [{"dag_id": "orders"}], "reason": "migration", "dry_run": True}]}
    )

    targets: Annotated[list[WorkflowTarget], Field(min_length=1, max_length=MAX_TARGETS)]

    def request(self, verb: Verb) -> Request:
        """The operation that is asked for."""
        return Request(verb, Scope.WORKFLOW, tuple(Target(target.dag_id) for target in self.targets), self.options())


class Affects(BaseModel):
    """How far the change reaches, as far as you may see."""

    instances: int = Field(description="Unfinished instances, which `terminate_instances` would end.")
    downstream_tasks: int
    downstream_workflows: int
    workflows: list[str] = Field(description="The ids of the first 20 of the downstream workflows.")
    drains: list[str] = Field(
        description="The first 20 workflows of which no task stays scheduling: they drain, then their Dags are paused."
    )


class Notified(BaseModel):
    """Who is told of the change."""

    told: list[str] = Field(
        description="E-mail addresses, or names if you may not read users; none where e-mail is not among the channels."
    )
    unreachable: list[str] = Field(
        description="Owners without one: they are not told by e-mail. Empty if you may not read users."
    )
    channels: list[str] = Field(description="By what they are told, names of channels; none where nobody is told.")


class WindowNotice(BaseModel):
    """A window that targets are in."""

    window_id: int
    name: str
    downstream: Downstream
    until: str = Field(examples=["2026-01-12 06:00:00 UTC"])
    tasks: int = Field(description="How many of the targets.")


class Gap(BaseModel):
    """What the started tasks have missed since they were paused."""

    cells: int = Field(description="Task by cycle, as many as are replenished; 0: nothing was missed.")
    new_runs: int
    existing_runs: int
    notes: list[str] = Field(description="What people should know of it: cycles that Airflow makes by itself, say.")


class ChangeAnswer(BaseModel):
    """What was done, or with `dry_run` would be done, target by target."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "operation_id": 7,
                    "verb": "pause",
                    "dry_run": False,
                    "outcome": "part_success",
                    "counts": {"applied": 1, "left_alone": 1, "blocked": 0},
                    "items": [
                        {
                            "dag_id": "orders",
                            "task_id": "clean",
                            "outcome": "applied",
                            "before": "scheduling",
                            "after": "paused",
                            "reason": None,
                            "blocked_by": [],
                        },
                        {
                            "dag_id": "orders",
                            "task_id": "load",
                            "outcome": "left_alone",
                            "before": "offline",
                            "after": "offline",
                            "reason": "is offline; pause applies to tasks that are scheduling",
                            "blocked_by": [],
                        },
                    ],
                }
            ]
        }
    )

    operation_id: int | None = Field(description="Its record; null for a preview.")
    verb: str
    dry_run: bool
    outcome: OperationOutcome = Field(
        description="`success`: every target was applied; `part_success`; `refused`: none was."
    )
    counts: Counts
    items: list[TargetOutcome]
    plan_hash: Sometimes[str] = Field(None, description="Of a preview: send it along to apply exactly this plan.")
    affects: Sometimes[Affects] = Field(None, description="Of a preview.")
    notified: Sometimes[Notified] = Field(None, description="With `notify_owners`.")
    windows: Sometimes[list[WindowNotice]] = Field(
        None, description="start and submit: windows that the tasks are in, and that go on pausing them."
    )
    gap: Sometimes[Gap] = Field(None, description="With `fill_gap`.")
    replenishment_id: Sometimes[int] = Field(
        None, description="With `fill_gap`: what replenishes the gap, if anything."
    )
