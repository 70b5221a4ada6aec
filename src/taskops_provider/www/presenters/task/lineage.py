"""Lineage of a task, as a diagram and as a list, across workflows (requirements C4)."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from taskops_provider.domain.lineage import Direction
from taskops_provider.domain.states import TaskStatus
from taskops_provider.services.catalog.lineage import Node
from taskops_provider.services.catalog.lineage_graph import Graph, GraphNode, LineageReach, lineage
from taskops_provider.www.presenters import text
from taskops_provider.www.presenters.diagram import Drawing, drawing
from taskops_provider.www.presenters.task.page import TaskPage

MODES: Mapping[str, str] = {"diagram": "Diagram", "list": "List"}
DIRECTIONS: Mapping[str, str] = {"both": "Upstream and downstream", "upstream": "Upstream", "downstream": "Downstream"}
#: how far; beyond any chain of tasks that there is
DEPTHS: Mapping[str, int] = {"1": 1, "2": 2, "3": 3, "all": 1000}
#: with more tasks than this the list is recommended
MANY = 60
STATUSES = tuple(status for status in text.TASK_BADGES if status != TaskStatus.DELETED)


@dataclass(frozen=True)
class LineageChoice:
    """What was chosen of the view, besides the statuses."""

    view: str
    mode: str
    direction: Direction
    depth: str

    @property
    def query(self) -> dict[str, str]:
        """The choice as an address has it."""
        return {"view": self.view, "mode": self.mode, "direction": self.direction.value, "depth": self.depth}

    @property
    def has_upstream(self) -> bool:
        """Whether what is upstream is shown."""
        return self.direction is not Direction.DOWNSTREAM

    @property
    def has_downstream(self) -> bool:
        """Whether what is downstream is shown."""
        return self.direction is not Direction.UPSTREAM


@dataclass(frozen=True)
class LineageTask:
    """A task in the list, or all that may not be seen: then nothing else is known of them.

    :param level: steps from the task
    :param through: how it hangs together with the next one towards the task
    """

    level: int
    through: str
    is_hidden: bool = False
    id: text.Name | None = None
    name: text.Name | None = None
    url: str = ""
    badge: text.Badge | None = None
    workflow: text.Name | None = None
    workflow_url: str = ""
    type: str = ""
    period: str = ""
    schedule: str = ""
    owners: text.Owners | None = None


@dataclass(frozen=True)
class StatusLink:
    """A status that the list can be filtered by."""

    badge: text.Badge
    count: int
    is_chosen: bool
    url: str


@dataclass(frozen=True)
class LineageList:
    """The tasks as a list.

    :param sections: upstream and downstream: label, tasks
    :param all_url: the list without a filter
    """

    sections: Sequence[tuple[str, Sequence[LineageTask]]]
    status_links: Sequence[StatusLink]
    all_url: str
    is_filtered: bool


@dataclass(frozen=True)
class LineageView:
    """What the template ``task/lineage.html`` shows: a drawing, or a list.

    :param modes: value, label, address; likewise ``directions`` and ``depths``
    """

    refresh_url: str
    mode: str
    modes: Sequence[tuple[str, str, str]]
    direction: str
    directions: Sequence[tuple[str, str, str]]
    depth: str
    depths: Sequence[tuple[str, str, str]]
    counted: str
    is_many: bool
    is_complete: bool
    list_url: str
    drawing: Drawing | None
    list: LineageList | None


def lineage_view(page: TaskPage) -> LineageView:
    """Return the lineage."""
    asked, row = page.asked, page.row
    chosen = LineageChoice(
        view=page.view,
        mode=_one(page, "mode", "Mode", MODES, "diagram"),
        direction=Direction(_one(page, "direction", "Direction", DIRECTIONS, "both")),
        depth=_one(page, "depth", "Depth", DEPTHS, "1"),
    )
    statuses = page.problems.only("Status", asked.many("status"), STATUSES)
    reach = LineageReach(DEPTHS[chosen.depth], chosen.direction, anonymous=True)
    graph = lineage(asked.session, asked.actor, row.dag_id, row.task_id, asked.now, reach)
    around = sum(not node.is_hidden for node in graph.nodes) - 1
    is_drawn = chosen.mode == "diagram"

    def url(**other: str) -> str:
        return page.url(**{**chosen.query, **other}, status=statuses)

    return LineageView(
        refresh_url=url(),
        mode=chosen.mode,
        modes=[(name, label, url(mode=name)) for name, label in MODES.items()],
        direction=chosen.direction.value,
        directions=[(name, label, url(direction=name)) for name, label in DIRECTIONS.items()],
        depth=chosen.depth,
        depths=[(name, name.capitalize(), url(depth=name)) for name in DEPTHS],
        counted=text.count(around, "task") + " around it",
        is_many=around > MANY,
        is_complete=graph.complete,
        list_url=page.url(**chosen.query | {"mode": "list"}),
        drawing=_drawing(page, graph, chosen) if is_drawn else None,
        list=None if is_drawn else _list(page, graph, statuses, chosen),
    )


def _one(page: TaskPage, name: str, label: str, allowed: Collection[str], default: str) -> str:
    given = page.asked.one(name) or default
    return given if page.problems.only(label, [given], allowed) else default


def _embedded(page: TaskPage) -> dict[str, str]:
    return {"embedded": "1"} if page.is_embedded else {}


def _drawing(page: TaskPage, graph: Graph, chosen: LineageChoice) -> Drawing:
    row = page.row
    # links keep what was chosen, and stay inside Airflow's page of a task as long as they can
    query = {name: value for name, value in chosen.query.items() if name != "mode"}
    label = f"Lineage of {row.display_name or row.task_id}, {text.count(len(graph.nodes), 'task')}"
    focus = (row.dag_id, row.task_id)
    who = page.asked.actor.name
    return drawing(graph, page.asked.urls, label, who=who, focus=focus, query=query | _embedded(page))


def _list(page: TaskPage, graph: Graph, statuses: tuple[str, ...], chosen: LineageChoice) -> LineageList:
    """The tasks nearest first, what is upstream above what is downstream; with the links that lead to them."""
    counts = Counter(node.status for node in graph.nodes if node.level)
    through = _through(graph)
    wanted = [node for node in graph.nodes if node.level and (not statuses or node.status in statuses)]
    sections = [
        (
            label,
            [
                _row(page, node, chosen, through)
                for node in sorted(wanted, key=_nearest_first)
                if (node.level or 0) * sign > 0
            ],
        )
        for label, sign, is_shown in (
            ("Upstream", -1, chosen.has_upstream),
            ("Downstream", 1, chosen.has_downstream),
        )
        if is_shown
    ]
    links = [
        StatusLink(
            badge=text.TASK_BADGES[status],
            count=counts[status],
            is_chosen=status in statuses,
            url=page.url(**chosen.query, status=_toggled(statuses, status)),
        )
        for status in STATUSES
    ]
    return LineageList(sections, links, page.url(**chosen.query), bool(statuses))


def _toggled(statuses: tuple[str, ...], status: str) -> tuple[str, ...]:
    return tuple(one for one in STATUSES if (one in statuses) != (one == status))


def _nearest_first(node: GraphNode) -> tuple[int, str, str]:
    return abs(node.level or 0), node.dag_id, node.task_id


def _through(graph: Graph) -> dict[Node, list[str]]:
    """How each task hangs together with the next one towards the task."""
    levels = {(node.dag_id, node.task_id): node.level or 0 for node in graph.nodes}
    kinds: dict[Node, set[str]] = defaultdict(set)
    for edge in graph.edges:
        kinds[edge.up if levels[edge.up] < 0 else edge.down].add(edge.kind)
    return {node: sorted(found) for node, found in kinds.items()}


def _row(page: TaskPage, node: GraphNode, chosen: LineageChoice, through: Mapping[Node, Sequence[str]]) -> LineageTask:
    urls, level = page.asked.urls, abs(node.level or 0)
    kinds = ", ".join(through.get((node.dag_id, node.task_id), []))
    if node.is_hidden:
        return LineageTask(level, "", is_hidden=True)
    query = {"dag_id": node.dag_id, "task_id": node.task_id, **chosen.query, **_embedded(page)}
    is_known = node.status is not None
    return LineageTask(
        level=level,
        through=kinds,
        id=text.name(node.task_id),
        name=text.name(node.display_name or node.task_id),
        url=urls.page("task", query) if is_known else "",
        badge=text.TASK_BADGES[node.status] if node.status is not None else None,
        workflow=text.name(node.workflow_name or node.dag_id),
        workflow_url=urls.page("workflow", {"dag_id": node.dag_id}) if is_known else "",
        type=node.task_type or "",
        period=text.PERIODS.get(node.period, node.period),
        schedule=node.schedule or "",
        owners=text.owners(node.owners),
    )
