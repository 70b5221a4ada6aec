"""Which tasks a replenishment is about: those named, those of the workflows named, and those around them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from taskops_provider.domain.replenishment import ReplenishmentRequest
from taskops_provider.domain.states import OUT_OF_SERVICE
from taskops_provider.exceptions import BadInput, Forbidden, ResourceNotFound
from taskops_provider.models import Task, Workflow
from taskops_provider.services.catalog.lineage import Node, links_around
from taskops_provider.services.shared.actor import NEEDS, Actor, replenishable
from taskops_provider.services.shared.task_keys import chunks, is_one_of


@dataclass(frozen=True, slots=True)
class Targets:
    """Tasks by Dag, and what people should know of those left out."""

    tasks: Mapping[str, set[str]]
    warnings: Sequence[str]


def find_targets(session: Session, actor: Actor, request: ReplenishmentRequest) -> Targets:
    """Return the tasks that a replenishment is about. A constant number of queries for each step across workflows.

    :raises ResourceNotFound: for a workflow or task that does not exist, or may not be seen
    :raises Forbidden: where the actor may not edit one that was named
    :raises BadInput: for a named task that is offline or deleted, or where nothing is left
    """
    warnings: list[str] = []
    named: set[Node] = {(target.dag_id, target.task_id) for target in request.tasks}
    workflows = set(request.workflows)
    if request.is_selection:
        reached = {*workflows, *(dag_id for dag_id, _ in named)}
        editable = replenishable(actor, reached)
        if closed := sorted(reached - editable):
            warnings.append(f"Dags that you may not replenish are left out: {_names(closed)}")
        workflows, named = workflows & editable, {node for node in named if node[0] in editable}
        if not editable:
            raise Forbidden("you may replenish none of the Dags that were selected")
    _check_workflows(session, actor, {*workflows, *(dag_id for dag_id, _ in named)})
    states = _states(session, named) | _states_of_workflows(session, workflows)
    _check_tasks(named, states, refuses_stopped=not request.is_selection)
    around = _around(session, actor, named, request.upstream_depth, downwards=False)
    around |= _around(session, actor, named, request.downstream_depth, downwards=True)
    around -= set(states)
    if closed := sorted(_closed_dags(actor, around)):
        warnings.append(f"tasks of Dags that you may not replenish are left out: {_names(closed)}")
    states |= _states(session, {node for node in around if node[0] not in closed})
    chosen = {node for node, state in states.items() if state not in OUT_OF_SERVICE}
    left_out = sorted(set(states) - chosen)
    chosen -= _excluded(session, actor, request)
    if left_out:
        what = "offline or deleted tasks are" if len(left_out) > 1 else "offline or deleted task is"
        warnings.append(f"{len(left_out)} {what} left out: {_names(' '.join(node) for node in left_out)}")
    if not chosen:
        raise BadInput(_nothing_left(is_excluded=bool(request.exclude)))
    by_dag: dict[str, set[str]] = defaultdict(set)
    for dag_id, task_id in chosen:
        by_dag[dag_id].add(task_id)
    return Targets(dict(sorted(by_dag.items())), warnings)


def _nothing_left(*, is_excluded: bool) -> str:
    if is_excluded:
        return "nothing is left to replenish: every task is excluded, offline or deleted"
    return "nothing is left to replenish: every task is offline or deleted; submit it first"


def _excluded(session: Session, actor: Actor, request: ReplenishmentRequest) -> set[Node]:
    """The tasks that are not to execute.

    :raises ResourceNotFound: for one that does not exist, or may not be seen
    """
    excluded: set[Node] = {(target.dag_id, target.task_id) for target in request.exclude}
    states = _states(session, {node for node in excluded if actor.may_read(node[0])}) if excluded else {}
    _check_tasks(excluded, states, refuses_stopped=False)
    return excluded


def may_be_planned(actor: Actor, request: ReplenishmentRequest) -> bool:
    """Whether the actor may replenish all that is named; of a selection, any of it."""
    named = {*request.workflows, *(target.dag_id for target in request.tasks)}
    readable = actor.readable_of(named)
    allowed = replenishable(actor, readable) if readable else set()
    return bool(allowed) if request.is_selection else allowed == named


def _check_workflows(session: Session, actor: Actor, dag_ids: Collection[str]) -> None:
    readable = actor.readable_of(dag_ids)
    query = select(Workflow.dag_id).where(Workflow.dag_id.in_(readable), Workflow.is_present.is_(True))
    known = set(session.scalars(query))
    if unknown := sorted(set(dag_ids) - known):
        raise ResourceNotFound(
            f"Dag {_names(map(repr, unknown))} does not exist; `airflow taskops sync` reads new Dags in"
        )
    if closed := sorted(set(dag_ids) - replenishable(actor, dag_ids)):
        raise Forbidden(f"you may not replenish {_names(closed)}: {NEEDS}")


def _states(session: Session, nodes: Collection[Node]) -> dict[Node, str]:
    """The states of those of some tasks that their Dags still have."""
    found: dict[Node, str] = {}
    for chunk in chunks(nodes):
        query = select(Task.dag_id, Task.task_id, Task.state).where(
            is_one_of(Task.dag_id, Task.task_id, chunk), Task.is_present.is_(True)
        )
        found.update({(dag_id, task_id): state for dag_id, task_id, state in session.execute(query)})
    return found


def _states_of_workflows(session: Session, dag_ids: Collection[str]) -> dict[Node, str]:
    query = select(Task.dag_id, Task.task_id, Task.state).where(Task.dag_id.in_(dag_ids), Task.is_present.is_(True))
    return {(dag_id, task_id): state for dag_id, task_id, state in session.execute(query)} if dag_ids else {}


def _check_tasks(named: set[Node], states: dict[Node, str], *, refuses_stopped: bool) -> None:
    if unknown := sorted(named - set(states)):
        raise ResourceNotFound(f"task {_names(repr(' '.join(node)) for node in unknown)} does not exist")
    stopped = sorted(node for node in named if states[node] in OUT_OF_SERVICE)
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
            if actor.may_follow(near[0], far[0]):
                edges[near].append(far)
        loaded |= needed
        frontier = {far for near in frontier for far in edges[near]} - found - start
        found |= frontier
        if not frontier:
            break
    return found


def _closed_dags(actor: Actor, nodes: Collection[Node]) -> set[str]:
    """The Dags of some tasks that the actor may not edit."""
    reached = {dag_id for dag_id, _ in nodes}
    return reached - replenishable(actor, reached)


def _names(names: Iterable[str]) -> str:
    """The first three of some names, and how many more there are."""
    every = list(names)
    more = f" and {len(every) - 3} more" if len(every) > 3 else ""
    return f"{', '.join(every[:3])}{more}"
