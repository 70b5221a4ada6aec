"""The index rows that a Dag's definition asks for, as plain dicts by column. No session here."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from taskops_provider.adapter.dependencies import Dependency
from taskops_provider.adapter.serialized import AssetByName, DagDefinition, TaskDefinition
from taskops_provider.domain.periods import Period, period_of
from taskops_provider.services.index.found import ParsedDag
from taskops_provider.services.index.history import Submission
from taskops_provider.services.index.resolvers import Resolvers

# widths of the columns; PostgreSQL refuses what is longer
_MAX_NAME = 2000
_MAX_POOL = 256
_MAX_TIMEZONE = 64
_MAX_OWNER = 190
_MAX_ASSET = 1500


#: the columns that the index keeps; all others of the row are the operations'
_BLANK_WORKFLOW: Mapping[str, Any] = {
    "display_name": "",
    "timezone": None,
    "period": Period.CUSTOM.value,
    "effective_from": None,
    "effective_to": None,
    "first_submitted_at": None,
    "last_submitted_at": None,
}


def workflow_row(found: ParsedDag, stored: Mapping[str, Any] | None, resolvers: Resolvers) -> dict[str, Any]:
    """Return the index columns of a workflow.

    Where its definition is missing, what comes from there stays as it was.

    :param stored: the present row; it may know of a first version that is deleted since
    """
    before = stored or _BLANK_WORKFLOW
    dag, definition = found.row, found.definition
    row = {
        **{column: before[column] for column in _BLANK_WORKFLOW},
        "dag_id": dag.dag_id,
        "project": dag.bundle_name,
        "folder": resolvers.folder(dag.bundle_name, dag.relative_fileloc),
        "schedule": dag.schedule,
        "first_submitted_at": earlier(before["first_submitted_at"], found.first_submitted_at),
        "last_submitted_at": found.last_submitted_at or before["last_submitted_at"],
        "is_present": True,
        # which Dag it is stays known where it has no definition for a while
        "source_mark": found.mark or (stored or {}).get("source_mark"),
    }
    if definition is not None:
        row |= {
            "display_name": definition.display_name[:_MAX_NAME],
            "timezone": definition.timezone and definition.timezone[:_MAX_TIMEZONE],
            "period": period_of(definition.timetable, definition.timetable_parameters).value,
            "effective_from": definition.start_date,
            "effective_to": definition.end_date,
        }
    row["display_name"] = row["display_name"] or dag.dag_id
    return row


def task_row(
    task: TaskDefinition, dag: DagDefinition, submission: Submission, is_root: bool, task_type: str
) -> dict[str, Any]:
    """Return the index columns of a task."""
    return {
        "dag_id": dag.dag_id,
        "task_id": task.task_id,
        "display_name": task.display_name[:_MAX_NAME],
        "task_type": task_type,
        "pool": task.pool[:_MAX_POOL],
        "queue": task.queue[:_MAX_POOL],
        "executor": task.executor and task.executor[:_MAX_POOL],
        "effective_from": task.start_date or dag.start_date,
        "effective_to": task.end_date or dag.end_date,
        "first_submitted_at": submission.first_at,
        "last_submitted_at": submission.last_at,
        "is_present": True,
        "is_root": is_root,
        "is_leaf": not task.downstream_task_ids,
        "is_mapped": task.is_mapped,
        "definition_hash": submission.definition_hash,
    }


def owners(text: str) -> set[str]:
    """Return the owners that a task names: separated by commas, each once."""
    return {name[:_MAX_OWNER] for name in (part.strip() for part in text.split(",")) if name}


def asset_refs(dag: DagDefinition, uris: Mapping[str, str]) -> set[tuple[str, str, str]]:
    """Return (task_id, direction, asset) of a Dag: its tasks' inlets and outlets, and what schedules it.

    :param uris: of the assets that are referred to by name, as far as Airflow knows them
    """
    return {
        (task_id, direction, (uris.get(asset, asset) if isinstance(asset, AssetByName) else asset)[:_MAX_ASSET])
        for task_id, direction, asset in dag.assets()
    }


def edges(dag: DagDefinition) -> set[Dependency]:
    """Return every dependency the Dag declares, inside it and with other Dags."""
    inside = {
        Dependency(dag.dag_id, task.task_id, dag.dag_id, below, "task")
        for task in dag.tasks.values()
        for below in task.downstream_task_ids
    }
    return inside | dag.dependencies


def earlier(one: datetime | None, other: datetime | None) -> datetime | None:
    """Return the earlier of two times; the one there is where one is missing."""
    return min(one, other) if one and other else one or other
