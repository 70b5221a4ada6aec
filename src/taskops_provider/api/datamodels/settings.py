"""Settings of projects."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, Field, StrictBool

from taskops_provider.inputs.fields import Input, Name


class StrictMode(BaseModel):
    """Strict mode of one project."""

    project: str = Field(description="The Dag bundle.", examples=["dags-folder"])
    strict_mode: bool
    chosen: bool = Field(description="false where it follows `[taskops] strict_mode`.")
    changed_by: str | None
    changed_at: datetime | None


class StrictModes(BaseModel):
    """Strict mode of the projects that have a workflow you may read."""

    projects: list[StrictMode]
    total_entries: int


class StrictModeQuery(Input):
    """Which projects."""

    project: Name | None = Field(None, description="This one alone.")


class StrictModeChange(Input):
    """What strict mode is to be."""

    project: Name | None = Field(description="A project; null: every one there is.", examples=["dags-folder"])
    strict_mode: StrictBool
