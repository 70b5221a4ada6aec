"""What people hold."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from taskops_provider.api.datamodels.common import PageQuery
from taskops_provider.inputs.fields import Name


class Hold(BaseModel):
    """An instance, or a whole run, that is held."""

    model_config = ConfigDict(from_attributes=True)

    dag_id: str
    run_id: str
    task_id: str | None = Field(description="Null: the whole run.")
    map_index: int = Field(description="-1: whatever instances the task has in the run.")
    held_at: datetime
    held_by: str | None
    reason: str | None
    ticket: str | None
    operation_id: int | None = Field(description="The operation that holds it.")


class Holds(BaseModel):
    """A page of what is held, the newest first."""

    holds: list[Hold]
    total_entries: int = Field(description="How many there are on all pages.")


class HoldsQuery(PageQuery):
    """Which part of them."""

    dag_id: Name | None = Field(None, description="Of this workflow alone.")
