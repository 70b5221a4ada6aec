"""Tasks and what waits for what."""

from __future__ import annotations

from pydantic import BaseModel, Field

from taskops_provider.api.datamodels.common import Sometimes
from taskops_provider.domain.lineage import Direction
from taskops_provider.inputs.fields import Input


class Node(BaseModel):
    """A task of a graph."""

    dag_id: str
    task_id: str
    status: str | None = Field(description="Shown status; null for a task that a sensor names and no Dag has.")
    task_type: str | None
    level: Sometimes[int] = Field(None, description="Steps from the task that was asked for, negative upstream.")


class End(BaseModel):
    """One end of an edge."""

    dag_id: str
    task_id: str


class Edge(BaseModel):
    """`down` waits for `up`."""

    up: End
    down: End
    kind: str = Field(description="`task`, `sensor`, `marker`, `trigger` or `asset`.")


class Diagram(BaseModel):
    """The tasks of a workflow's latest version and what waits for what inside it."""

    dag_id: str
    nodes: list[Node]
    edges: list[Edge]
    complete: bool


class Lineage(BaseModel):
    """The tasks around a task, across workflows, as far as you may see them."""

    dag_id: str
    task_id: str
    nodes: list[Node]
    edges: list[Edge]
    complete: bool = Field(description="Nothing lies beyond the depth that was asked for.")


class LineageQuery(Input):
    """How far to look, and where."""

    depth: int = Field(3, ge=1, le=1000, description="Go so many tasks far.")
    direction: Direction = Field(Direction.BOTH, description="What the task waits for, what waits for it, or both.")
