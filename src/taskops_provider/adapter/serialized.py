"""What the index wants from a serialized Dag, read from its JSON alone.

Nothing is deserialized: that would import operators' links and cost ten times as much. Where a field is left out
of a task's JSON its value is, in this order: ``partial_kwargs`` (mapped tasks), the document's ``client_defaults``,
the default of Airflow's serialization schema.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from taskops_provider.adapter.dependencies import Dependency, across

#: of ``serialization/schema.json``: what a task has where neither it nor the document's client_defaults say
_SCHEMA_DEFAULTS: Mapping[str, Any] = {"owner": "airflow", "pool": "default_pool", "queue": "default"}

#: what changes with other tasks of the Dag, or only how a task looks
_NOT_ITS_OWN = frozenset({"downstream_task_ids", "ui_color", "ui_fgcolor"})

_ASSETS = frozenset({"asset", "asset_alias", "asset_ref"})


class AssetByName(str):
    """The name of an asset that is referred to without its URI."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class TaskDefinition:
    """A task as its Dag file defines it."""

    task_id: str
    display_name: str
    #: its JSON, for the task type resolver
    document: Mapping[str, Any]
    operator: str
    owner: str
    pool: str
    queue: str
    executor: str | None
    start_date: datetime | None
    end_date: datetime | None
    #: has one instance per element, by itself or through a mapped group
    is_mapped: bool
    downstream_task_ids: tuple[str, ...]
    inlets: tuple[str, ...]
    outlets: tuple[str, ...]
    definition_hash: str


@dataclass(frozen=True, slots=True)
class DagDefinition:
    """A Dag as its file defines it."""

    dag_id: str
    display_name: str
    timezone: str | None
    timetable: str
    timetable_parameters: Mapping[str, Any]
    start_date: datetime | None
    end_date: datetime | None
    schedule_assets: tuple[str, ...]
    tasks: Mapping[str, TaskDefinition]
    #: with tasks of other Dags
    dependencies: frozenset[Dependency]

    def assets(self) -> Iterator[tuple[str, str, str]]:
        """Yield (task_id, direction, asset): the tasks' inlets and outlets, and without a task the schedule's."""
        for asset in self.schedule_assets:
            yield "", "schedule", asset
        for task in self.tasks.values():
            for asset in task.inlets:
                yield task.task_id, "inlet", asset
            for asset in task.outlets:
                yield task.task_id, "outlet", asset


def read_dag(document: Mapping[str, Any]) -> DagDefinition:
    """Read a serialized Dag.

    :param document: ``SerializedDagModel.data``
    :raises KeyError, TypeError, ValueError, AttributeError: when it is not of the form Airflow 3 writes
    """
    dag = document["dag"]
    defaults = {**_SCHEMA_DEFAULTS, **document.get("client_defaults", {}).get("tasks", {})}
    timetable = dag.get("timetable") or {}
    parameters = timetable.get("__var") or {}
    tasks = [_read_task(task, defaults) for task in _task_documents(dag)]
    return DagDefinition(
        dag_id=dag["dag_id"],
        display_name=dag.get("dag_display_name") or dag["dag_id"],
        timezone=_timezone(parameters, dag),
        timetable=str(timetable.get("__type", "")).rpartition(".")[2],
        timetable_parameters=parameters,
        start_date=_moment(dag.get("start_date")),
        end_date=_moment(dag.get("end_date")),
        schedule_assets=_asset_names([parameters.get("asset_condition")]),
        tasks={task.task_id: task for task in tasks},
        dependencies=frozenset(across(dag["dag_id"], _task_documents(dag), dag.get("dag_dependencies") or [])),
    )


def definition_hashes(document: Mapping[str, Any]) -> dict[str, str]:
    """Return the definition hash of every task of a serialized Dag, by task id.

    :raises KeyError, TypeError, ValueError, AttributeError: when it is not of the form Airflow 3 writes
    """
    return {task["task_id"]: _definition_hash(task) for task in _task_documents(document["dag"])}


def _task_documents(dag: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [task["__var"] for task in dag["tasks"]]


def _read_task(task: Mapping[str, Any], defaults: Mapping[str, Any]) -> TaskDefinition:
    given = {**(task.get("partial_kwargs") or {}), **task}

    def value(name: str) -> Any:
        found = given.get(name)
        return defaults.get(name) if found is None else found

    return TaskDefinition(
        task_id=task["task_id"],
        display_name=given.get("_task_display_name") or given.get("task_display_name") or task["task_id"],
        document=task,
        operator=task.get("_operator_name") or task["task_type"],
        owner=value("owner"),
        pool=value("pool"),
        queue=value("queue"),
        executor=value("executor"),
        start_date=_moment(value("start_date")),
        end_date=_moment(value("end_date")),
        is_mapped=bool(task.get("_is_mapped") or task.get("_needs_expansion")),
        downstream_task_ids=tuple(task.get("downstream_task_ids") or ()),
        inlets=_asset_names(value("inlets")),
        outlets=_asset_names(value("outlets")),
        definition_hash=_definition_hash(task),
    )


def _definition_hash(task: Mapping[str, Any]) -> str:
    own = {name: value for name, value in task.items() if name not in _NOT_ITS_OWN}
    return hashlib.sha256(json.dumps(own, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _moment(value: Any) -> datetime | None:
    """Return a serialized date: seconds since the epoch, inside ``partial_kwargs`` wrapped with its type."""
    if isinstance(value, Mapping):
        value = value["__var"]
    return None if value is None else datetime.fromtimestamp(float(value), UTC)


def _timezone(timetable: Mapping[str, Any], dag: Mapping[str, Any]) -> str | None:
    """Return the time zone of the schedule (that of the time beside the assets, too), else the Dag's."""
    beside_assets = (timetable.get("timetable") or {}).get("__var") or {}
    zone = next((z for z in (timetable.get("timezone"), beside_assets.get("timezone")) if z is not None), None)
    if zone is None:
        zone = dag.get("timezone")
    if isinstance(zone, (int, float)):  # a fixed offset in seconds
        return str(timezone(timedelta(seconds=zone)))
    return zone


def _asset_names(items: Iterable[Any] | None) -> tuple[str, ...]:
    """Return the URI, else the name, of each asset, alias or reference, in order and without repetition."""
    return tuple(dict.fromkeys(name for item in items or () for name in _walk_assets(item)))


def _walk_assets(item: Any) -> Iterator[str]:
    """Yield the assets in one item of inlets, outlets or an asset condition.

    Conditions keep the fields beside ``__type``, inlets and outlets below ``__var``.
    """
    if not isinstance(item, Mapping):
        return
    fields = item.get("__var", item)
    if item.get("__type") in _ASSETS:
        if uri := fields.get("uri"):
            yield uri
        elif name := fields.get("name"):
            yield AssetByName(name) if item["__type"] == "asset_ref" else name
        return
    for child in fields.get("objects") or () if isinstance(fields, Mapping) else ():
        yield from _walk_assets(child)
