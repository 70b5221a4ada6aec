"""The diagram of a workflow as text and for Graphviz."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator

from taskops_provider.cli import tables
from taskops_provider.cli.text import cell, clean
from taskops_provider.domain.text import plural
from taskops_provider.services.catalog.lineage_graph import Graph

_COLORS = {"scheduling": "palegreen", "paused": "khaki", "offline": "lightgrey", "invalid": "mistyrose"}


def levels(graph: Graph) -> dict[str, int]:
    """Return how many tasks at most come before each task. A circle, which no Dag has, ends at its first task."""
    below: dict[str, list[str]] = defaultdict(list)
    waiting: Counter[str] = Counter()
    for edge in graph.edges:
        below[edge.up[1]].append(edge.down[1])
        waiting[edge.down[1]] += 1
    found = {node.task_id: 0 for node in graph.nodes}
    ready = [task_id for task_id in found if not waiting[task_id]]
    for task_id in ready:
        for down in below[task_id]:
            found[down] = max(found[down], found[task_id] + 1)
            waiting[down] -= 1
            if not waiting[down]:
                ready.append(down)
    return found


def text(dag_id: str, graph: Graph) -> Iterator[str]:
    """Yield one line a task, in an order in which they can run."""
    level = levels(graph)
    below: dict[str, list[str]] = defaultdict(list)
    for edge in graph.edges:
        below[edge.up[1]].append(edge.down[1])
    yield f"{clean(dag_id)}: {plural(len(graph.nodes), 'task')}"
    if not graph.nodes:
        return
    yield ""
    rows = [
        (
            str(level[node.task_id] + 1),
            clean(node.task_id),
            node.status or "",
            clean(node.task_type or ""),
            cell(sorted(below[node.task_id])),
        )
        for node in sorted(graph.nodes, key=lambda node: (level[node.task_id], node.task_id))
    ]
    yield from tables.lines(("step", "task_id", "status", "type", "downstream"), rows)


def dot(dag_id: str, graph: Graph) -> Iterator[str]:
    """Yield the lines of a Graphviz file."""
    yield f"digraph {_quoted(dag_id)} {{"
    yield "  rankdir=LR;"
    yield '  node [shape=box, style="rounded,filled", fillcolor=white, fontname="sans-serif"];'
    for node in sorted(graph.nodes, key=lambda node: node.task_id):
        label = _quoted(f"{node.task_id}\n{node.task_type}\n{node.status}")
        color = _COLORS.get(node.status or "", "white")
        yield f"  {_quoted(node.task_id)} [label={label}, fillcolor={color}];"
    for edge in graph.edges:
        yield f"  {_quoted(edge.up[1])} -> {_quoted(edge.down[1])};"
    yield "}"


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + escaped.replace("\n", "\\n") + '"'
