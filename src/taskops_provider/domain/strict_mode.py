"""The strict-mode rule (requirements 4): only tasks without a live downstream task may stop."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterable
from typing import TypeVar

Node = TypeVar("Node", bound=Hashable)


def blockers(
    nodes: Iterable[Node],
    downstream_of: Callable[[Node], Iterable[Node]],
    is_live: Callable[[Node], bool],
) -> dict[Node, tuple[Node, ...]]:
    """Return, for each node, its direct downstream nodes that are live (empty: the node is eligible).

    Eligibility is that of the moment: a node that stops in the same operation still counts as live. Linear in
    the nodes and their edges.
    """
    return {node: tuple(sorted({d for d in downstream_of(node) if d != node and is_live(d)})) for node in nodes}  # type: ignore[type-var]


def waves(
    nodes: Collection[Node],
    downstream_of: Callable[[Node], Iterable[Node]],
    is_live: Callable[[Node], bool],
) -> tuple[list[list[Node]], dict[Node, tuple[Node, ...]]]:
    """Plan a cascade: which nodes may stop first, which when those have stopped, and so on.

    :return: the waves from the leaves up, and the nodes that stay blocked with what blocks them in the end
    """
    blocked = blockers(nodes, downstream_of, is_live)
    waiting_for: dict[Node, set[Node]] = {node: set(by) for node, by in blocked.items()}
    above: dict[Node, list[Node]] = {}
    for node, by in waiting_for.items():
        for blocker in by:
            above.setdefault(blocker, []).append(node)
    planned: list[list[Node]] = []
    wave = sorted(node for node, by in waiting_for.items() if not by)  # type: ignore[type-var]
    done: set[Node] = set()
    while wave:
        planned.append(wave)
        done.update(wave)
        freed: set[Node] = set()
        for stopped in wave:
            for node in above.get(stopped, ()):
                waiting_for[node].discard(stopped)
                if not waiting_for[node]:
                    freed.add(node)
        wave = sorted(freed - done)  # type: ignore[type-var]
    return planned, {n: tuple(sorted(by)) for n, by in waiting_for.items() if by}  # type: ignore[type-var]
