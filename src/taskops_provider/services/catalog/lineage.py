"""Which task waits for which, with sensors, triggers and assets resolved to tasks (requirements 4)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from itertools import chain, groupby
from operator import itemgetter
from typing import Any, NamedTuple

from sqlalchemy import Select, and_, func, literal, select, union_all
from sqlalchemy.orm import Session, aliased

from taskops_provider.models import AssetRef, Edge, Task
from taskops_provider.services.shared.bulk_reads import read_in_bulk

Node = tuple[str, str]

#: more Dags than this are read with the whole table instead of being named one by one
MANY_DAGS = 500


class LineageLink(NamedTuple):
    """One resolved dependency between two tasks."""

    up: Node
    down: Node
    #: task, sensor, marker, trigger or asset
    kind: str


#: (query of up dag and task, down dag and task, kind; its upstream dag_id; its downstream dag_id)
_Part = tuple[Select[*tuple[Any, ...]], Any, Any]


def _inside() -> _Part:
    """The part of the graph inside workflows: nearly all of it."""
    query = select(Edge.up_dag_id, Edge.up_task_id, Edge.down_dag_id, Edge.down_task_id, Edge.kind)
    return query.where(Edge.kind == "task"), Edge.up_dag_id, Edge.down_dag_id


def _across() -> list[_Part]:
    """The parts across workflows, resolved to tasks."""
    leaf, root, member = aliased(Task), aliased(Task), aliased(Task)
    producer, consumer, first = aliased(AssetRef), aliased(AssetRef), aliased(Task)
    # The kind leads: all but the few edges that cross workflows are exact, and the others are found by its index.
    across = Edge.kind.in_(("sensor", "marker", "trigger"))
    sensor = Edge.kind == "sensor"
    whole = and_(sensor, Edge.up_task_id == "")
    group = and_(sensor, Edge.up_task_id.endswith(".*", autoescape=True))
    exact = and_(
        across, Edge.up_task_id != "", ~Edge.up_task_id.endswith(".*", autoescape=True), Edge.down_task_id != ""
    )
    plain = select(Edge.up_dag_id, Edge.up_task_id, Edge.down_dag_id, Edge.down_task_id, Edge.kind)
    return [
        (plain.where(exact), Edge.up_dag_id, Edge.down_dag_id),
        (  # a sensor on a whole Dag waits for its leaves
            select(Edge.up_dag_id, leaf.task_id, Edge.down_dag_id, Edge.down_task_id, Edge.kind)
            .join(leaf, and_(leaf.dag_id == Edge.up_dag_id, leaf.is_leaf.is_(True), leaf.is_present.is_(True)))
            .where(whole),
            Edge.up_dag_id,
            Edge.down_dag_id,
        ),
        (  # a sensor on a group waits for its tasks; cut the * and compare what is in front of it
            select(Edge.up_dag_id, member.task_id, Edge.down_dag_id, Edge.down_task_id, Edge.kind)
            .join(member, and_(member.dag_id == Edge.up_dag_id, member.is_present.is_(True)))
            .where(
                group,
                func.substr(member.task_id, 1, func.length(Edge.up_task_id) - 1)
                == func.substr(Edge.up_task_id, 1, func.length(Edge.up_task_id) - 1),
            ),
            Edge.up_dag_id,
            Edge.down_dag_id,
        ),
        (  # a triggered Dag starts at its roots
            select(Edge.up_dag_id, Edge.up_task_id, Edge.down_dag_id, root.task_id, Edge.kind)
            .join(root, and_(root.dag_id == Edge.down_dag_id, root.is_root.is_(True), root.is_present.is_(True)))
            .where(Edge.kind == "trigger", Edge.down_task_id == ""),
            Edge.up_dag_id,
            Edge.down_dag_id,
        ),
        (  # so does one that an asset starts
            select(
                producer.dag_id.label("up_dag_id"),
                producer.task_id,
                consumer.dag_id.label("down_dag_id"),
                first.task_id,
                literal("asset"),
            )
            .join(consumer, and_(consumer.asset == producer.asset, consumer.direction == "schedule"))
            .join(first, and_(first.dag_id == consumer.dag_id, first.is_root.is_(True), first.is_present.is_(True)))
            .where(producer.direction == "outlet"),
            producer.dag_id,
            consumer.dag_id,
        ),
    ]


def _links(session: Session, dag_ids: Collection[str], found: Iterable[_Part], *, downwards: bool) -> Iterable[Any]:
    """Rows of some parts, out of (``downwards``) or into some Dags: one query."""
    parts = []
    for query, up, down in found:
        if len(dag_ids) <= MANY_DAGS:
            query = query.where((up if downwards else down).in_(dag_ids))
        parts.append(query)
    return read_in_bulk(session, union_all(*parts))


def _by_upstream(links: Iterable[tuple[Node, Node]]) -> dict[Node, tuple[Node, ...]]:
    """Return what is downstream of each node. Links of one node mostly come one behind the other.

    Tuples of texts, not lists: Python's collector looks at them once and then leaves them alone, so that hundreds of
    thousands of links do not slow it down.
    """
    found: dict[Node, tuple[Node, ...]] = {}
    more: dict[Node, list[Node]] = defaultdict(list)
    for up, group in groupby(links, key=itemgetter(0)):
        below = tuple([down for _, down in group])
        if up in found:
            more[up] += below
        else:
            found[up] = below
    for up, rest in more.items():
        found[up] += tuple(rest)
    return found


class DownstreamLinks:
    """The direct downstream tasks of tasks, across workflows: read Dag by Dag as they are asked for, and kept."""

    def __init__(self, session: Session):
        self._session = session
        self._loaded: set[str] = set()
        self._has_all = False
        self._links: dict[Node, tuple[Node, ...]] = {}

    def load(self, dag_ids: Collection[str]) -> None:
        """Have the links out of some Dags at hand: two queries, none where they are."""
        needed = set(dag_ids) - self._loaded
        if not needed or self._has_all:
            return
        query, dag_id, _ = _inside()
        if len(needed) <= MANY_DAGS:
            query = query.where(dag_id.in_(needed))
        # a name less in each of very many rows
        query = query.with_only_columns(Edge.up_dag_id, Edge.up_task_id, Edge.down_task_id)
        inside = (((dag_id, up), (dag_id, down)) for dag_id, up, down in read_in_bulk(self._session, query))
        across = (
            ((up_dag, up), (down_dag, down))
            for up_dag, up, down_dag, down, _ in _links(self._session, needed, _across(), downwards=True)
        )
        self._links.update(_by_upstream(chain(inside, across)))
        self._loaded |= needed
        self._has_all = len(needed) > MANY_DAGS

    def below(self, node: Node) -> Sequence[Node]:
        """The direct downstream tasks of a task of a Dag that was loaded."""
        return self._links.get(node, ())


def links_around(session: Session, dag_ids: Collection[str], *, downwards: bool) -> list[LineageLink]:
    """Return the links out of, or into, the tasks of some Dags with their kinds: one query."""
    rows = _links(session, dag_ids, [_inside(), *_across()], downwards=downwards) if dag_ids else ()
    return [
        LineageLink((up_dag, up_task), (down_dag, down_task), kind)
        for up_dag, up_task, down_dag, down_task, kind in rows
    ]


def everything_downstream(links: DownstreamLinks, start: Collection[Node]) -> set[Node]:
    """Return all tasks below some tasks, across workflows, without themselves.

    One query per workflow-to-workflow step, not one per task.
    """
    below: set[Node] = set()
    frontier = set(start)
    while frontier:
        links.load({dag_id for dag_id, _ in frontier})
        following = {down for node in frontier for down in links.below(node)}
        frontier = following - below
        below |= following
    return below - set(start)
