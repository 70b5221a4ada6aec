"""Filters of the lists under the names that programs give and see: ``owner``, ``status``, ..."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from taskops_provider.services.filters import TaskFilter, WorkflowFilter

#: field of a filter -> its public name, where the two differ
_PUBLIC = {
    "dag_ids": "dag_id",
    "workflows": "workflow",
    "owners": "owner",
    "folders": "folder",
    "projects": "project",
    "periods": "period",
    "statuses": "status",
    "task_types": "task_type",
}


def filter_json(where: TaskFilter | WorkflowFilter) -> dict[str, Any]:
    """What a filter asks for under public names; what it does not ask for is left out."""
    chosen = {_PUBLIC.get(name, name): value for name, value in asdict(where).items() if value}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in chosen.items()}


def task_filter(values: Mapping[str, Any]) -> TaskFilter:
    """Make the filter of tasks from public names."""
    return TaskFilter(**_fields(TaskFilter, values))


def workflow_filter(values: Mapping[str, Any]) -> WorkflowFilter:
    """Make the filter of workflows from public names."""
    return WorkflowFilter(**_fields(WorkflowFilter, values))


def _fields(kind: type[Any], values: Mapping[str, Any]) -> dict[str, Any]:
    found = {}
    for name in kind.__dataclass_fields__:
        value = values.get(_PUBLIC.get(name, name))
        if value:
            found[name] = tuple(str(item) for item in value) if isinstance(value, (list, tuple)) else value
    return found
