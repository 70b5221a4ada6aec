"""Filters of the lists under the names that programs give and see: ``owner``, ``status``, ..."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import TypeAlias, TypeVar

from taskops_provider.services.catalog.filters import TaskFilter, WorkflowFilter

Filter = TypeVar("Filter", TaskFilter, WorkflowFilter)
#: what a field of a filter asks for, as JSON has it
FilterValue: TypeAlias = str | bool | list[str]

#: field of a filter -> its public name, where the two differ
_PUBLIC = {
    "dag_ids": "dag_id",
    "workflows": "workflow_like",
    "owners": "owner",
    "folders": "folder",
    "projects": "project",
    "periods": "period",
    "statuses": "status",
    "task_types": "task_type",
}
#: public name -> what it was called when older downloads were asked for
_EARLIER = {"workflow_like": "workflow"}


def filter_json(where: TaskFilter | WorkflowFilter) -> dict[str, FilterValue]:
    """What a filter asks for under public names; what it does not ask for is left out."""
    chosen = {_PUBLIC.get(name, name): value for name, value in asdict(where).items() if value}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in chosen.items()}


def task_filter(values: Mapping[str, object]) -> TaskFilter:
    """Make the filter of tasks from public names."""
    return _filter(TaskFilter, values)


def workflow_filter(values: Mapping[str, object]) -> WorkflowFilter:
    """Make the filter of workflows from public names."""
    return _filter(WorkflowFilter, values)


def _filter(kind: type[Filter], values: Mapping[str, object]) -> Filter:
    found = {}
    for name in kind.__dataclass_fields__:
        public = _PUBLIC.get(name, name)
        value = values.get(public, values.get(_EARLIER.get(public, "")))
        if value:
            found[name] = tuple(str(item) for item in value) if isinstance(value, (list, tuple)) else value
    return kind(**found)  # type: ignore[arg-type]
