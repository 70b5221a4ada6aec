"""Dependencies between Dags, read from the JSON of serialized tasks.

Airflow's own ``dag_dependencies`` know which tasks are sensors on, or triggers of, other Dags (subclasses too),
but not on which task a sensor waits, nor markers, nor mapped tasks that expand over the other Dag's id.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

#: what Airflow allows as an id; everything else is a template or an expression, known only at run time
_ID = re.compile(r"[\w.-]+")

#: stands for what only the run will tell: not empty, and no id
_UNKNOWN = "{{ }}"
_UNKNOWN_TARGETS = {"external_dag_id": _UNKNOWN, "external_task_id": _UNKNOWN, "trigger_dag_id": _UNKNOWN}

_SENSOR_FIELDS = frozenset({"external_dag_id", "external_task_id", "external_task_ids", "external_task_group_id"})
_MARKER_FIELDS = frozenset({"external_dag_id", "external_task_id"})
_TRIGGER_FIELDS = frozenset({"trigger_dag_id", "trigger_run_id"})


class Dependency(NamedTuple):
    """That one task waits for another, in the form of :class:`taskops_provider.models.edge.Edge`."""

    up_dag_id: str
    up_task_id: str
    down_dag_id: str
    down_task_id: str
    kind: str


def across(
    dag_id: str, tasks: Iterable[Mapping[str, Any]], dag_dependencies: Iterable[Mapping[str, Any]]
) -> Iterator[Dependency]:
    """Yield the dependencies that a Dag's sensors, markers and triggers declare.

    Targets that are templates, or computed at run time, are left out.

    :param tasks: the ``__var`` of each serialized task
    :param dag_dependencies: the serialized Dag's list of that name
    """
    known = {entry.get("dependency_id"): entry.get("dependency_type") for entry in dag_dependencies}
    for task in tasks:
        task_id = task["task_id"]
        kind = _kind(task, known.get(task_id))
        for values in _parameter_sets(task) if kind else ():
            if kind == "sensor":
                for up_dag_id, up_task_id in _sensor_targets(values):
                    yield Dependency(up_dag_id, up_task_id, dag_id, task_id, "sensor")
            elif kind == "marker":
                for down_dag_id, down_task_id in _marker_targets(values):
                    yield Dependency(dag_id, task_id, down_dag_id, down_task_id, "marker")
            elif down := _literal(values.get("trigger_dag_id")):
                yield Dependency(dag_id, task_id, down, "", "trigger")


def _kind(task: Mapping[str, Any], dependency_type: str | None) -> str | None:
    if dependency_type in ("sensor", "trigger"):
        return dependency_type
    fields = set(task.get("template_fields") or ())
    if task.get("_is_sensor"):
        return "sensor" if fields >= _SENSOR_FIELDS else None
    if fields >= _TRIGGER_FIELDS:
        return "trigger"
    # only a marker looks through a number of Dags
    is_marker = task.get("task_type") == "ExternalTaskMarker" or "recursion_depth" in _parameters(task)
    return "marker" if is_marker and fields >= _MARKER_FIELDS else None


def _parameters(task: Mapping[str, Any]) -> dict[str, Any]:
    return {**(task.get("partial_kwargs") or {}), **task}


def _parameter_sets(task: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the task's parameters, once for each element that a mapped task expands to as far as the file tells."""
    given = _parameters(task)
    expand = task.get("expand_input")
    if not expand:
        yield given
        return
    value = _unwrap(expand["value"])
    if isinstance(value, Mapping):
        yield from _product(given, value)
    elif isinstance(value, list):
        for element in map(_unwrap, value):
            yield {**given, **element} if isinstance(element, Mapping) else {**_UNKNOWN_TARGETS, **given}
    else:
        yield {**_UNKNOWN_TARGETS, **given}


def _product(given: dict[str, Any], lists: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield every combination of the values that name other Dags and tasks; the rest would only repeat it."""
    combinations = [given]
    for name in sorted((_SENSOR_FIELDS | _TRIGGER_FIELDS) & set(lists)):
        values = _unwrap(lists[name])
        known = values if isinstance(values, list) else [_UNKNOWN]
        combinations = [{**one, name: value} for one in combinations for value in known]
    yield from combinations


def _unwrap(value: Any) -> Any:
    """Return what a serialized container holds; references (to XComs, say) become None."""
    if isinstance(value, Mapping) and "__type" in value:
        return value.get("__var") if value["__type"] in ("dict", "set", "tuple") else None
    return value


def _literal(value: Any) -> str | None:
    return value if isinstance(value, str) and _ID.fullmatch(value) else None


def _sensor_targets(values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    dag_id = _literal(values.get("external_dag_id"))
    if dag_id is None:
        return
    group = values.get("external_task_group_id")
    # the operator keeps the one task in both fields; a mapped one has what was written
    one, several = values.get("external_task_id"), _unwrap(values.get("external_task_ids"))
    if group:
        if _literal(group):
            yield dag_id, f"{group}.*"
    elif one or several:
        for task_id in {_literal(each) for each in [one, *(several if isinstance(several, list) else [])]}:
            if task_id:
                yield dag_id, task_id
    else:
        yield dag_id, ""


def _marker_targets(values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    dag_id, task_id = _literal(values.get("external_dag_id")), _literal(values.get("external_task_id"))
    if dag_id and task_id:
        yield dag_id, task_id
