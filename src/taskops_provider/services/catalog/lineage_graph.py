"""The tasks around a task, and the tasks of a workflow, as graphs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import ColumnElement, and_, select
from sqlalchemy.orm import Session

from taskops_provider.domain.answers import INTERNAL, OMIT_NONE
from taskops_provider.domain.lineage import Direction
from taskops_provider.exceptions import BadInput
from taskops_provider.models import Owner, Task, Workflow
from taskops_provider.services.catalog.filters import join_for_tasks
from taskops_provider.services.catalog.lineage import LineageLink, Node, links_around
from taskops_provider.services.catalog.status import task_status
from taskops_provider.services.catalog.tasks import get_task
from taskops_provider.services.catalog.workflows import WorkflowRow, get_workflow
from taskops_provider.services.shared.actor import Actor
from taskops_provider.services.shared.task_keys import chunks, is_one_of

#: the ``dag_id`` of nodes that stand for workflows whose names may not be shown
HIDDEN = ""


@dataclass(frozen=True)
class GraphNode:
    """A task in a graph.

    :param status: None, like the type, for a task that a sensor names and no Dag has
    :param level: how far from the task that was asked for, negative upstream; None where none was
    """

    dag_id: str
    task_id: str
    status: str | None
    task_type: str | None
    level: int | None = field(default=None, metadata=OMIT_NONE)
    # beyond the graph's JSON, for diagrams
    display_name: str = field(default="", metadata=INTERNAL)
    workflow_name: str = field(default="", metadata=INTERNAL)
    project: str = field(default="", metadata=INTERNAL)
    period: str = field(default="", metadata=INTERNAL)
    schedule: str | None = field(default=None, metadata=INTERNAL)
    owners: tuple[str, ...] = field(default=(), metadata=INTERNAL)

    @property
    def is_hidden(self) -> bool:
        """Whether it stands for a workflow whose name may not be shown."""
        return self.dag_id == HIDDEN


class GraphEnd(NamedTuple):
    """One end of an edge: the node of this Dag and task."""

    dag_id: str
    task_id: str


@dataclass(frozen=True)
class GraphEdge:
    """``down`` waits for ``up``.

    :param kind: as a ``LineageLink`` has it
    """

    up: GraphEnd
    down: GraphEnd
    kind: str


@dataclass(frozen=True)
class LineageReach:
    """How far around a task a graph goes.

    :param depth: in steps, 1 and more
    :param anonymous: let one nameless node (``is_hidden``) on each side stand for all that the actor may not see
    """

    depth: int
    direction: Direction = Direction.BOTH
    anonymous: bool = False


@dataclass
class Graph:
    """Tasks and what waits for what: those of a workflow, or those around a task.

    :param task_id: the task that was asked for; None where the graph is of a workflow
    :param complete: nothing lies beyond the depth that was asked for
    :param workflow: the workflow, where the graph is of one
    """

    dag_id: str
    task_id: str | None = field(metadata=OMIT_NONE)
    nodes: list[GraphNode]
    edges: list[GraphEdge]
    complete: bool = True
    workflow: WorkflowRow | None = field(default=None, metadata=INTERNAL)


def lineage(session: Session, actor: Actor, dag_id: str, task_id: str, now: datetime, reach: LineageReach) -> Graph:
    """Return the tasks up to ``reach.depth`` steps above and below a task, across workflows, with itself at level 0.

    Tasks of Dags that the actor may not read are left out, with what lies behind them, and those of other Dags for who
    may not read dependencies. One query for each step
    that reaches further Dags.

    :raises BadInput: for a depth below 1
    :raises ResourceNotFound: when there is no such task, or the Dag may not be read
    """
    if reach.depth < 1:
        raise BadInput(f"depth is {reach.depth}; allowed are 1 and more")
    get_task(session, actor, dag_id, task_id, now)
    start = (dag_id, task_id)
    levels: dict[Node, int] = {start: 0}
    edges: dict[LineageLink, None] = {}
    complete = True
    for side, sign in ((Direction.UPSTREAM, -1), (Direction.DOWNSTREAM, 1)):
        if reach.direction in (side, Direction.BOTH):
            walk = _Walk(session, actor, downwards=sign > 0, anonymous=reach.anonymous)
            complete &= walk.go(start, reach.depth)
            for node, distance in walk.distance.items():
                levels.setdefault(node, sign * distance)
            edges.update(dict.fromkeys(walk.edges))
    known: dict[Node, GraphNode] = {}
    for chunk in chunks([node for node in levels if node[0] != HIDDEN]):
        known.update(
            _nodes(
                session,
                now,
                is_one_of(Task.dag_id, Task.task_id, chunk),
                is_one_of(Owner.dag_id, Owner.task_id, chunk),
            )
        )
    ordered = sorted(levels.items(), key=lambda found: (found[1], found[0]))
    nodes = [replace(known.get(node) or GraphNode(*node, None, None), level=level) for node, level in ordered]
    return Graph(dag_id, task_id, nodes, _edges(edges), complete)


def _edges(links: Iterable[LineageLink]) -> list[GraphEdge]:
    return [GraphEdge(GraphEnd(*link.up), GraphEnd(*link.down), link.kind) for link in sorted(links)]


class _Walk:
    """A breadth-first walk in one direction, level by level."""

    def __init__(self, session: Session, actor: Actor, *, downwards: bool, anonymous: bool):
        self._session = session
        self._actor = actor
        self._anonymous = anonymous
        #: stands for everything that may not be seen: one for each Dag would tell how many there are
        self._hidden: Node = (HIDDEN, "below" if downwards else "above")
        self._downwards = downwards
        self._links: dict[Node, list[LineageLink]] = defaultdict(list)
        self._loaded: set[str] = set()
        self.distance: dict[Node, int] = {}
        self.edges: list[LineageLink] = []

    def go(self, start: Node, depth: int) -> bool:
        """Walk; tell whether the end was reached within ``depth``."""
        self.distance[start] = 0
        frontier = [start]
        for level in range(1, depth + 1):
            found = self._step(frontier)
            self.edges += found
            reached = dict.fromkeys(self._far_end(link) for link in found)
            frontier = [node for node in reached if node not in self.distance]
            self.distance.update(dict.fromkeys(frontier, level))
            if not frontier:
                return True
        return all(self._far_end(link) in self.distance for link in self._step(frontier))

    def _step(self, frontier: Iterable[Node]) -> list[LineageLink]:
        nodes = list(frontier)
        needed = {dag_id for dag_id, _ in nodes} - self._loaded - {HIDDEN}
        for link in links_around(self._session, needed, downwards=self._downwards):
            if shown := self._shown(link):
                self._links[link.up if self._downwards else link.down].append(shown)
        self._loaded |= needed
        return [link for node in nodes for link in self._links.get(node, ())]

    def _shown(self, link: LineageLink) -> LineageLink | None:
        """The link as the actor may see it, None where they may not."""
        near, far = (link.up, link.down) if self._downwards else (link.down, link.up)
        if self._actor.may_follow(near[0], far[0]):
            return link
        # who may not read dependencies is not told that there is one
        if not self._anonymous or not self._actor.may_read_dependencies(near[0]):
            return None
        # all of one kind: several would tell that there are several
        return LineageLink(near, self._hidden, "task") if self._downwards else LineageLink(self._hidden, near, "task")

    def _far_end(self, link: LineageLink) -> Node:
        return link.down if self._downwards else link.up


def workflow_graph(session: Session, actor: Actor, dag_id: str, now: datetime) -> Graph:
    """Return the tasks of a workflow's latest version and what waits for what inside it.

    :raises ResourceNotFound: when there is no such workflow, or the Dag may not be read
    """
    workflow = get_workflow(session, actor, dag_id, now)
    present = and_(Task.dag_id == dag_id, Task.is_present.is_(True))
    found = _nodes(session, now, present, and_(Owner.dag_id == dag_id, Owner.task_id != ""))
    links = links_around(session, {dag_id}, downwards=True)
    inside = {link for link in links if link.up in found and link.down in found}
    return Graph(dag_id, None, [found[node] for node in sorted(found)], _edges(inside), workflow=workflow)


def _nodes(
    session: Session, now: datetime, tasks: ColumnElement[bool], owned: ColumnElement[bool]
) -> dict[Node, GraphNode]:
    """Return some tasks as a graph has them, without levels: two queries.

    :param tasks: the condition on tasks; ``owned``: the same on owners
    """
    owners: dict[Node, list[str]] = defaultdict(list)
    for dag_id, task_id, owner in session.execute(
        select(Owner.dag_id, Owner.task_id, Owner.owner).where(owned).order_by(Owner.owner)
    ):
        owners[dag_id, task_id].append(owner)
    query = select(
        Task.dag_id,
        Task.task_id,
        task_status(now).label("status"),
        Task.task_type,
        Task.display_name,
        Workflow.display_name.label("workflow_name"),
        Workflow.project,
        Workflow.period,
        Workflow.schedule,
    ).select_from(Task)
    found = {}
    for row in session.execute(join_for_tasks(query).where(tasks)):
        node = (row.dag_id, row.task_id)
        found[node] = GraphNode(**row._mapping, owners=tuple(owners.get(node, ())))
    return found
