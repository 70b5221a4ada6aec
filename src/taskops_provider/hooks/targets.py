"""The tasks and workflows that a change names, in the forms in which Dag authors have them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from taskops_provider.hooks.errors import RequestRefused

#: ``(dag_id, task_id)`` pairs, dicts with these keys, or the answer to a change: then the tasks that it changed
TaskTargets: TypeAlias = "Iterable[Sequence[str] | Mapping[str, Any]] | Mapping[str, Any]"


def task_targets(targets: TaskTargets) -> list[dict[str, str]]:
    """Return targets as the API wants them, each once.

    :raises RequestRefused: for anything that is no task
    """
    if isinstance(targets, Mapping):
        targets = changed_by(targets)
    elif isinstance(targets, str) or not isinstance(targets, Iterable):
        raise RequestRefused(
            f"targets is {targets!r}; it must be a list of (dag_id, task_id), or the result of a change"
        )
    pairs = dict.fromkeys(_pair(target) for target in targets)
    return [{"dag_id": dag_id, "task_id": task_id} for dag_id, task_id in pairs]


def tasks_of_dag(dag_id: str | None, task_ids: Iterable[str] | None) -> list[dict[str, str]]:
    """Return tasks of one Dag as the API wants them, each once.

    :raises RequestRefused: for anything that is no task
    """
    if isinstance(task_ids, str) or not isinstance(task_ids, Iterable):
        raise RequestRefused(f"external_task_ids is {task_ids!r}; it must be a list of task ids")
    return task_targets([(dag_id or "", task_id) for task_id in task_ids])


def workflow_targets(dag_ids: Iterable[str]) -> list[dict[str, str]]:
    """Return workflows as the API wants them, each once.

    :raises RequestRefused: for anything that is no Dag id
    """
    if isinstance(dag_ids, str | Mapping) or not isinstance(dag_ids, Iterable):
        raise RequestRefused(f"workflows is {dag_ids!r}; it must be a list of Dag ids")
    return [{"dag_id": dag_id} for dag_id in dict.fromkeys(_id("a Dag id", dag_id) for dag_id in dag_ids)]


def changed_by(answer: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return the tasks that a change was applied to, from the answer to it.

    :raises RequestRefused: when it is no such answer
    """
    items = answer.get("items")
    if not isinstance(items, list):
        raise RequestRefused("targets is a dict without items; it must be the result of a change")
    return [
        {"dag_id": item["dag_id"], "task_id": item["task_id"]}
        for item in items
        if item["outcome"] == "applied" and item.get("task_id")
    ]


def _pair(target: Any) -> tuple[str, str]:
    if isinstance(target, Mapping):
        target = (target.get("dag_id"), target.get("task_id"))
    if isinstance(target, str) or not isinstance(target, Sequence) or len(target) != 2:
        raise RequestRefused(f"target {target!r} is no (dag_id, task_id)")
    return _id("a Dag id", target[0]), _id("a task id", target[1])


def _id(what: str, value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise RequestRefused(f"{value!r} is not {what}")
    return value
