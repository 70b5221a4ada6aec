"""What the index has of some workflows: read in a fixed number of queries, whatever their number."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from taskops_provider.adapter.dependencies import Dependency
from taskops_provider.domain.gate import ANY_TASK
from taskops_provider.models import AssetRef, Edge, GateInterval, Owner, Task, Workflow

Row = Mapping[str, Any]


@dataclass(slots=True)
class Stored:
    """Our rows of one workflow."""

    workflow: Row | None = None
    #: by task id
    tasks: dict[str, Row] = field(default_factory=dict)
    #: owners by task id, those of the workflow under the empty one
    owners: dict[str, set[str]] = field(default_factory=dict)
    #: (task_id, direction, asset) -> ids of rows
    assets: dict[tuple[str, str, str], list[int]] = field(default_factory=dict)
    #: dependency -> ids of rows
    edges: dict[Dependency, list[int]] = field(default_factory=dict)
    #: the open interval of the workflow as a whole
    wildcard: Row | None = None


def read(session: Session, dag_ids: Collection[str]) -> dict[str, Stored]:
    """Return what is stored of some workflows, an empty record for those of which nothing is. Six queries."""
    found = {dag_id: Stored() for dag_id in dag_ids}
    for row in _rows(session, select(Workflow.__table__).where(Workflow.dag_id.in_(dag_ids))):
        found[row["dag_id"]].workflow = row
    for row in _rows(session, select(Task.__table__).where(Task.dag_id.in_(dag_ids))):
        found[row["dag_id"]].tasks[row["task_id"]] = row
    for row in _rows(session, select(Owner.__table__).where(Owner.dag_id.in_(dag_ids))):
        found[row["dag_id"]].owners.setdefault(row["task_id"], set()).add(row["owner"])
    for row in _rows(session, select(AssetRef.__table__).where(AssetRef.dag_id.in_(dag_ids))):
        asset = (row["task_id"], row["direction"], row["asset"])
        found[row["dag_id"]].assets.setdefault(asset, []).append(row["id"])
    for row in _rows(session, select(Edge.__table__).where(Edge.source_dag_id.in_(dag_ids))):
        edge = Dependency(*(row[name] for name in Dependency._fields))
        found[row["source_dag_id"]].edges.setdefault(edge, []).append(row["id"])
    intervals = select(GateInterval.__table__).where(
        GateInterval.dag_id.in_(dag_ids), GateInterval.task_id == ANY_TASK, GateInterval.to_at.is_(None)
    )
    for row in _rows(session, intervals.order_by(GateInterval.id)):
        found[row["dag_id"]].wildcard = row
    return found


def _rows(session: Session, query: Select[Any]) -> list[Row]:
    return [dict(row) for row in session.execute(query).mappings()]
