"""Why a task does not run."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, Field

from taskops_provider.domain.states import TaskStatus
from taskops_provider.inputs.fields import Input, Name


class WhyQuery(Input):
    """Whose reasons."""

    run_id: Name | None = Field(None, description="Those of its instances in this run, finished ones too.")


class Reason(BaseModel):
    """One reason, in one line."""

    code: str = Field(
        examples=["paused"],
        description="For programs: `paused`, `dag_paused`, `draining`, `upstream`, `pool_full`, ...",
    )
    text: str = Field(examples=["Paused by ann: source system is down. To end it, start it."])
    since: datetime | None = Field(description="Since when it holds.")
    until: datetime | None = Field(description="When it is over by itself, as far as that is known.")
    operation_id: int | None = Field(description="The operation behind it.")
    dag_id: str | None = Field(description="With `task_id`: the task that the line names.")
    task_id: str | None
    pool: str | None = Field(description="The pool that the line names.")


class InstanceWhy(BaseModel):
    """Why one instance does not run."""

    run_id: str
    map_index: int = Field(description="-1 where the task is not mapped.")
    state: str | None = Field(description="Airflow's state; null while it waits for what is upstream.")
    reasons: list[Reason]


class Why(BaseModel):
    """Why a task does not run."""

    dag_id: str
    task_id: str
    status: TaskStatus = Field(description="What is shown.")
    run_id: str | None = Field(description="The run that was asked for.")
    reasons: list[Reason] = Field(description="Of the task itself, with when its next run is made.")
    unfinished_instances: int | None = Field(
        description="How many are unfinished (of a run that was asked for: how many there are); null for one who may "
        "not see instances."
    )
    instances: list[InstanceWhy] = Field(description="At most five, those of the oldest run first.")
