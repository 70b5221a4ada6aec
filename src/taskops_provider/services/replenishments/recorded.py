"""The inputs of a replenishment as they are recorded, and as every surface shows them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from taskops_provider.domain.answers import Json
from taskops_provider.domain.replenishment import ReplenishmentRequest, WaitFor
from taskops_provider.services.shared.actor import Actor


@dataclass(frozen=True, slots=True)
class RecordedTask:
    """A task that was named."""

    dag_id: str
    task_id: str


@dataclass(frozen=True, slots=True)
class RecordedRange:
    """Logical dates, both included, in ISO 8601; without a time zone: in that of each Dag."""

    from_: str
    to: str

    @property
    def first(self) -> datetime:
        """The first of the dates."""
        return datetime.fromisoformat(self.from_)

    @property
    def last(self) -> datetime:
        """The last of the dates."""
        return datetime.fromisoformat(self.to)


@dataclass(frozen=True, slots=True)
class RecordedInputs:
    """What was asked for.

    :param upstream: so many steps upstream of the tasks
    :param downstream: so many steps downstream of them
    :param cells: ``missing``, ``failed``, ``all``
    :param window: ``HH:MM-HH:MM`` UTC, when runs may start; None: at any time
    :param timezone: of ranges that were given without one; None: each Dag's own
    :param exclude: tasks that count as success
    :param override_conf: whether existing runs get the conf too
    :param wait_for: ``none``, ``inside`` or ``all``
    :param run_on_latest_version: None: as Airflow's own clearing decides
    :param conf: of the runs that are created; None for who may not read runs of all targets
    """

    workflows: Sequence[str]
    tasks: Sequence[RecordedTask]
    upstream: int
    downstream: int
    ranges: Sequence[RecordedRange]
    cells: Sequence[str]
    max_active_runs: int
    newest_first: bool
    window: str | None
    conf: Json | None
    reason: str | None
    timezone: str | None = None
    exclude: Sequence[RecordedTask] = ()
    override_conf: bool = False
    wait_for: str = WaitFor.INSIDE.value
    run_on_latest_version: bool | None = None

    @classmethod
    def of(cls, request: ReplenishmentRequest) -> RecordedInputs:
        """Record a request; ``plain`` of it is what the tables keep."""
        return cls(
            workflows=list(request.workflows),
            tasks=[RecordedTask(*target) for target in request.tasks],
            upstream=request.upstream_depth,
            downstream=request.downstream_depth,
            ranges=[RecordedRange(one.first.isoformat(), one.last.isoformat()) for one in request.ranges],
            cells=sorted(request.cells),
            max_active_runs=request.max_active_runs,
            newest_first=request.newest_first,
            window=str(request.window) if request.window else None,
            conf=dict(request.conf),
            reason=request.reason,
            timezone=request.timezone,
            exclude=[RecordedTask(*target) for target in request.exclude],
            override_conf=request.override_conf,
            wait_for=request.wait_for.value,
            run_on_latest_version=request.run_on_latest_version,
        )

    @classmethod
    def read(cls, column: Json) -> RecordedInputs:
        """Read what the tables keep. What another version did not keep is empty: it keeps nobody from the others."""
        return cls(
            workflows=_texts(column, "workflows"),
            tasks=[RecordedTask(task["dag_id"], task["task_id"]) for task in _tasks(column)],
            upstream=column.get("upstream") or 0,
            downstream=column.get("downstream") or 0,
            ranges=[RecordedRange(one["from"], one["to"]) for one in _documents(column, "ranges", "from", "to")],
            cells=_texts(column, "cells"),
            max_active_runs=column.get("max_active_runs") or 1,
            newest_first=bool(column.get("newest_first")),
            window=column.get("window"),
            conf=column.get("conf", {}),
            reason=column.get("reason"),
            timezone=column.get("timezone"),
            exclude=[RecordedTask(task["dag_id"], task["task_id"]) for task in _tasks(column, "exclude")],
            override_conf=bool(column.get("override_conf")),
            wait_for=column.get("wait_for") or WaitFor.INSIDE.value,
            run_on_latest_version=column.get("run_on_latest_version"),
        )


def _tasks(inputs: Json, name: str = "tasks") -> list[Json]:
    """The tasks that were named, without what is none."""
    return _documents(inputs, name, "dag_id", "task_id")


def _documents(inputs: Json, name: str, *keys: str) -> list[Json]:
    """Those parts of a list that have all of some texts."""
    return [one for one in _list(inputs, name) if isinstance(one, dict) and all(_is_text(one.get(key)) for key in keys)]


def _texts(inputs: Json, name: str) -> list[str]:
    return [one for one in _list(inputs, name) if _is_text(one)]


def _list(inputs: Json, name: str) -> list[Any]:
    found = inputs.get(name)
    return found if isinstance(found, list) else []


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def readable_inputs(actor: Actor, inputs: Json) -> Json:
    """Return inputs, or options of a record that are like them, without targets in Dags that the actor may not read.

    The conf is that of runs: only who may read those of all targets sees it.
    """
    if not isinstance(inputs, dict):  # a row that something else wrote
        return {}
    workflows, tasks = _texts(inputs, "workflows"), _tasks(inputs)
    shown = {
        **inputs,
        "workflows": [dag_id for dag_id in workflows if actor.may_read(dag_id)],
        "tasks": [task for task in tasks if actor.may_read(task["dag_id"])],
    }
    if inputs.get("exclude"):
        shown["exclude"] = [task for task in _tasks(inputs, "exclude") if actor.may_read(task["dag_id"])]
    if inputs.get("conf"):
        readable = actor.permissions.runs_readable()
        dag_ids = {*workflows, *(task["dag_id"] for task in tasks)}
        if readable is not None and not readable.issuperset(dag_ids):
            shown["conf"] = None
    return shown
