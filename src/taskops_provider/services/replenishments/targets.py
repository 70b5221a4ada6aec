"""Which tasks a replenishment is about: those named, those of the workflows named, and those around them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from sqlalchemy import select
from sqlalchemy.orm import Session

from taskops_provider.domain.replenishment import Asked
from taskops_provider.domain.states import TaskState
from taskops_provider.exceptions import BadInput, Forbidden, NotFound
from taskops_provider.models import Task, Workflow
from taskops_provider.services.actor import Actor
from taskops_provider.services.lineage import Node, links_around
from taskops_provider.services.pairs import chunks, matches

_STOPPED = (TaskState.OFFLINE.value, TaskState.DELETED.value)


@dataclass
class Targets:
    """Tasks by Dag, and what people should know of those left out."""

    tasks: dict[str, set[str]] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


def find_targets(session: Session, actor: Actor, asked: Asked) -> Targets:
    """Return the tasks that a replenishment is about. A constant number of queries for each step across workflows.

    :raises NotFound: for a workflow or task that does not exist, or may not be seen
    :raises Forbidden: where the actor may not edit one that was named
    :raises BadInput: for a named task that is offline or deleted, or where nothing is left
    """
    targets = Targets()
    named: set[Node] = {(target.dag_id, target.task_id) for target in asked.tasks}
    workflows = set(asked.workflows)
    if asked.is_selection:
        reached = {*workflows, *(dag_id for dag_id, _ in named)}
        open_to = actor.permissions.editable(reached)
        if closed := sorted(reached - open_to):
            targets.warnings.append(f"Dags that you may not edit are left out: {_names(closed)}")
        workflows, named = workflows & open_to, {node for node in named if node[0] in open_to}
        if not open_to:
            raise Forbidden("you may edit none of the Dags that were selected")
    _check_workflows(session, actor, {*workflows, *(dag_id for dag_id, _ in named)})
    states = _states(session, named) | _states_of_workflows(session, workflows)
    _check_tasks(named, states, refuses_stopped=not asked.is_selection)
    around = _around(session, actor, named, asked.upstream, downwards=False)
    around |= _around(session, actor, named, asked.downstream, downwards=True)
    around = _without_closed(actor, around - set(states), targets)
    states |= _states(session, around)
    chosen = {node for node, state in states.items() if state not in _STOPPED}
    left_out = sorted(set(states) - chosen)
    if left_out:
        what = "offline or deleted tasks are" if len(left_out) > 1 else "offline or deleted task is"
        targets.warnings.append(f"{len(left_out)} {what} left out: {_names(' '.join(node) for node in left_out)}")
    if not chosen:
        raise BadInput("nothing is left to replenish: every task is offline or deleted; submit it first")
    by_dag: dict[str, set[str]] = defaultdict(set)
    for dag_id, task_id in chosen:
        by_dag[dag_id].add(task_id)
    targets.tasks = dict(sorted(by_dag.items()))
    return targets


def _check_workflows(session: Session, actor: Actor, dag_ids: Collection[str]) -> None:
    query = select(Workflow.dag_id).where(Workflow.dag_id.in_(dag_ids), Workflow.is_present.is_(True))
    known = {dag_id for dag_id in session.scalars(query) if actor.may_read(dag_id)}
    if unknown := sorted(set(dag_ids) - known):
        raise NotFound(f"Dag {_names(map(repr, unknown))} does not exist; `airflow taskops sync` reads new Dags in")
    if closed := sorted(set(dag_ids) - actor.permissions.editable(dag_ids)):
        raise Forbidden(f"you may not edit {_names(closed)}")


def _states(session: Session, nodes: Collection[Node]) -> dict[Node, str]:
    """The states of those of some tasks that their Dags still have."""
    found: dict[Node, str] = {}
    for chunk in chunks(nodes):
        query = select(Task.dag_id, Task.task_id, Task.state).where(
            matches(Task.dag_id, Task.task_id, chunk), Task.is_present.is_(True)
        )
        found.update({(dag_id, task_id): state for dag_id, task_id, state in session.execute(query)})
    return found


def _states_of_workflows(session: Session, dag_ids: Collection[str]) -> dict[Node, str]:
    query = select(Task.dag_id, Task.task_id, Task.state).where(Task.dag_id.in_(dag_ids), Task.is_present.is_(True))
    return {(dag_id, task_id): state for dag_id, task_id, state in session.execute(query)} if dag_ids else {}


def _check_tasks(named: set[Node], states: dict[Node, str], *, refuses_stopped: bool) -> None:
    if unknown := sorted(named - set(states)):
        raise NotFound(f"task {_names(repr(' '.join(node)) for node in unknown)} does not exist")
    stopped = sorted(node for node in named if states[node] in _STOPPED)
    if stopped and refuses_stopped:
        names = _names(" ".join(node) for node in stopped)
        raise BadInput(f"task {names} is {states[stopped[0]]} and cannot be replenished; submit it first")


def _around(session: Session, actor: Actor, start: set[Node], depth: int, *, downwards: bool) -> set[Node]:
    """The tasks up to ``depth`` steps from some, across workflows; one query for each step that reaches further."""
    edges: dict[Node, list[Node]] = defaultdict(list)
    loaded: set[str] = set()
    found: set[Node] = set()
    frontier = start
    for _ in range(depth):
        needed = {dag_id for dag_id, _ in frontier} - loaded
        for link in links_around(session, needed, downwards=downwards):
            near, far = (link.up, link.down) if downwards else (link.down, link.up)
            if actor.may_read(far[0]):
                edges[near].append(far)
        loaded |= needed
        frontier = {far for near in frontier for far in edges[near]} - found - start
        found |= frontier
        if not frontier:
            break
    return found


def _without_closed(actor: Actor, nodes: set[Node], targets: Targets) -> set[Node]:
    reached = {dag_id for dag_id, _ in nodes}
    closed = reached - actor.permissions.editable(reached)
    if closed:
        targets.warnings.append(f"tasks of Dags that you may not edit are left out: {_names(sorted(closed))}")
    return {node for node in nodes if node[0] not in closed}


def _names(names: Iterable[str]) -> str:
    """The first three of some names, and how many more there are."""
    every = list(names)
    more = f" and {len(every) - 3} more" if len(every) > 3 else ""
    return f"{', '.join(every[:3])}{more}"
