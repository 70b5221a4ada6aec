"""What a request for a row and a route of the table of rights is, and what REST and pages have in common.

In addresses and bodies ``{dag}``, ``{rule}`` stand for names and numbers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from taskops_provider.domain.instances import InstanceVerb
from taskops_provider.services.replenishments.control import ControlVerb
from tests.contract.walk.world import Side

LATER = "2999-01-01T00:00:00Z"
OPERATE = "pause, start, take offline, submit, set owners; delete tasks"
DELETE_WORKFLOW = "delete a workflow"
NOTIFY = "tell the owners of what is done (`notify_owners`)"
END = "end instances (`terminate_instances`), skip waiting ones (`held`)"
FILL = "fill the gap (`fill_gap`)"
INSTANCES = "rerun, force, hold, release, end or set single instances"
RUNS = "hold or release whole runs"
REPLENISH = "plan and create a replenishment"
CONTROL = {
    ControlVerb.PAUSE: "pause or cancel a replenishment",
    ControlVerb.CANCEL: "pause or cancel a replenishment",
    ControlVerb.RESUME: "resume or retry a replenishment",
    ControlVerb.RETRY: "resume or retry a replenishment",
}
TAKE_BACK = "pause or cancel a replenishment that has cleared instances of existing runs"
CANCEL_AND_END = "cancel a replenishment and end what runs"
RULES = "make, change, test, delete alarm rules"
PROJECT_RULES = "rules on a project of which you may read a Dag"
ACKNOWLEDGE = "acknowledge alarms"
LISTS = "read lists and settings"
ABOUT = "read about a workflow or a task"
RECORDS = "read a record, a replenishment, a rule, a window"
WINDOWS = "make, change, delete windows on Dags; skip their next cycles"
OPEN_WINDOWS = "make windows on folders, projects, tags, everything; hold and release all"
OVERRIDE = "override a freeze (`override_freeze`)"
ALARM = "read an alarm of task instances"
HISTORY = "read instances, a task's history and curve"
DOWNLOADS = "ask for a download, fetch your own"


@dataclass(frozen=True)
class Ask:
    """One request.

    :param act: the row of the table
    :param route: ``POST /v1/tasks/{verb}``
    :param path: what is asked below ``/taskops`` or the pages
    :param body: JSON of REST, fields of a form
    :param changes: whether something is different afterwards, where it is allowed; None: that is not looked at
    :param apply: a form is sent with the plan that was seen; False: the dialog is only opened
    :param of_side: whether it names the Dags; what does not is the same for every group of them
    """

    act: str
    route: str
    path: str
    body: Any = None
    changes: bool | None = True
    apply: bool = True
    of_side: bool = True

    @property
    def method(self) -> str:
        return self.route.partition(" ")[0]

    @property
    def is_rest(self) -> bool:
        return self.path.startswith(("/v1/", "/openapi.json", "/docs"))


def filled(ask: Ask, side: Side, name: str) -> Ask:
    """Return a request about the things of a group of Dags, and the download of a person."""
    own = {f"own_{kind}": side.numbers.get(f"{kind}_of_{name}", 0) for kind in ("export", "download")}
    names = replace(side, numbers={**side.numbers, **own})
    return replace(ask, path=names.fill(ask.path), body=names.fill(ask.body))


def get(act: str, route: str, path: str = "", *, of_side: bool = True) -> Ask:
    """Something that is read, at the address of its route or another."""
    return Ask(act, f"GET {route}", path or route, changes=False, of_side=of_side)


def operations() -> Iterator[tuple[str, str, str, str, dict[str, Any]]]:
    """Act, scope, verb, task, options of every operation."""
    for verb, task, options in (
        ("pause", "load", {}),
        ("start", "clean", {}),
        ("offline", "load", {"downstream": "skip"}),
        ("submit", "publish", {}),
        ("delete", "publish", {"downstream": "run"}),
        ("set-owners", "load", {"owners": ["eve"]}),
    ):
        yield OPERATE, "tasks", verb, task, options
        if verb != "delete":
            yield OPERATE, "workflows", verb, "", options
    yield DELETE_WORKFLOW, "workflows", "delete", "", {"downstream": "run"}
    for scope, task, paused in (("tasks", "load", "clean"), ("workflows", "", "")):
        yield NOTIFY, scope, "pause", task, {"notify_owners": True}
        yield END, scope, "pause", task, {"terminate_instances": True}
        yield END, scope, "offline", task, {"terminate_instances": True, "downstream": "skip"}
        yield END, scope, "start", paused, {"held": "skip"}
        yield OVERRIDE, scope, "pause", task, {"override_freeze": True, "reason": "fire"}
        yield FILL, scope, "start", paused, {"fill_gap": True}
        yield FILL, scope, "pause", task, {"fill_gap": True, "resume_at": LATER}


def dag_of(act: str, verb: str, task: str) -> str:
    """The Dag to which a verb does something."""
    return "{old}" if act == DELETE_WORKFLOW or (verb == "submit" and not task) else "{dag}"


_UNFINISHED = (InstanceVerb.TERMINATE, InstanceVerb.SET_SUCCESS, InstanceVerb.HOLD)


def run_for(verb: InstanceVerb) -> str:
    """A run of write_runs in whose state the verb does something."""
    return "run_0002" if verb in _UNFINISHED else "run_0000"


def changes_something(verb: InstanceVerb) -> bool | None:
    """Whether the verb does something to the instance of that run: nothing is held there to be released."""
    return None if verb is InstanceVerb.RELEASE else True


STATE_FOR = {
    ControlVerb.PAUSE: "queued",
    ControlVerb.CANCEL: "queued",
    ControlVerb.RESUME: "paused",
    ControlVerb.RETRY: "cancelled",
}
