"""Cells that wait for what the replenishment does not execute: ``--wait-for all``.

What a cell waits for lies upstream of it: in its own run, and in other workflows through sensors, markers and triggers,
at the same logical date or inside of its interval. All of that has to have succeeded.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from taskops_provider.adapter.cells import RunRow, cell_facts_between, runs_between
from taskops_provider.domain.cells import CellClass, CellFacts, classify, reverse
from taskops_provider.domain.chunks import chunks
from taskops_provider.domain.replenishment import Range, merge
from taskops_provider.models import Replenishment, ReplenishmentCell, ReplenishmentRun
from taskops_provider.services.catalog.lineage import Node, links_around
from taskops_provider.services.shared.actor import Actor

if TYPE_CHECKING:
    from taskops_provider.services.replenishments.plan import Grid

#: whether the replenishment executes a task at a logical date, or leaves it out as a success
Inside = Callable[[str, str, datetime], bool]
#: kinds of links whose upper task has a run of its own for the lower one's
_KINDS = frozenset({"sensor", "marker", "trigger"})


class PlannedRun(NamedTuple):
    """A run in which something is to execute.

    :param start: of its interval
    :param end: of its interval
    :param executes: ids of the tasks that are to execute in it
    """

    logical_date: datetime
    start: datetime
    end: datetime
    executes: frozenset[str]


class Blocker(NamedTuple):
    """A cell that has to have succeeded before."""

    dag_id: str
    task_id: str
    logical_date: datetime


def blockers(
    session: Session, dag_id: str, downstream: Mapping[str, Collection[str]], runs: Sequence[PlannedRun], inside: Inside
) -> dict[datetime, Blocker]:
    """Return what keeps runs of a Dag from starting: logical date -> the first cell that has not succeeded.

    A constant number of queries, and two for each workflow that it waits for.
    """
    nodes = _above(session, dag_id, downstream, {task_id for run in runs for task_id in run.executes})
    by_dag: dict[str, set[str]] = defaultdict(set)
    for ups in nodes.values():
        for up_dag, up_task in ups:
            by_dag[up_dag].add(up_task)
    ranges = merge(Range(min(run.start, run.logical_date), max(run.end, run.logical_date)) for run in runs)
    states = {up_dag: _States(session, up_dag, task_ids, ranges) for up_dag, task_ids in by_dag.items()}
    found: dict[datetime, Blocker] = {}
    for run in runs:
        first = next(_unsuccessful(run, dag_id, nodes, states, inside), None)
        if first is not None:
            found[run.logical_date] = first
    return found


def _above(
    session: Session, dag_id: str, downstream: Mapping[str, Collection[str]], executing: Collection[str]
) -> dict[str, list[Node]]:
    """The nodes directly upstream of tasks."""
    upstream = reverse(downstream)
    nodes: dict[str, list[Node]] = {
        task_id: [(dag_id, up) for up in sorted(upstream.get(task_id, ()))] for task_id in executing
    }
    for link in links_around(session, [dag_id], downwards=False):
        if link.kind in _KINDS and link.down[0] == dag_id and link.up[0] != dag_id and link.down[1] in nodes:
            nodes[link.down[1]].append(link.up)
    return nodes


def _unsuccessful(
    run: PlannedRun, dag_id: str, nodes: Mapping[str, Sequence[Node]], states: Mapping[str, _States], inside: Inside
) -> Iterator[Blocker]:
    for task_id in sorted(run.executes):
        for up_dag, up_task in nodes[task_id]:
            if inside(up_dag, up_task, run.logical_date):
                continue
            other = up_dag != dag_id
            if not states[up_dag].has_succeeded(up_task, run, inside_interval=other):
                yield Blocker(up_dag, up_task, run.logical_date)


class _States:
    """What became of tasks of one workflow in some ranges."""

    def __init__(self, session: Session, dag_id: str, task_ids: Collection[str], ranges: Sequence[Range]):
        self._runs = runs_between(session, dag_id, ranges)
        self._facts = cell_facts_between(session, dag_id, task_ids, ranges) if self._runs else {}

    def has_succeeded(self, task_id: str, run: PlannedRun, *, inside_interval: bool) -> bool:
        """Whether a task succeeded, or was skipped by Airflow, for a run."""
        exact = [one for one in self._runs if one.logical_date == run.logical_date]
        if not exact and inside_interval:
            exact = [one for one in self._runs if run.start <= one.logical_date < run.end]
        return bool(exact) and all(self._is_done(task_id, one) for one in exact)

    def _is_done(self, task_id: str, run: RunRow) -> bool:
        facts: Collection[CellFacts] = self._facts.get(run.run_id, {}).get(task_id, ())
        return classify(facts) is CellClass.DONE


def count_waiting(session: Session, grids: Sequence[Grid], actor: Actor) -> Iterator[str]:
    """Yield how many runs of a plan wait for what it does not execute, for each workflow in which some do."""
    executing = {
        (grid.dag_id, row.task_id, grid.cycles[i].logical_date)
        for grid in grids
        for row in grid.rows
        for i, executes in enumerate(row.executes)
        if executes
    }
    excluded = {(grid.dag_id, task_id) for grid in grids for task_id in grid.excluded}

    def inside(dag_id: str, task_id: str, date: datetime) -> bool:
        return (dag_id, task_id, date) in executing or (dag_id, task_id) in excluded

    for grid in grids:
        runs = list(_planned(grid))
        found = blockers(session, grid.dag_id, grid.graph.downstream, runs, inside) if runs else {}
        if found:
            first = min(found.values(), key=lambda blocker: blocker.logical_date)
            # its state is told with its name
            seen = actor.may_read_instances(first.dag_id) and actor.may_follow(first.dag_id, grid.dag_id)
            name = f"{first.dag_id} {first.task_id}" if seen else "a task of another workflow"
            when = f"{first.logical_date:%Y-%m-%d %H:%M}"
            yield (
                f"{grid.dag_id}: {len(found)} of {len(runs)} runs wait until what is upstream of them and not part of "
                f"this has succeeded, the first for {name} of {when} UTC"
            )


def _planned(grid: Grid) -> Iterator[PlannedRun]:
    for i, busy in enumerate(grid.busy()):
        if busy:
            cycle = grid.cycles[i]
            executes = frozenset(row.task_id for row in grid.rows if row.executes[i])
            yield PlannedRun(cycle.logical_date, cycle.start, cycle.end, executes)


def may_start(
    session: Session,
    replenishment: Replenishment,
    downstream: Mapping[str, Collection[str]],
    runs: Sequence[ReplenishmentRun],
) -> tuple[list[ReplenishmentRun], str | None]:
    """Return those of some runs of one workflow that need not wait, and what the first of the others waits for."""
    dag_id = runs[0].dag_id
    dates = {(dag_id, run.logical_date) for run in runs}
    cells = _cells(session, replenishment.id, {date for _, date in dates})
    excluded = {tuple(node) for node in replenishment.excluded or ()}

    def inside(of: str, task_id: str, date: datetime) -> bool:
        return (of, task_id) in excluded or task_id in cells.get((of, date), ())

    waiting = [
        PlannedRun(run.logical_date, run.interval_start, run.interval_end, frozenset(cells[dag_id, run.logical_date]))
        for run in runs
        if cells.get((dag_id, run.logical_date))
    ]
    found = blockers(session, dag_id, downstream, waiting, inside)
    free = [run for run in runs if run.logical_date not in found]
    return free, _words(dag_id, found.values())


def _words(dag_id: str, found: Iterable[Blocker]) -> str | None:
    first = min(found, key=lambda blocker: blocker.logical_date, default=None)
    if first is None:
        return None
    # who may see this replenishment need not see other workflows
    name = f"{first.dag_id} {first.task_id}" if first.dag_id == dag_id else f"a task upstream of {dag_id}"
    return f"{name} of {first.logical_date:%Y-%m-%d %H:%M} UTC has not succeeded"


def _cells(
    session: Session, replenishment_id: int, dates: Collection[datetime]
) -> dict[tuple[str, datetime], set[str]]:
    """The tasks that a replenishment executes at some dates, in all of its workflows."""
    found: dict[tuple[str, datetime], set[str]] = defaultdict(set)
    run, cell = ReplenishmentRun, ReplenishmentCell
    for chunk in chunks(sorted(dates)):
        query = (
            select(run.dag_id, run.logical_date, cell.task_id)
            .join(cell, cell.of_run_id == run.id)
            .where(run.replenishment_id == replenishment_id, run.logical_date.in_(chunk))
        )
        for dag_id, date, task_id in session.execute(query):
            found[dag_id, date].add(task_id)
    return found
