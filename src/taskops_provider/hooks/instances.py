"""What the hook asks the server about instances and runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias
from urllib.parse import quote

from taskops_provider.domain.answers import Json
from taskops_provider.domain.instances import InstanceVerb, RunVerb
from taskops_provider.hooks.answers import ChangeJson, PageJson
from taskops_provider.hooks.calls import Call, Calls, RepeatRequest
from taskops_provider.hooks.errors import RequestRefused

#: run ids, ``(run_id, map_index)`` pairs, or dicts with these keys and, of a task in a loop, ``region_id``
Instances: TypeAlias = "Iterable[str | Sequence[Any] | Mapping[str, Any]]"


def change_instances(
    verb: str, dag_id: str, task_id: str, instances: Instances, options: Mapping[str, Any]
) -> Call[ChangeJson]:
    """Change instances of a task, or preview it."""
    _check(verb, InstanceVerb)
    path = f"/tasks/{_part(dag_id)}/{_part(task_id)}/instances/{verb}"
    body = {"instances": instance_targets(instances), **_given(options)}
    return _change(f"{verb} instances of task {task_id!r} of Dag {dag_id!r}", path, body)


def change_runs(verb: str, dag_id: str, run_ids: Iterable[str], options: Mapping[str, Any]) -> Call[ChangeJson]:
    """Change whole runs of a workflow, or preview it."""
    _check(verb, RunVerb)
    body = {"run_ids": run_targets(run_ids), **_given(options)}
    return _change(f"{verb} runs of Dag {dag_id!r}", f"/workflows/{_part(dag_id)}/runs/{verb}", body)


def list_holds(dag_id: str | None) -> Calls[list[Json]]:
    """What is held, the newest first, page by page."""
    found: list[Json] = []
    while True:
        params = {"limit": 1000, "offset": len(found), **({"dag_id": dag_id} if dag_id else {})}
        page: PageJson = yield Call("list what is held", "GET", "/holds", params, holds="holds")
        found += page["holds"]
        if not page["holds"] or len(found) >= page.get("total_entries", 0):
            return found


def newest_operations(verb: str, dag_id: str, task_id: str) -> Calls[list[Json]]:
    """The newest operations of a verb that touched a task."""
    params = {"verb": verb, "dag_id": dag_id, "task_id": task_id, "limit": 50}
    page: PageJson = yield Call("list operations", "GET", "/operations", params, holds="operations")
    operations: list[Json] = page["operations"]
    return operations


def read_operation(operation_id: int) -> Call[Json]:
    """One operation, with what came of each target."""
    return Call(f"read operation {operation_id}", "GET", f"/operations/{operation_id}")


def instance_targets(instances: Instances) -> list[Json]:
    """Return instances as the API wants them, each once.

    :raises RequestRefused: for anything that is none
    """
    if isinstance(instances, str | Mapping) or not isinstance(instances, Iterable):
        raise RequestRefused(f"instances is {instances!r}; it must be a list of run ids, or of (run_id, map_index)")
    keys = dict.fromkeys(_instance(one) for one in instances)
    return [
        {"run_id": run_id, "map_index": map_index, **({"region_id": region} if region else {})}
        for run_id, map_index, region in keys
    ]


def run_targets(run_ids: Iterable[str]) -> list[str]:
    """Return run ids, each once.

    :raises RequestRefused: for anything that is none
    """
    if isinstance(run_ids, str | Mapping) or not isinstance(run_ids, Iterable):
        raise RequestRefused(f"run_ids is {run_ids!r}; it must be a list of run ids")
    return list(dict.fromkeys(_run_id(one) for one in run_ids))


def _instance(one: Any) -> tuple[str, int, str | None]:
    region = None
    if isinstance(one, str):
        return _run_id(one), -1, region
    if isinstance(one, Mapping):
        region = one.get("region_id")
        one = (one.get("run_id"), one.get("map_index", -1))
    if not isinstance(one, Sequence) or len(one) != 2:
        raise RequestRefused(f"instance {one!r} is no run id, and no (run_id, map_index)")
    try:
        return _run_id(one[0]), int(one[1]), None if region is None else str(region)
    except (TypeError, ValueError):
        raise RequestRefused(f"{one[1]!r} is not a map index") from None


def _run_id(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise RequestRefused(f"{value!r} is not a run id")
    return value


def _check(verb: str, allowed: type[InstanceVerb] | type[RunVerb]) -> None:
    if verb not in list(allowed):
        raise RequestRefused(f"verb is {verb!r}; allowed are {', '.join(allowed)}")


def _change(what: str, path: str, body: Json) -> Call[ChangeJson]:
    repeat = RepeatRequest.ALWAYS if body.get("dry_run") else RepeatRequest.IF_NOT_DONE
    return Call(what, "POST", path, body=body, repeat=repeat)


def _given(options: Mapping[str, Any]) -> Json:
    return {name: value for name, value in options.items() if value is not None}


def _part(text: str) -> str:
    if not isinstance(text, str) or not text.strip():
        raise RequestRefused(f"{text!r} is not the id of a Dag or task")
    return quote(text, safe="")
