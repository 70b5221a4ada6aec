"""What the hooks ask of the API: each method's request."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any, Generic, TypeAlias, TypeVar
from urllib.parse import quote

from airflow.sdk import timezone

from taskops_provider.domain.answers import Json
from taskops_provider.domain.states import Verb
from taskops_provider.hooks.answers import (
    ChangeJson,
    PageJson,
    PlanJson,
    ReplenishmentJson,
    TaskJson,
    WorkflowJson,
)
from taskops_provider.hooks.errors import RequestRefused
from taskops_provider.hooks.targets import TaskTargets, task_targets, workflow_targets

PAGE = 500
#: more tasks of one Dag are read with its list
FEW = 3

T = TypeVar("T")


class RepeatRequest(Enum):
    """When a request may be sent once more."""

    #: it reads, or previews
    ALWAYS = "always"
    #: it changes something: only when the one before was surely not carried out
    IF_NOT_DONE = "if_not_done"


@dataclass(frozen=True)
class Call(Generic[T]):
    """One thing asked of the API, which answers with JSON of the type ``T``.

    :param what: completes "cannot ...", for messages
    :param path: below ``/taskops/v1``, quoted
    :param holds: the key of the list that is in the answer, if it is a page of one
    """

    what: str
    method: str
    path: str
    params: Mapping[str, Any] = field(default_factory=dict)
    body: Mapping[str, Any] | None = None
    repeat: RepeatRequest = RepeatRequest.ALWAYS
    holds: str = ""


#: yields what is to be asked, is sent the answers, and returns what they come to
Calls: TypeAlias = Generator[Call[Any], Any, T]


def one(call: Call[T]) -> Calls[T]:
    """Ask one thing."""
    answer: T = yield call
    return answer


def look() -> Call[PageJson]:
    """Something small that only a user gets."""
    return Call("read workflows", "GET", "/workflows", {"limit": 1})


def read_task(dag_id: str, task_id: str) -> Call[TaskJson]:
    """One task."""
    return Call(f"read task {task_id!r} of Dag {dag_id!r}", "GET", f"/tasks/{_part(dag_id)}/{_part(task_id)}")


def read_workflow(dag_id: str) -> Call[WorkflowJson]:
    """One workflow."""
    return Call(f"read workflow {dag_id!r}", "GET", f"/workflows/{_part(dag_id)}")


def read_instances(dag_id: str, task_id: str, filters: Mapping[str, Any]) -> Calls[list[Json]]:
    """The newest instances of one task."""
    what = f"instances of task {task_id!r} of Dag {dag_id!r}"
    path = f"/tasks/{_part(dag_id)}/{_part(task_id)}/instances"
    page: PageJson = yield Call(f"read the {what}", "GET", path, _given(filters), holds="instances")
    instances: list[Json] = page["instances"]
    return instances


def list_tasks(filters: Mapping[str, Any]) -> Calls[list[TaskJson]]:
    """Page through the tasks and return all entries."""
    return (yield from _all_pages("tasks", filters))


def list_workflows(filters: Mapping[str, Any]) -> Calls[list[WorkflowJson]]:
    """Page through the workflows and return all entries."""
    return (yield from _all_pages("workflows", filters))


def read_each(targets: Sequence[Mapping[str, str]]) -> Calls[list[TaskJson]]:
    """Read several tasks and return them in the same order.

    :raises NotFound: when there is one that does not exist
    """
    found: dict[tuple[str, str], TaskJson] = {}
    wanted = Counter(target["dag_id"] for target in targets)
    for dag_id, number in wanted.items():
        if number > FEW:
            tasks = yield from list_tasks({"dag_id": dag_id, "deleted": True, "absent": True})
            found.update({(dag_id, task["task_id"]): task for task in tasks})
    for target in targets:
        key = target["dag_id"], target["task_id"]
        if key not in found:
            found[key] = yield read_task(*key)
    return [found[target["dag_id"], target["task_id"]] for target in targets]


def change_tasks(verb: str, targets: TaskTargets, options: Mapping[str, Any]) -> Call[ChangeJson]:
    """Change tasks, or preview it."""
    return _change("tasks", verb, task_targets(targets), options)


def change_workflows(verb: str, dag_ids: Iterable[str], options: Mapping[str, Any]) -> Call[ChangeJson]:
    """Change whole workflows, or preview it."""
    return _change("workflows", verb, workflow_targets(dag_ids), options)


def plan_replenishment(inputs: Mapping[str, Any]) -> Call[PlanJson]:
    """Ask what a replenishment would do."""
    return Call("plan a replenishment", "POST", "/replenishments/plan", body=_replenishment_body(inputs))


def create_replenishment(inputs: Mapping[str, Any]) -> Call[ReplenishmentJson]:
    """Create a replenishment."""
    body = _replenishment_body(inputs)
    return Call("create a replenishment", "POST", "/replenishments", body=body, repeat=RepeatRequest.IF_NOT_DONE)


def read_replenishment(replenishment_id: int | str) -> Call[ReplenishmentJson]:
    """One replenishment."""
    number = _replenishment_number(replenishment_id)
    return Call(f"read replenishment {number}", "GET", f"/replenishments/{number}")


def newest_replenishments(limit: int) -> Calls[list[ReplenishmentJson]]:
    """The newest replenishments."""
    what = "replenishments"
    page: PageJson = yield Call(f"list {what}", "GET", f"/{what}", {"limit": limit}, holds=what)
    found: list[ReplenishmentJson] = page[what]
    return found


def control_replenishment(
    replenishment_id: int | str, verb: str, options: Mapping[str, Any]
) -> Call[ReplenishmentJson]:
    """Pause, resume, cancel or retry a replenishment."""
    number = _replenishment_number(replenishment_id)
    body, path = _given(options), f"/replenishments/{number}/{_part(verb)}"
    return Call(f"{verb} replenishment {number}", "POST", path, body=body, repeat=RepeatRequest.IF_NOT_DONE)


def _replenishment_body(inputs: Mapping[str, Any]) -> Json:
    """The body of a replenishment; what is None or empty is left to the server's defaults."""
    body = {name: _plain(value) for name, value in inputs.items() if value not in (None, "")}
    if "tasks" in body:
        body["tasks"] = task_targets(body["tasks"])
    if "exclude" in body:
        body["exclude"] = task_targets(body["exclude"])
    if "workflows" in body:
        body["workflows"] = [target["dag_id"] for target in workflow_targets(body["workflows"])]
    if "cells" in body and isinstance(body["cells"], str):
        body["cells"] = [word.strip() for word in body["cells"].split(",")]
    if isinstance(body.get("ranges"), str | Mapping):
        raise RequestRefused(f"ranges is {body['ranges']!r}; it must be a list of (from, to)")
    body["ranges"] = [_range(one) for one in body.get("ranges", ())]
    return body


def _range(one: Any) -> Json:
    ends = (one.get("from"), one.get("to")) if isinstance(one, Mapping) else one
    if isinstance(ends, str) or not isinstance(ends, Sequence) or len(ends) != 2:
        raise RequestRefused(f"{one!r} is no range; allowed is (from, to), both included")
    return {"from": _moment(ends[0]), "to": _moment(ends[1])}


def _moment(value: Any) -> Any:
    """An end of a range: without a zone it is in that of the replenishment, or of the Dag."""
    return value.isoformat() if isinstance(value, datetime) else _plain(value)


def _replenishment_number(value: Any) -> int:
    try:
        return int(value)
    except (TypeError, ValueError):
        raise RequestRefused(f"{value!r} is not the number of a replenishment") from None


def _change(what: str, verb: str, targets: list[dict[str, str]], options: Mapping[str, Any]) -> Call[ChangeJson]:
    if verb not in list(Verb):
        raise RequestRefused(f"verb is {verb!r}; allowed are {', '.join(Verb)}")
    body = {"targets": targets, **{name: _plain(value) for name, value in options.items() if value is not None}}
    preview = bool(options.get("dry_run"))
    return Call(
        f"{verb} {what}",
        "POST",
        f"/{what}/{verb}",
        body=body,
        repeat=RepeatRequest.ALWAYS if preview else RepeatRequest.IF_NOT_DONE,
    )


def _given(filters: Mapping[str, Any]) -> Json:
    return {name: value for name, value in filters.items() if value is not None}


def _all_pages(what: str, filters: Mapping[str, Any]) -> Calls[list[Any]]:
    """Read a list to its end.

    :param what: the path of the list, which is the key of its entries too
    """
    found: list[Any] = []
    while True:
        params = {**_given(filters), "limit": PAGE, "offset": len(found)}
        page: PageJson = yield Call(f"list {what}", "GET", f"/{what}", params, holds=what)
        found += page[what]
        if not page[what] or len(found) >= page.get("total_entries", 0):
            return found


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        # without a zone it is in Airflow's, as everywhere in Airflow
        return timezone.convert_to_utc(value).isoformat()
    if isinstance(value, tuple | set | frozenset):
        return list(value)
    return value


def _part(text: str) -> str:
    if not isinstance(text, str) or not text.strip():
        raise RequestRefused(f"{text!r} is not the id of a Dag or task")
    return quote(text, safe="")
