"""What has to be written so that the stored rows of a workflow become those its definition asks for.

Plain data in, plain data out: reading is in ``services.index.stored``, writing in ``services.index.write``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from taskops_provider import config
from taskops_provider.adapter.serialized import DagDefinition
from taskops_provider.domain.states import OUT_OF_SERVICE, TaskState
from taskops_provider.services.index import rows
from taskops_provider.services.index.found import ParsedDag
from taskops_provider.services.index.resolvers import Resolvers
from taskops_provider.services.index.stored import Row, Stored


@dataclass(slots=True)
class Writes:
    """Rows to insert (all columns given), to update (key and changed columns' names as in the insert), to delete."""

    workflows_new: list[Row] = field(default_factory=list)
    workflows_changed: list[Row] = field(default_factory=list)
    workflows_back: list[Row] = field(default_factory=list)
    tasks_new: list[Row] = field(default_factory=list)
    tasks_changed: list[Row] = field(default_factory=list)
    #: (dag_id, task_id)
    tasks_gone: list[tuple[str, str]] = field(default_factory=list)
    #: tasks that appeared in a workflow out of scheduling, with the state they get
    tasks_offline: list[Row] = field(default_factory=list)
    intervals_new: list[Row] = field(default_factory=list)
    #: (dag_id, task_id, owner)
    owners_new: list[tuple[str, str, str]] = field(default_factory=list)
    owners_gone: list[tuple[str, str, str]] = field(default_factory=list)
    #: (dag_id, task_id, direction, asset)
    assets_new: list[tuple[str, ...]] = field(default_factory=list)
    assets_gone: list[int] = field(default_factory=list)
    #: (source_dag_id, up_dag_id, up_task_id, down_dag_id, down_task_id, kind)
    edges_new: list[tuple[str, ...]] = field(default_factory=list)
    edges_gone: list[int] = field(default_factory=list)


def merge(writes: Writes, stored: Stored, found: ParsedDag, resolvers: Resolvers, now: datetime) -> None:
    """Add to ``writes`` what brings one workflow up to date."""
    before = stored.workflow
    row = rows.workflow_row(found, before, resolvers)
    if before is None:
        writes.workflows_new.append(row)
    elif not before["is_present"]:
        writes.workflows_back.append(row)
    elif _differs(row, before):
        writes.workflows_changed.append(row)
    if found.definition is not None:
        _merge_tasks(writes, stored, found, found.definition, resolvers, now)
        _merge_owners(writes, stored, found.definition)
        _merge_assets_and_edges(writes, stored, found, found.definition)


def _merge_tasks(
    writes: Writes, stored: Stored, found: ParsedDag, dag: DagDefinition, resolvers: Resolvers, now: datetime
) -> None:
    below_others = {task_id for task in dag.tasks.values() for task_id in task.downstream_task_ids}
    for task_id, task in dag.tasks.items():
        row = rows.task_row(
            task, dag, found.submissions[task_id], task_id not in below_others, resolvers.task_type(task)
        )
        before = stored.tasks.get(task_id)
        if before is None:
            writes.tasks_new.append(row)
        elif _differs(row, before):
            writes.tasks_changed.append(row)
        if before is None or not before["is_present"]:
            _appear(writes, stored, before, dag.dag_id, task_id, now)
    writes.tasks_gone.extend(
        (dag.dag_id, task_id) for task_id, row in stored.tasks.items() if row["is_present"] and task_id not in dag.tasks
    )


def _appear(writes: Writes, stored: Stored, before: Row | None, dag_id: str, task_id: str, now: datetime) -> None:
    """Take a task offline that appears in an offline or deleted workflow.

    Until it was indexed the workflow's own interval kept it from running; it gets one of its own from the same
    time on, which stays when that of the workflow ends because another task is submitted.
    """
    default_state = stored.workflow["default_state"] if stored.workflow else TaskState.SCHEDULING
    # in a workflow out of service a task that appears starts offline
    if default_state not in OUT_OF_SERVICE or (before and before["state"] in OUT_OF_SERVICE):
        return
    wildcard = stored.wildcard or {}
    gate = {
        "state": TaskState.OFFLINE.value,
        "downstream": wildcard.get("downstream") or config.default_downstream().value,
        "operation_id": wildcard.get("operation_id"),
    }
    writes.intervals_new.append(
        {"dag_id": dag_id, "task_id": task_id, "from_at": wildcard.get("from_at") or now, "to_at": None, **gate}
    )
    writes.tasks_offline.append({"dag_id": dag_id, "task_id": task_id, **gate})


def _merge_owners(writes: Writes, stored: Stored, dag: DagDefinition) -> None:
    """Let owners follow the Dag file, unless somebody set them."""
    wanted: dict[str, set[str]] = {}
    for task_id, task in dag.tasks.items():
        by_hand = (stored.tasks.get(task_id) or {}).get("owners_operation_id") is not None
        wanted[task_id] = stored.owners.get(task_id, set()) if by_hand else rows.owners(task.owner)
    if not (stored.workflow and stored.workflow["owners_set"]):
        wanted[""] = set().union(*wanted.values())
    for task_id, names in wanted.items():
        has = stored.owners.get(task_id, set())
        writes.owners_new.extend((dag.dag_id, task_id, name) for name in sorted(names - has))
        writes.owners_gone.extend((dag.dag_id, task_id, name) for name in sorted(has - names))


def _merge_assets_and_edges(writes: Writes, stored: Stored, found: ParsedDag, dag: DagDefinition) -> None:
    assets, edges = rows.asset_refs(dag, found.asset_uris), rows.edges(dag)
    writes.assets_new.extend((dag.dag_id, *asset) for asset in sorted(assets - stored.assets.keys()))
    writes.assets_gone.extend(_superfluous(stored.assets, assets))
    writes.edges_new.extend((dag.dag_id, *edge) for edge in sorted(edges - stored.edges.keys()))
    writes.edges_gone.extend(_superfluous(stored.edges, edges))


def _superfluous(stored: Mapping[Any, list[int]], wanted: set[Any]) -> Iterable[int]:
    """Yield the ids of rows that are not wanted, or that repeat one that is."""
    for key, ids in stored.items():
        yield from ids[1:] if key in wanted else ids


def _differs(row: Row, before: Row) -> bool:
    return any(before[column] != value for column, value in row.items())
