"""The tasks around a task, and the tasks of a workflow, as graphs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, select
from sqlalchemy.orm import Session

from taskops_provider.exceptions import BadInput
from taskops_provider.models import Owner, Task, Workflow
from taskops_provider.services.actor import Actor
from taskops_provider.services.filters import join_for_tasks
from taskops_provider.services.lineage import Link, Node, links_around
from taskops_provider.services.pairs import chunks, matches
from taskops_provider.services.status import task_status
from taskops_provider.services.tasks import get_task
from taskops_provider.services.workflows import WorkflowRow, get_workflow

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
    level: int | None = None
    # beyond the graph's JSON, for diagrams
    display_name: str = ""
    workflow_name: str = ""
    project: str = ""
    period: str = ""
    schedule: str | None = None
    owners: tuple[str, ...] = ()

    @property
    def is_hidden(self) -> bool:
        """Whether it stands for a workflow whose name may not be shown."""
        return self.dag_id == HIDDEN


@dataclass
class Graph:
    """Tasks and what waits for what.

    :param complete: nothing lies beyond the depth that was asked for
    :param workflow: the workflow, where the graph is of one
    """

    nodes: list[GraphNode] = field(default_factory=list)
    edges: list[Link] = field(default_factory=list)
    complete: bool = True
    workflow: WorkflowRow | None = None

    def as_json(self) -> dict[str, Any]:
        """The graph as every surface shows it."""
        return {
            "nodes": [
                {"dag_id": n.dag_id, "task_id": n.task_id, "status": n.status, "task_type": n.task_type}
                | ({} if n.level is None else {"level": n.level})
                for n in self.nodes
            ],
            "edges": [
                {
                    "up": {"dag_id": edge.up[0], "task_id": edge.up[1]},
                    "down": {"dag_id": edge.down[0], "task_id": edge.down[1]},
                    "kind": edge.kind,
                }
                for edge in self.edges
            ],
            "complete": self.complete,
        }


def lineage(
    session: Session,
    actor: Actor,
    dag_id: str,
    task_id: str,
    now: datetime,
    *,
    depth: int,
    upwards: bool = True,
    downwards: bool = True,
    anonymous: bool = False,
) -> Graph:
    """Return the tasks up to ``depth`` steps above and below a task, across workflows, with itself at level 0.

    Tasks of Dags that the actor may not read are left out, with what lies behind them. One query for each step
    that reaches further Dags.

    :param anonymous: let one nameless node (``is_hidden``) stand for each Dag that is left out
    :raises BadInput: for a depth below 1
    :raises NotFound: when there is no such task, or the Dag may not be read
    """
    if depth < 1:
        raise BadInput(f"depth is {depth}; allowed are 1 and more")
    get_task(session, actor, dag_id, task_id, now)
    start = (dag_id, task_id)
    levels: dict[Node, int] = {start: 0}
    edges: dict[Link, None] = {}
    complete = True
    for wanted, sign in ((upwards, -1), (downwards, 1)):
        if wanted:
            walk = _Walk(session, actor, downwards=sign > 0, anonymous=anonymous)
            complete &= walk.go(start, depth)
            for node, distance in walk.distance.items():
                levels.setdefault(node, sign * distance)
            edges.update(dict.fromkeys(walk.edges))
    known: dict[Node, dict[str, Any]] = {}
    for chunk in chunks([node for node in levels if node[0] != HIDDEN]):
        known.update(
            _facts(
                session,
                now,
                matches(Task.dag_id, Task.task_id, chunk),
                matches(Owner.dag_id, Owner.task_id, chunk),
            )
        )
    unknown = {"status": None, "task_type": None}
    ordered = sorted(levels.items(), key=lambda found: (found[1], found[0]))
    nodes = [GraphNode(*node, level=level, **known.get(node, unknown)) for node, level in ordered]
    return Graph(nodes, sorted(edges), complete)


class _Walk:
    """A breadth-first walk in one direction, level by level."""

    def __init__(self, session: Session, actor: Actor, *, downwards: bool, anonymous: bool):
        self._session = session
        self._actor = actor
        self._anonymous = anonymous
        #: Dags that may not be read, with the nodes that stand for them
        self._hidden: dict[str, Node] = {}
        self._downwards = downwards
        self._links: dict[Node, list[Link]] = defaultdict(list)
        self._loaded: set[str] = set()
        self.distance: dict[Node, int] = {}
        self.edges: list[Link] = []

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

    def _step(self, frontier: Iterable[Node]) -> list[Link]:
        nodes = list(frontier)
        needed = {dag_id for dag_id, _ in nodes} - self._loaded - {HIDDEN}
        for link in links_around(self._session, needed, downwards=self._downwards):
            if shown := self._shown(link):
                self._links[link.up if self._downwards else link.down].append(shown)
        self._loaded |= needed
        return [link for node in nodes for link in self._links.get(node, ())]

    def _shown(self, link: Link) -> Link | None:
        """The link as the actor may see it, None where they may not."""
        dag_id = self._far_end(link)[0]
        if self._actor.may_read(dag_id):
            return link
        if not self._anonymous:
            return None
        side = "below" if self._downwards else "above"
        node = self._hidden.setdefault(dag_id, (HIDDEN, f"{side} {len(self._hidden) + 1}"))
        return link._replace(down=node) if self._downwards else link._replace(up=node)

    def _far_end(self, link: Link) -> Node:
        return link.down if self._downwards else link.up


def workflow_graph(session: Session, actor: Actor, dag_id: str, now: datetime) -> Graph:
    """Return the tasks of a workflow's latest version and what waits for what inside it.

    :raises NotFound: when there is no such workflow, or the Dag may not be read
    """
    workflow = get_workflow(session, actor, dag_id, now)
    present = and_(Task.dag_id == dag_id, Task.is_present.is_(True))
    facts = _facts(session, now, present, and_(Owner.dag_id == dag_id, Owner.task_id != ""))
    nodes = [GraphNode(*node, **facts[node]) for node in sorted(facts)]
    found = links_around(session, {dag_id}, downwards=True)
    edges = {link for link in found if link.up in facts and link.down in facts}
    return Graph(nodes, sorted(edges), workflow=workflow)


def _facts(
    session: Session, now: datetime, tasks: ColumnElement[bool], owned: ColumnElement[bool]
) -> dict[Node, dict[str, Any]]:
    """Return what a graph says of some tasks: two queries.

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
        facts = dict(row._mapping)
        node = (facts.pop("dag_id"), facts.pop("task_id"))
        found[node] = facts | {"owners": tuple(owners.get(node, ()))}
    return found
