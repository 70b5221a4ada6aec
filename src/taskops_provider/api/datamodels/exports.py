"""Downloads of whole lists."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import Body
from pydantic import BaseModel, Field

from taskops_provider.api.datamodels.tasks import TaskFilterFields
from taskops_provider.api.datamodels.workflows import WorkflowFilterFields
from taskops_provider.api.examples import EXPORTS
from taskops_provider.inputs.fields import Input
from taskops_provider.services.exports.request import ExportState

Format = Literal["csv", "json"]


def _all_tasks() -> TaskFilterFields:
    return TaskFilterFields.model_validate({})


def _all_workflows() -> WorkflowFilterFields:
    return WorkflowFilterFields.model_validate({})


class TaskExport(Input):
    """All tasks that match, with all columns of the list."""

    kind: Literal["tasks"]
    format: Format = "csv"
    filter: TaskFilterFields = Field(default_factory=_all_tasks, examples=[{"status": ["paused"]}])


class WorkflowExport(Input):
    """All workflows that match, with all columns of the list."""

    kind: Literal["workflows"]
    format: Format = "csv"
    filter: WorkflowFilterFields = Field(default_factory=_all_workflows, examples=[{"owner": ["ann"]}])


ExportRequest = Annotated[TaskExport | WorkflowExport, Body(discriminator="kind", openapi_examples=EXPORTS)]


class Export(BaseModel):
    """A download. Only who asked for it can see and fetch it."""

    export_id: int = Field(examples=[3])
    operation_id: int = Field(description="Its record.")
    kind: Literal["tasks", "workflows"]
    format: Format
    filter: dict[str, Any]
    state: ExportState
    rows: int = Field(description="So far.")
    size: int = Field(description="Bytes so far.")
    requested_at: datetime
    finished_at: datetime | None
    error: str | None = Field(description="Why it failed.")
