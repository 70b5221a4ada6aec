"""The cells of a replenishment, task by cycle: what became of them, and which of them are wanted (requirements 6)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from enum import StrEnum
from typing import NamedTuple


class CellClass(StrEnum):
    """What became of a task in a cycle."""

    NO_RUN = "no_run"
    #: it did not execute because it, or something upstream of it, was stopped when the run was made
    GATED = "gated"
    FAILED = "failed"
    UPSTREAM_FAILED = "upstream_failed"
    RUNNING = "running"
    DONE = "done"
    #: its run timed out before it ended, and Airflow skipped it
    CUT_OFF = "cut_off"
    #: the run was made before the Dag had the task, or the task was taken out of it
    NO_INSTANCE = "no_instance"


class CellSelection(StrEnum):
    """Which cells a replenishment is about."""

    MISSING = "missing"
    FAILED = "failed"
    ALL = "all"


_CLASSES_OF: Mapping[CellSelection, frozenset[CellClass]] = {
    CellSelection.MISSING: frozenset({CellClass.NO_RUN, CellClass.GATED, CellClass.CUT_OFF}),
    CellSelection.FAILED: frozenset({CellClass.FAILED, CellClass.UPSTREAM_FAILED}),
    CellSelection.ALL: frozenset(CellClass) - {CellClass.RUNNING, CellClass.NO_INSTANCE},
}


def wanted_classes(wanted: Iterable[CellSelection]) -> frozenset[CellClass]:
    """Return the classes of the cells that are wanted."""
    return frozenset().union(*(_CLASSES_OF[one] for one in wanted))


class CellFacts(NamedTuple):
    """The instances of one task in one run that have the same state.

    :param state: Airflow's state, None where it has none yet
    :param gated: they are in a pool of the gate, settled or not
    """

    state: str | None
    gated: bool


#: states of instances that have ended
FINISHED = frozenset({"success", "failed", "upstream_failed", "skipped", "removed"})


def classify(instances: Collection[CellFacts]) -> CellClass:
    """Return the class of a task in an existing run, from its instances (several if it is mapped).

    The worst counts: what runs, then what failed, then what was gated.
    """
    present = [one for one in instances if one.state != "removed"]
    if not present:
        return CellClass.NO_INSTANCE
    if any(one.state not in FINISHED and not one.gated for one in present):
        return CellClass.RUNNING
    open_or_settled = [one for one in present if one.gated]
    others = {one.state for one in present if not one.gated}
    if "failed" in others:
        return CellClass.FAILED
    # the gate ends an instance as failed, skipped or success; only Airflow ends one as upstream_failed
    if "upstream_failed" in others or any(one.state == "upstream_failed" for one in open_or_settled):
        return CellClass.UPSTREAM_FAILED
    return CellClass.GATED if open_or_settled else CellClass.DONE


def skipped_by_gate(
    classes: Mapping[str, CellClass], skipped: Collection[str], upstream: Mapping[str, Collection[str]]
) -> set[str]:
    """Return the tasks of one run that were skipped because something upstream of them was gated.

    They did not execute for the gate's sake, so they are as missing as what was gated itself.

    :param classes: task id -> what became of it, by its own instances
    :param skipped: ids of tasks that Airflow skipped
    :param upstream: task id -> ids of its direct upstream tasks
    """
    missing = {task_id for task_id, found in classes.items() if found is CellClass.GATED}
    found: set[str] = set()
    waiting = set(skipped) - missing
    while following := {task_id for task_id in waiting if not missing.isdisjoint(upstream.get(task_id, ()))}:
        found |= following
        missing |= following
        waiting -= following
    return found


class Role(StrEnum):
    """What a task does in a run that a replenishment makes."""

    EXECUTE = "execute"
    #: counts as success at once: it leads to what executes, and nothing that executes leads to it
    DONE = "done"
    #: counts as success when its turn comes: it lies between two that execute
    PASS = "pass"
    #: is skipped when its turn comes: what executes leads to it, so that a failure of that is a failure of the run
    FOLLOW = "follow"
    #: is skipped at once: it has nothing to do with what executes
    SKIP = "skip"


def roles(
    selected: Collection[str], downstream: Mapping[str, Collection[str]], *, counts_as_success: Collection[str] = ()
) -> dict[str, Role]:
    """Return what each task of a Dag does in a run in which only some of its tasks are to execute.

    :param selected: ids of the tasks that are to execute
    :param downstream: task id -> ids of its direct downstream tasks, for every task of the Dag
    :param counts_as_success: ids of others that are not skipped wherever they lie
    """
    upstream = reverse(downstream)
    above, below = reachable(selected, upstream), reachable(selected, downstream)

    def role(task_id: str) -> Role:
        if task_id in selected:
            return Role.EXECUTE
        if task_id in above or task_id in counts_as_success:
            return Role.PASS if task_id in below else Role.DONE
        return Role.FOLLOW if task_id in below else Role.SKIP

    return {task_id: role(task_id) for task_id in downstream}


def waves(selected: Collection[str], downstream: Mapping[str, Collection[str]]) -> dict[str, int]:
    """Return when each of the selected tasks of one existing run may be cleared: 0 at first, 1 after those, ...

    Tasks that follow each other directly keep their order by themselves, cleared together. Where something that is
    not selected, and done already, lies between two, nothing would make the second wait for the first.
    """
    chosen = set(selected)
    found = dict.fromkeys(chosen, 0)
    # through[t]: the least wave of a selected task below t, reached through tasks that are not selected alone
    through: dict[str, int] = {}
    for task_id in topological(downstream):
        own = found.get(task_id, 0)
        for following in downstream.get(task_id, ()):
            if task_id in chosen:
                if following in chosen:
                    found[following] = max(found[following], own)
                else:
                    through[following] = max(through.get(following, 0), own + 1)
            elif task_id in through:
                if following in chosen:
                    found[following] = max(found[following], through[task_id])
                else:
                    through[following] = max(through.get(following, 0), through[task_id])
    return found


def reverse(edges: Mapping[str, Collection[str]]) -> dict[str, set[str]]:
    """Turn the arrows of a graph round; every node is among the keys."""
    turned: dict[str, set[str]] = {node: set() for node in edges}
    for node, following in edges.items():
        for other in following:
            turned.setdefault(other, set()).add(node)
    return turned


def reachable(start: Collection[str], edges: Mapping[str, Collection[str]]) -> set[str]:
    """Return what arrows lead to from some nodes, without the nodes themselves unless arrows lead there too."""
    found: set[str] = set()
    frontier = list(start)
    while frontier:
        following = {other for node in frontier for other in edges.get(node, ())} - found
        found |= following
        frontier = list(following)
    return found


def topological(edges: Mapping[str, Collection[str]]) -> list[str]:
    """Return the nodes of a graph without cycles, each before those that its arrows lead to."""
    from graphlib import TopologicalSorter  # every airflow command imports this module, and none needs this

    return list(TopologicalSorter(reverse(edges)).static_order())
