"""Make a script that fails as small as possible, so that people see why."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from tests.simulation.dags import DagSpec, TaskSpec
from tests.simulation.script import Event, Script

#: whether a script still fails the same way
Fails = Callable[[Script], bool]


def shrink(script: Script, fails: Fails, *, attempts: int = 400) -> Script:
    """Leave out and simplify what the failure does not need.

    :param attempts: plays at most
    """
    left = attempts

    def still_fails(candidate: Script) -> bool:
        nonlocal left
        left -= 1
        return left > 0 and fails(candidate)

    before = None
    while script != before and left > 0:
        before = script
        script = _without_events(script, still_fails)
        for simplify in (_flatter, _without_dags, _without_tasks, _plainer):
            script = _keep_going(script, simplify, still_fails)
    return script


def _without_events(script: Script, fails: Fails) -> Script:
    size = max(len(script.events) // 2, 1)
    while True:
        at = 0
        while at < len(script.events):
            candidate = script.without_events(at, size)
            if fails(candidate):
                script = candidate
            else:
                at += size
        if size == 1:
            return script
        size = max(size // 2, 1)


def _keep_going(script: Script, simplify: Callable[[Script], Iterator[Script]], fails: Fails) -> Script:
    found = True
    while found:
        found = False
        for candidate in simplify(script):
            if candidate != script and fails(candidate):
                script, found = candidate, True
                break
    return script


def _flatter(script: Script) -> Iterator[Script]:
    """Without interleavings; a single step in place of a round; without waiting, options, skews."""
    if script.skews:
        yield replace(script, skews={})
    for at, event in enumerate(script.events):
        for other in _simpler(event):
            events = [*script.events[:at], *other, *script.events[at + 1 :]]
            yield replace(script, events=tuple(events))


def _simpler(event: Event) -> Iterator[list[Event]]:
    if event["do"] == "during":
        yield [event["first"], *event["then"]]
        yield [*event["then"], event["first"]]
        if len(event["then"]) > 1:
            yield [{**event, "then": event["then"][:1]}]
            yield [{**event, "then": event["then"][1:]}]
        return
    if event.get("dt", 0.1) not in (0.1, 5.0):
        yield [{**event, "dt": 0.1}]
        if event["dt"] > 5:
            yield [{**event, "dt": 5.0}]
    for option in ("held", "fill_gap", "terminate_instances", "resume_in", "conf", "at_once", "kill", "run", "last"):
        if option in event and not (option in ("run", "last") and event["do"] not in ("look", "take", "finish")):
            yield [{key: value for key, value in event.items() if key != option}]
    tasks = event.get("tasks")
    if tasks and len(tasks) > 1:
        for task in tasks:
            yield [{**event, "tasks": [task]}]


def _without_dags(script: Script) -> Iterator[Script]:
    for at in range(len(script.dags)):
        if len(script.dags) > 1:
            gone = script.dags[at].id
            events = tuple(event for event in script.events if gone not in _dags_of(event))
            yield replace(script, dags=script.dags[:at] + script.dags[at + 1 :], events=events)


def _dags_of(event: Event) -> set[str]:
    if event["do"] == "during":
        return _dags_of(event["first"]).union(*map(_dags_of, event["then"]))
    return {event["dag"]} if "dag" in event else set()


def _without_tasks(script: Script) -> Iterator[Script]:
    for at, spec in enumerate(script.dags):
        for task in spec.tasks:
            if len(spec.tasks) > 1:
                yield script.with_dag(at, spec.without(task.id))


def _plainer(script: Script) -> Iterator[Script]:
    """Dags with fewer peculiarities."""
    for at, spec in enumerate(script.dags):
        for other in _plainer_dags(spec):
            yield script.with_dag(at, other)


def _plainer_dags(spec: DagSpec) -> Iterator[DagSpec]:
    if spec.catchup:
        yield replace(spec, catchup=False)
    if spec.schedule:
        yield replace(spec, schedule="")
    if spec.max_active_runs != 16:
        yield replace(spec, max_active_runs=16)
    if spec.strict_params:
        yield replace(spec, strict_params=False)
    for task in spec.tasks:
        for other in _plainer_tasks(task):
            yield spec.with_task(other)


def _plainer_tasks(task: TaskSpec) -> Iterator[TaskSpec]:
    plain: dict[str, Any] = {
        "ends": ("success",),
        "retries": 0,
        "outlet": "",
        "group": "",
        "rule": "all_success",
        "indexes": 2,
        "wait_for_downstream": False,
        "depends_on_past": False,
    }
    for name, value in plain.items():
        if getattr(task, name) != value:
            yield replace(task, **{name: value})
    if task.kind not in ("bash", "setup", "teardown"):
        yield replace(task, kind="bash", chooses=())
    for up in task.upstream:
        if task.kind != "fans":
            yield replace(task, upstream=tuple(u for u in task.upstream if u != up))
