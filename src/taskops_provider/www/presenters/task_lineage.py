"""Lineage of a task, as a diagram and as a list, across workflows (C4)."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import Any

from taskops_provider.domain.states import TaskStatus
from taskops_provider.services.lineage import Node
from taskops_provider.services.lineage_walk import Graph, GraphNode, lineage
from taskops_provider.www.presenters import text
from taskops_provider.www.presenters.diagram import drawing
from taskops_provider.www.presenters.task_page import TaskPage

MODES: Mapping[str, str] = {"diagram": "Diagram", "list": "List"}
DIRECTIONS: Mapping[str, str] = {"both": "Upstream and downstream", "upstream": "Upstream", "downstream": "Downstream"}
#: how far; beyond any chain of tasks that there is
DEPTHS: Mapping[str, int] = {"1": 1, "2": 2, "3": 3, "all": 1000}
#: with more tasks than this the list is recommended
MANY = 60
STATUSES = tuple(status for status in text.TASK_BADGES if status != TaskStatus.DELETED)


def present(page: TaskPage) -> dict[str, Any]:
    """Return what the template ``task_lineage.html`` shows."""
    asked, row = page.asked, page.row
    mode = _one(page, "mode", "Mode", MODES, "diagram")
    direction = _one(page, "direction", "Direction", DIRECTIONS, "both")
    depth = _one(page, "depth", "Depth", DEPTHS, "1")
    statuses = page.problems.only("Status", asked.many("status"), STATUSES)
    graph = lineage(
        asked.session,
        asked.actor,
        row.dag_id,
        row.task_id,
        asked.now,
        depth=DEPTHS[depth],
        upwards=direction != "downstream",
        downwards=direction != "upstream",
        anonymous=True,
    )
    chosen: dict[str, Any] = {"view": page.view, "mode": mode, "direction": direction, "depth": depth}
    here = page.url(**chosen, status=statuses)
    around = len(graph.nodes) - 1
    shown = {
        "refresh_url": here,
        "mode": mode,
        "modes": [
            (name, label, page.url(**{**chosen, "mode": name}, status=statuses)) for name, label in MODES.items()
        ],
        "directions": [
            (name, label, page.url(**{**chosen, "direction": name}, status=statuses))
            for name, label in DIRECTIONS.items()
        ],
        "direction": direction,
        "depths": [
            (name, name.capitalize(), page.url(**{**chosen, "depth": name}, status=statuses)) for name in DEPTHS
        ],
        "depth": depth,
        "counted": text.count(around, "task") + " around it",
        "is_many": around > MANY,
        "is_complete": graph.complete,
        "list_url": page.url(**{**chosen, "mode": "list"}),
    }
    if mode == "diagram":
        # links keep what was chosen, and stay inside Airflow's page of a task as long as they can
        query = {name: value for name, value in chosen.items() if name != "mode"}
        label = f"Lineage of {row.display_name or row.task_id}, {text.count(len(graph.nodes), 'task')}"
        return shown | {
            "drawing": drawing(graph, asked.urls, label, focus=(row.dag_id, row.task_id), query=query | _embedded(page))
        }
    return shown | _list(page, graph, statuses, chosen)


def _one(page: TaskPage, name: str, label: str, allowed: Mapping[str, Any], default: str) -> str:
    given = page.asked.one(name) or default
    return given if page.problems.only(label, [given], allowed) else default


def _embedded(page: TaskPage) -> dict[str, str]:
    return {"embedded": "1"} if page.is_embedded else {}


def _list(page: TaskPage, graph: Graph, statuses: tuple[str, ...], chosen: Mapping[str, Any]) -> dict[str, Any]:
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
        for label, sign in (("Upstream", -1), ("Downstream", 1))
        if (sign < 0 and chosen["direction"] != "downstream") or (sign > 0 and chosen["direction"] != "upstream")
    ]
    return {
        "sections": sections,
        "status_links": [
            {
                "badge": text.TASK_BADGES[status],
                "count": counts[status],
                "is_chosen": status in statuses,
                "url": page.url(**chosen, status=_toggled(statuses, status)),
            }
            for status in STATUSES
        ],
        "all_url": page.url(**chosen),
        "is_filtered": bool(statuses),
    }


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


def _row(
    page: TaskPage, node: GraphNode, chosen: Mapping[str, Any], through: Mapping[Node, list[str]]
) -> dict[str, Any]:
    urls, level = page.asked.urls, abs(node.level or 0)
    common = {"level": level, "through": ", ".join(through.get((node.dag_id, node.task_id), []))}
    if node.is_hidden:
        return common | {"is_hidden": True, "badge": None}
    query = {"dag_id": node.dag_id, "task_id": node.task_id, **chosen, **_embedded(page)}
    is_known = node.status is not None
    return common | {
        "is_hidden": False,
        "id": text.name(node.task_id),
        "name": text.name(node.display_name or node.task_id),
        "url": urls.page("task", query) if is_known else "",
        "badge": text.TASK_BADGES[node.status] if node.status is not None else None,
        "workflow": text.name(node.workflow_name or node.dag_id),
        "workflow_url": urls.page("workflow", {"dag_id": node.dag_id}) if is_known else "",
        "type": node.task_type or "",
        "period": text.PERIODS.get(node.period, node.period),
        "schedule": node.schedule or "",
        "owners": text.owners(node.owners),
    }
