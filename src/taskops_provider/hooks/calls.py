"""What the hooks ask of the API: each method's request."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote

from airflow.sdk import timezone

from taskops_provider.domain.states import Verb
from taskops_provider.hooks.conversation import Conversation, Steps
from taskops_provider.hooks.errors import RequestRefused, UnexpectedAnswer
from taskops_provider.hooks.targets import TaskTargets, task_targets, workflow_targets
from taskops_provider.hooks.wire import Call, Repeat

PAGE = 500
#: more tasks of one Dag are read with its list
FEW = 3


def look() -> Call:
    """Something small that only a user gets."""
    return Call("read workflows", "GET", "/workflows", {"limit": 1})


def read_task(dag_id: str, task_id: str) -> Call:
    """One task."""
    return Call(f"read task {task_id!r} of Dag {dag_id!r}", "GET", f"/tasks/{_part(dag_id)}/{_part(task_id)}")


def read_workflow(dag_id: str) -> Call:
    """One workflow."""
    return Call(f"read workflow {dag_id!r}", "GET", f"/workflows/{_part(dag_id)}")


def read_instances(conversation: Conversation, dag_id: str, task_id: str, filters: Mapping[str, Any]) -> Steps:
    """The newest instances of one task."""
    what = f"instances of task {task_id!r} of Dag {dag_id!r}"
    path = f"/tasks/{_part(dag_id)}/{_part(task_id)}/instances"
    page = yield from conversation.ask(Call(f"read the {what}", "GET", path, _given(filters)))
    return _entries(conversation, page, "instances")


def list_all(conversation: Conversation, what: str, filters: Mapping[str, Any]) -> Steps:
    """Page through ``tasks`` or ``workflows`` and return all entries.

    :param what: the path of the list, which is the key of its entries too
    """
    found: list[Any] = []
    while True:
        page = yield from conversation.ask(
            Call(f"list {what}", "GET", f"/{what}", {**_given(filters), "limit": PAGE, "offset": len(found)})
        )
        entries = _entries(conversation, page, what)
        found += entries
        if not entries or len(found) >= page.get("total_entries", 0):
            return found


def read_each(conversation: Conversation, targets: Sequence[Mapping[str, str]]) -> Steps:
    """Read several tasks and return them in the same order.

    :raises NotFound: when there is one that does not exist
    """
    found: dict[tuple[str, str], Any] = {}
    wanted = Counter(target["dag_id"] for target in targets)
    for dag_id, number in wanted.items():
        if number > FEW:
            everything = {"dag_id": dag_id, "deleted": True, "absent": True}
            tasks = yield from list_all(conversation, "tasks", everything)
            found.update({(dag_id, task["task_id"]): task for task in tasks})
    for target in targets:
        key = target["dag_id"], target["task_id"]
        if key not in found:
            found[key] = yield from conversation.ask(read_task(*key))
    return [found[target["dag_id"], target["task_id"]] for target in targets]


def change_tasks(verb: str, targets: TaskTargets, options: Mapping[str, Any]) -> Call:
    """Change tasks, or preview it."""
    return _change("tasks", verb, task_targets(targets), options)


def change_workflows(verb: str, dag_ids: Iterable[str], options: Mapping[str, Any]) -> Call:
    """Change whole workflows, or preview it."""
    return _change("workflows", verb, workflow_targets(dag_ids), options)


def plan_replenishment(inputs: Mapping[str, Any]) -> Call:
    """Ask what a replenishment would do."""
    return Call("plan a replenishment", "POST", "/replenishments/plan", body=_replenishment(inputs))


def create_replenishment(inputs: Mapping[str, Any]) -> Call:
    """Create a replenishment."""
    body = _replenishment(inputs)
    return Call("create a replenishment", "POST", "/replenishments", body=body, repeat=Repeat.IF_NOT_DONE)


def read_replenishment(replenishment_id: int | str) -> Call:
    """One replenishment."""
    number = _number(replenishment_id)
    return Call(f"read replenishment {number}", "GET", f"/replenishments/{number}")


def newest_replenishments(conversation: Conversation, limit: int) -> Steps:
    """The newest replenishments."""
    page = yield from conversation.ask(Call("list replenishments", "GET", "/replenishments", {"limit": limit}))
    return _entries(conversation, page, "replenishments")


def control_replenishment(replenishment_id: int | str, verb: str, options: Mapping[str, Any]) -> Call:
    """Pause, resume, cancel or retry a replenishment."""
    number = _number(replenishment_id)
    body, path = _given(options), f"/replenishments/{number}/{_part(verb)}"
    return Call(f"{verb} replenishment {number}", "POST", path, body=body, repeat=Repeat.IF_NOT_DONE)


def _replenishment(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """The body of a replenishment; what is None or empty is left to the server's defaults."""
    body = {name: _plain(value) for name, value in inputs.items() if value not in (None, "")}
    if "tasks" in body:
        body["tasks"] = task_targets(body["tasks"])
    if "workflows" in body:
        body["workflows"] = [target["dag_id"] for target in workflow_targets(body["workflows"])]
    if "cells" in body and isinstance(body["cells"], str):
        body["cells"] = [word.strip() for word in body["cells"].split(",")]
    if isinstance(body.get("ranges"), str | Mapping):
        raise RequestRefused(f"ranges is {body['ranges']!r}; it must be a list of (from, to)")
    body["ranges"] = [_range(one) for one in body.get("ranges", ())]
    return body


def _range(one: Any) -> dict[str, Any]:
    ends = (one.get("from"), one.get("to")) if isinstance(one, Mapping) else one
    if isinstance(ends, str) or not isinstance(ends, Sequence) or len(ends) != 2:
        raise RequestRefused(f"{one!r} is no range; allowed is (from, to), both included")
    return {"from": _plain(ends[0]), "to": _plain(ends[1])}


def _number(value: Any) -> int:
    try:
        return int(value)
    except (TypeError, ValueError):
        raise RequestRefused(f"{value!r} is not the number of a replenishment") from None


def _change(what: str, verb: str, targets: list[dict[str, str]], options: Mapping[str, Any]) -> Call:
    if verb not in list(Verb):
        raise RequestRefused(f"the verb is {verb!r}; allowed are {', '.join(Verb)}")
    body = {"targets": targets, **{name: _plain(value) for name, value in options.items() if value is not None}}
    preview = bool(options.get("dry_run"))
    return Call(
        f"{verb} {what}",
        "POST",
        f"/{what}/{verb}",
        body=body,
        repeat=Repeat.ALWAYS if preview else Repeat.IF_NOT_DONE,
    )


def _given(filters: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in filters.items() if value is not None}


def _entries(conversation: Conversation, page: Any, what: str) -> list[Any]:
    entries = page.get(what) if isinstance(page, dict) else None
    if not isinstance(entries, list):
        raise UnexpectedAnswer(f"the list of {what} from {conversation.endpoint} holds no {what!r}")
    return entries


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
