"""The diagram of a workflow, and the drawing that the lineage of a task shows too.

Usage, for any :class:`~taskops_provider.services.catalog.lineage_graph.Graph`::

    graph = lineage(session, actor, dag_id, task_id, now, LineageReach(3, anonymous=True))
    drawing(graph, urls, f"Lineage of {task_id}", who=name, focus=(dag_id, task_id), query={"view": "lineage"})

and in a template, with the result as ``drawing``::

    {% from "taskops/diagram/drawing.html" import diagram %}
    {{ diagram(drawing) }}

That gives the toolbar (zoom, locate, filter by status) and the frame. ``frontend/src/diagram/start.js`` finds it
automatically, also in parts that htmx brings later. Graphs made with ``anonymous=True`` show workflows that may not be
read as boxes without a name.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from taskops_provider.domain.layering.layout import TooLargeToDraw, layout
from taskops_provider.domain.layering.routes import Point
from taskops_provider.domain.states import TaskStatus
from taskops_provider.exceptions import BadInput
from taskops_provider.services.catalog.lineage import Node
from taskops_provider.services.catalog.lineage_graph import Graph, GraphNode, workflow_graph
from taskops_provider.services.shared.large_work import large_work
from taskops_provider.www.page_request import PageRequest
from taskops_provider.www.presenters import text
from taskops_provider.www.presenters.text import Badge
from taskops_provider.www.presenters.text_width import clip, width_of
from taskops_provider.www.urls import Urls

PAGE = "diagram"
#: what the hover card names, in this order (requirements A7)
FACTS = ("Task ID", "Project", "Workflow", "Owners", "Type", "Status", "Cycle", "Plan")
#: boxes and lines of a drawing that takes a while
LARGE = 3_000
#: boxes are as wide as their texts, within these limits
NARROWEST, WIDEST = 132.0, 236.0
#: the share of boxes whose texts are to fit
FITTING = 0.85
HEIGHT, HEIGHT_WITH_WORKFLOW = 50.0, 68.0
LEFT, RIGHT = 14.0, 12.0
#: the status' mark before its name
MARK = 18.0
TITLE_SIZE, SMALL_SIZE = 13.0, 12.0
#: how far a line that turns round bulges
BULGE = 26.0
#: room around the drawing
MARGIN = 24.0

_UNKNOWN = Badge("Not in any Dag", "none")
_HIDDEN = Badge("Not visible", "none")


#: a value of ``FACTS``: a text, or the owners
Fact: TypeAlias = str | list[str]


@dataclass(frozen=True)
class Box:
    """A task as it is drawn.

    :param status: for the filter; empty where there is none
    :param url: its page, empty where it has none
    :param facts: values of ``FACTS``; owners are a list. Empty for one that may not be shown
    :param title: name as it fits, ``workflow`` and ``task_type`` likewise
    :param name: what a screen reader says
    """

    x: str
    y: str
    status: str
    badge: Badge
    url: str
    facts: list[Fact]
    title: str
    workflow: str
    task_type: str
    name: str
    search: str
    is_focus: bool = False
    is_target: bool = False


@dataclass(frozen=True)
class EdgeLine:
    """A dependency as it is drawn: from and to the boxes of these numbers."""

    start: int
    end: int
    kind: str
    path: str


@dataclass(frozen=True)
class StatusCount:
    """A status that the diagram can be filtered by."""

    value: str
    badge: Badge
    count: int


@dataclass(frozen=True)
class Drawing:
    """What ``diagram/drawing.html`` shows."""

    label: str
    width: float
    height: float
    box_width: float
    box_height: float
    boxes: list[Box]
    lines: list[EdgeLine]
    statuses: list[StatusCount]
    kinds: list[str]
    margin: float = MARGIN
    fact_labels: tuple[str, ...] = FACTS


def drawing(
    graph: Graph,
    urls: Urls,
    label: str,
    *,
    who: str,
    focus: Node | None = None,
    query: Mapping[str, str] | None = None,
) -> Drawing:
    """Lay a graph out; boxes name their workflow where they are of several.

    :param label: what a screen reader calls the drawing
    :param who: the name of who asks
    :param focus: the task that stands out
    :param query: what the links to the tasks' pages carry besides the task: ``{"view": "lineage"}``
    :raises BadInput: if it is too large to be drawn within a request
    :raises Conflict: for a large one while other large requests are under way
    """
    across = len({node.dag_id for node in graph.nodes if not node.is_hidden}) > 1
    number = {(node.dag_id, node.task_id): index for index, node in enumerate(graph.nodes)}
    links = [(number[link.up], number[link.down]) for link in graph.edges]
    box_width = _box_width(graph.nodes, across=across)
    box_height = HEIGHT_WITH_WORKFLOW if across else HEIGHT
    try:
        with large_work("the diagram", who) as turn:
            if len(graph.nodes) + len(links) > LARGE:
                turn.take()
            laid = layout(len(graph.nodes), links, box_width, box_height)
    except TooLargeToDraw as error:
        raise BadInput(f"{label} is too large to draw: {error}; the list of tasks has them all") from None
    targets = {end for _, end in links}
    boxes = [
        replace(
            _box(node, laid.corners[index], box_width, across=across, url=_url(node, urls, query or {})),
            is_focus=(node.dag_id, node.task_id) == focus,
            is_target=index in targets,
        )
        for index, node in enumerate(graph.nodes)
    ]
    return Drawing(
        label=label,
        width=laid.width,
        height=laid.height,
        box_width=box_width,
        box_height=box_height,
        boxes=boxes,
        lines=[
            EdgeLine(*ends, link.kind, path(route))
            for ends, link, route in zip(links, graph.edges, laid.routes, strict=True)
        ],
        statuses=_statuses(graph.nodes),
        kinds=sorted({link.kind for link in graph.edges} - {"task"}),
    )


def _statuses(nodes: Sequence[GraphNode]) -> list[StatusCount]:
    """The four statuses, and deleted where there are such tasks."""
    counts = Counter(node.status for node in nodes)
    return [
        StatusCount(status, badge, counts[status])
        for status, badge in text.TASK_BADGES.items()
        if counts[status] or status != TaskStatus.DELETED
    ]


def _url(node: GraphNode, urls: Urls, query: Mapping[str, str]) -> str:
    if node.is_hidden or node.status is None:
        return ""
    return urls.page("task", {"dag_id": node.dag_id, "task_id": node.task_id, **query})


def _title(node: GraphNode) -> str:
    return "Others you may not see" if node.is_hidden else node.display_name or node.task_id


def _badge(node: GraphNode) -> Badge:
    if node.is_hidden:
        return _HIDDEN
    return _UNKNOWN if node.status is None else text.TASK_BADGES[node.status]


def _workflow(node: GraphNode) -> str:
    return node.workflow_name or node.dag_id


def _type(node: GraphNode) -> str:
    """The type as a box has room for it: most end alike, and the card has the whole."""
    return (node.task_type or "").removesuffix("Operator") or node.task_type or ""


def _box_width(nodes: Sequence[GraphNode], *, across: bool) -> float:
    """The width at which the texts of most boxes fit, as far as it is allowed."""
    wanted = []
    for node in nodes:
        small = MARK + width_of(f"{_badge(node).text} · {_type(node)}", SMALL_SIZE)
        workflow = width_of(_workflow(node), SMALL_SIZE) if across else 0.0
        wanted.append(max(small, workflow, width_of(_title(node), TITLE_SIZE, bold=True)) + LEFT + RIGHT)
    usual = sorted(wanted)[int(len(wanted) * FITTING)] if wanted else NARROWEST
    return float(round(min(max(usual, NARROWEST), WIDEST)))


def _box(node: GraphNode, corner: Point, width: float, *, across: bool, url: str) -> Box:
    badge, title = _badge(node), _title(node)
    room = width - LEFT - RIGHT
    type_room = room - MARK - width_of(f"{badge.text} · ", SMALL_SIZE)
    workflow = _workflow(node)
    named = [title, *([workflow] if across and workflow else []), badge.text, *filter(None, [node.task_type])]
    return Box(
        x=coordinate(corner[0]),
        y=coordinate(corner[1]),
        status=node.status or "",
        badge=badge,
        url=url,
        facts=[] if node.is_hidden else _facts(node, badge),
        title=clip(title, room, TITLE_SIZE, bold=True),
        workflow=clip(workflow, room, SMALL_SIZE) if across else "",
        task_type=clip(_type(node), type_room, SMALL_SIZE),
        name=", ".join(named),
        search="" if node.is_hidden else title,
    )


def _facts(node: GraphNode, badge: Badge) -> list[Fact]:
    workflow = _workflow(node)
    return [
        node.task_id,
        node.project,
        workflow if workflow == node.dag_id else f"{workflow} ({node.dag_id})",
        list(node.owners),
        node.task_type or "",
        badge.text,
        text.PERIODS.get(node.period, node.period),
        node.schedule or "",
    ]


def coordinate(value: float) -> str:
    """Return a number for SVG: ``12``, ``12.5``."""
    rounded = round(value, 1)
    return str(int(rounded)) if rounded == int(rounded) else str(rounded)


def path(route: Sequence[Point]) -> str:
    """Return the points of a line as SVG draws it, with smooth turns."""
    (x, y), *others = route
    found = [f"M{coordinate(x)} {coordinate(y)}"]
    for index, (next_x, next_y) in enumerate(others):
        end = f"{coordinate(next_x)} {coordinate(next_y)}"
        if next_y == y:
            found.append(f"H{coordinate(next_x)}")
        else:
            # level at both ends; one above the other: out to the right, back from the left
            turn = (x + next_x) / 2
            if next_x == x:
                turn += BULGE if index == 0 else -BULGE
            bend = coordinate(turn)
            found.append(f"C{bend} {coordinate(y)} {bend} {coordinate(next_y)} {end}")
        x, y = next_x, next_y
    return "".join(found)


@dataclass(frozen=True)
class DiagramPage:
    """What ``diagram/page.html`` and ``diagram/part.html`` show."""

    title: str
    id: text.Name
    name: text.Name
    counted: str
    badge: Badge
    drawing: Drawing
    large_url: str
    workflow_url: str
    tasks_url: str
    dag_url: str
    page: str = PAGE
    section: str = "workflows"


def diagram_page(asked: PageRequest) -> DiagramPage:
    """Return the diagram of a workflow.

    :raises ResourceNotFound: when there is no such workflow, or the Dag may not be read
    """
    dag_id = asked.one("dag_id")
    graph = workflow_graph(asked.session, asked.actor, dag_id, asked.now)
    assert graph.workflow is not None
    name = graph.workflow.display_name or dag_id
    return DiagramPage(
        title=f"Diagram of {name}",
        id=text.name(dag_id),
        name=text.name(name),
        counted=text.count(len(graph.nodes), "task"),
        badge=text.WORKFLOW_BADGES[graph.workflow.status],
        drawing=drawing(
            graph,
            asked.urls,
            f"Diagram of {name}, {text.count(len(graph.nodes), 'task')}",
            who=asked.actor.name,
        ),
        large_url=asked.urls.page(PAGE, {"dag_id": dag_id}),
        workflow_url=asked.urls.page("workflow", {"dag_id": dag_id}),
        tasks_url=asked.urls.page("tasks", {"dag_id": dag_id}),
        dag_url=asked.urls.dag(dag_id),
    )
