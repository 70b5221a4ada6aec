"""What a replenishment would do: a grid task by cycle, the class of each cell, what becomes of it (requirements 6)."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from taskops_provider import config
from taskops_provider.adapter.cells import RunRow, average_durations, cell_facts_between, runs_between
from taskops_provider.adapter.cycles import Cycle, cycles_between, why_no_cycles
from taskops_provider.adapter.graphs import DagGraph, load_graph
from taskops_provider.domain.cells import (
    FINISHED,
    CellClass,
    CellFacts,
    classify,
    reverse,
    skipped_by_gate,
    topological,
    wanted_classes,
)
from taskops_provider.domain.replenishment import Range, ReplenishmentRequest, clamp, merge
from taskops_provider.exceptions import BadInput, UnreadableDag
from taskops_provider.services.catalog.lineage import links_around
from taskops_provider.services.gate.whose_pause import paused_or_woken_dags
from taskops_provider.services.replenishments.plan_checks import check_conf, paused_warning
from taskops_provider.services.replenishments.targets import find_targets
from taskops_provider.services.shared.actor import MONITOR, Actor
from taskops_provider.services.shared.large_work import WorkSlot, large_work

#: how far back runs are looked at to estimate how long a task takes
HISTORY = timedelta(days=90)

#: cells of a plan that takes a while
LARGE = 10_000

CLASSES = tuple(CellClass)
_CODE = {found: code for code, found in enumerate(CLASSES)}


@dataclass
class PlannedRow:
    """The cells of one task, one byte a cycle.

    :param classes: codes, indexes of :data:`CLASSES`
    :param executes: 1 where the cell is going to execute
    :param pulled_in: why the task is here although nobody asked for it
    """

    task_id: str
    classes: bytearray
    executes: bytearray
    pulled_in: str | None = None

    def counts(self) -> dict[str, int]:
        """How many cells there are of each class."""
        return {found.value: number for found in CLASSES if (number := self.classes.count(_CODE[found]))}


@dataclass
class Grid:
    """One Dag: its cycles, oldest first, the run of each where there is one, and its tasks in their order.

    :param seconds: what executing all of it is likely to take; None without any history
    :param stage: its turn among the workflows: those that wait for others come after them
    """

    graph: DagGraph
    dag_id: str
    cycles: list[Cycle]
    runs: list[RunRow | None]
    rows: list[PlannedRow]
    seconds: float | None = None
    stage: int = 0

    def busy(self) -> bytes:
        """One byte a cycle: 1 where something executes."""
        found = 0
        for row in self.rows:
            # byte by byte in Python this takes a second for as many cells as may be
            found |= int.from_bytes(row.executes)
        return found.to_bytes(len(self.cycles))

    def new_runs(self) -> list[int]:
        """The indexes of the cycles for which a run is going to be made."""
        return [i for i, busy in enumerate(self.busy()) if busy and self.runs[i] is None]

    def old_runs(self) -> list[int]:
        """The indexes of the cycles in whose existing run something is going to execute."""
        return [i for i, busy in enumerate(self.busy()) if busy and self.runs[i] is not None]


@dataclass
class ReplenishmentPlan:
    """What a replenishment would do, and what people should know of it."""

    request: ReplenishmentRequest
    grids: list[Grid] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def seconds(self) -> float | None:
        """An estimate of the whole: Dags go on beside each other."""
        known = [grid.seconds for grid in self.grids if grid.seconds is not None]
        return max(known) if known else None


def plan_replenishment(
    session: Session, actor: Actor, request: ReplenishmentRequest, now: datetime
) -> ReplenishmentPlan:
    """Return what a replenishment would do, without changing anything.

    Queries: a few for the targets, and one for each Dag and table, whatever the number of cycles.

    :raises BadInput: for a future or empty range, a Dag for which nothing can be done, more cells than
        ``[taskops] max_replenishment_cells``
    :raises ResourceNotFound: for a workflow or task that does not exist, or may not be seen
    :raises Forbidden: where the actor may not edit one that was named
    :raises Conflict: for a large one while other large requests are under way
    """
    ranges = merge(request.ranges)
    if ranges[0].first > now:
        raise BadInput(f"the range from {ranges[0].first.isoformat()} lies in the future; nothing has been missed yet")
    targets = find_targets(session, actor, request)
    plan = ReplenishmentPlan(request, warnings=list(targets.warnings))
    with cell_budget(actor) as budget:
        for dag_id, task_ids in targets.tasks.items():
            grid = _plan_dag(session, plan, dag_id, task_ids, ranges, now, budget)
            if grid is not None:
                plan.grids.append(grid)
    if not any(grid.cycles for grid in plan.grids):
        raise BadInput(_nothing_there(plan.warnings))
    plan.warnings += check_conf(plan.grids, request.conf)
    set_stages(session, plan.grids)
    return plan


def set_stages(session: Session, grids: list[Grid]) -> None:
    """Workflows wait for those among them whose tasks theirs wait for; those that wait for each other go together."""
    if len(grids) < 2:
        return
    members = {(grid.dag_id, row.task_id) for grid in grids for row in grid.rows}
    after: dict[str, set[str]] = {grid.dag_id: set() for grid in grids}
    for link in links_around(session, list(after), downwards=True):
        if link.up in members and link.down in members and link.up[0] != link.down[0]:
            after[link.down[0]].add(link.up[0])
    stages = dict.fromkeys(after, 0)
    # in a ring the stages would grow for ever; as many rounds as there are workflows are enough for all others
    for _ in grids:
        for dag_id, before in after.items():
            stages[dag_id] = max([stages[dag_id], *(stages[other] + 1 for other in before)])
    ranks = {stage: rank for rank, stage in enumerate(sorted(set(stages.values())))}
    for grid in grids:
        grid.stage = ranks[stages[grid.dag_id]]


def _nothing_there(warnings: Iterable[str]) -> str:
    why = "; ".join(warnings)
    return "the ranges hold no cycle of these workflows that has ended" + (f" ({why})" if why else "")


class Budget:
    """Counts the cells of all Dags, so that a range of a hundred years is refused before it is laid out.

    Whatever lays out a grid needs one, by :func:`cell_budget`.

    :param slot: taken for a plan that is large; None: it needs no turn
    """

    def __init__(self, most: int, slot: WorkSlot | None):
        self._most = most
        self._left = most
        self._slot = slot

    def cycles(self, cycles: Iterator[Cycle], tasks: int) -> list[Cycle]:
        """Take the cycles of a Dag.

        :raises BadInput: where they are too many
        :raises Conflict: for a large plan while other large requests are under way
        """
        taken = []
        for cycle in cycles:
            self._left -= tasks
            if self._left < 0:
                raise BadInput(
                    f"that is more than {self._most:,} cells, task by cycle ([taskops] max_replenishment_cells); "
                    "ask for shorter ranges or fewer tasks"
                )
            if self._slot and self._most - self._left > LARGE:
                self._slot.take()
            taken.append(cycle)
        return taken


@contextmanager
def cell_budget(actor: Actor, slot: WorkSlot | None = None) -> Iterator[Budget]:
    """Give the budget of one plan: so many cells, and for a large one a turn among the large requests.

    What the monitor does by itself is no request, one at a time anyway, and nobody is there to ask again: it needs no
    turn.

    :param slot: of the request, which may have its turn already
    """
    if slot:
        yield Budget(config.max_replenishment_cells(), slot)
        return
    with large_work("the plan") as own:
        yield Budget(config.max_replenishment_cells(), None if actor is MONITOR else own)


def _plan_dag(
    session: Session,
    plan: ReplenishmentPlan,
    dag_id: str,
    asked_for: set[str],
    ranges: list[Range],
    now: datetime,
    budget: Budget,
) -> Grid | None:
    try:
        graph = load_graph(session, dag_id)
    except UnreadableDag as error:
        plan.warnings.append(f"{dag_id} is left out: {error}")
        return None
    if graph is None:
        plan.warnings.append(f"{dag_id} is left out: Airflow has no version of it")
        return None
    own_ranges = _clamped(plan, dag_id, graph, ranges)
    if paused_or_woken_dags(session, [dag_id]):
        plan.warnings.append(paused_warning(session, dag_id))
    return lay_grid(session, plan, dag_id, graph, asked_for, own_ranges, now, budget)


#: whether a cell of a task in a cycle with, or without, a run may execute at all
Keep = Callable[[str, Cycle, RunRow | None], bool]


def lay_grid(  # noqa: PLR0913 - the plan's state becomes one object with the rebuild of the engine
    session: Session,
    plan: ReplenishmentPlan,
    dag_id: str,
    graph: DagGraph,
    asked_for: set[str],
    ranges: list[Range],
    now: datetime,
    budget: Budget,
    *,
    keep: Keep | None = None,
    releases_held: bool = False,
) -> Grid:
    """Return the grid of one Dag, with what is going to execute; add to the plan's warnings.

    :param keep: of the cells of the tasks asked for that are wanted, those that execute; default: all
    :param releases_held: held instances go on by themselves
    :raises BadInput: where the cells are too many
    """
    pulled_in = _pull_in(graph, asked_for)
    task_ids = [task_id for task_id in topological(graph.downstream) if task_id in asked_for or task_id in pulled_in]
    runs = runs_between(session, dag_id, ranges) if ranges else []
    cycles, of_cycle = _lay_out(plan, dag_id, graph, ranges, runs, len(task_ids), now, budget)
    seen = cell_facts_between(session, dag_id, task_ids, ranges, releases_held=releases_held) if any(of_cycle) else {}
    size = len(cycles)
    rows = [PlannedRow(task_id, bytearray(size), bytearray(size), pulled_in.get(task_id)) for task_id in task_ids]
    grid = Grid(graph, dag_id, cycles, of_cycle, rows)
    _classify(grid, seen)
    _choose(grid, plan.request, asked_for, keep)
    grid.seconds = _estimate(session, grid, plan.request.max_active_runs, now)
    for row in sorted(rows, key=lambda row: row.task_id):
        # of a gap in which nothing executes nothing is pulled in either
        if row.pulled_in and (keep is None or any(row.executes)):
            plan.warnings.append(f"{dag_id} {row.task_id} executes too: {row.pulled_in}")
    return grid


def _pull_in(graph: DagGraph, asked_for: set[str]) -> dict[str, str]:
    """The tasks without which those asked for cannot execute: whose results they take, and their setups."""
    found: dict[str, str] = {}
    frontier = set(asked_for)
    while frontier:
        following: dict[str, str] = {}
        for task_id in sorted(frontier):
            for source in graph.results_of.get(task_id, ()):
                following.setdefault(source, f"{task_id} takes its result")
            for setup in graph.setups_of.get(task_id, ()):
                following.setdefault(setup, f"it is a setup or teardown of {task_id}")
        frontier = {task_id for task_id in following if task_id not in found and task_id not in asked_for}
        found.update({task_id: following[task_id] for task_id in frontier})
    return found


def _clamped(plan: ReplenishmentPlan, dag_id: str, graph: DagGraph, ranges: list[Range]) -> list[Range]:
    clamped = clamp(ranges, graph.dag.start_date, graph.dag.end_date)
    if clamped != ranges:
        start, end = graph.dag.start_date, graph.dag.end_date
        bounds = [f"starts on {start:%Y-%m-%d %H:%M}"] if start else []
        bounds += [f"ends on {end:%Y-%m-%d %H:%M}"] if end else []
        plan.warnings.append(f"{dag_id} {' and '.join(bounds)}: the ranges are cut there")
    return clamped


def _lay_out(  # noqa: PLR0913 - the plan's state becomes one object with the rebuild of the engine
    plan: ReplenishmentPlan,
    dag_id: str,
    graph: DagGraph,
    ranges: list[Range],
    runs: list[RunRow],
    tasks: int,
    now: datetime,
    budget: Budget,
) -> tuple[list[Cycle], list[RunRow | None]]:
    """Return the cycles of a Dag, oldest first, each with its run.

    The runs that its timetable would make, and those that were made at other dates, under an earlier timetable or
    by assets. A run that a person made at a date of their own is none of the schedule's.
    """
    why_not = why_no_cycles(graph.dag)
    by_date = {run.logical_date: run for run in runs}
    found: dict[datetime, Cycle] = {}
    if why_not is None:
        ended = (
            cycle
            for first, last in ranges
            for cycle in cycles_between(graph.dag, first, min(last, now))
            if cycle.end < now
        )
        found = {cycle.logical_date: cycle for cycle in budget.cycles(ended, tasks)}
        others = [run for run in runs if run.logical_date not in found and not run.is_manual]
    else:
        plan.warnings.append(f"of {dag_id} only existing runs are looked at: {why_not}")
        others = runs
    existing = budget.cycles((Cycle(*[run.logical_date] * 4) for run in others), tasks)
    pairs: list[tuple[Cycle, RunRow | None]] = [(cycle, by_date.get(date)) for date, cycle in found.items()]
    pairs += zip(existing, others, strict=True)
    # several runs may have one date: those of assets have none but the moment of their events
    pairs.sort(key=lambda pair: pair[0].logical_date)
    return [cycle for cycle, _ in pairs], [run for _, run in pairs]


def _classify(grid: Grid, seen: dict[str, dict[str, list[CellFacts]]]) -> None:
    upstream = reverse(grid.graph.downstream)
    no_run = _CODE[CellClass.NO_RUN]
    for row in grid.rows:
        # as if there were no runs; those that there are come next
        row.classes = bytearray([no_run]) * len(grid.cycles)
    for i, run in enumerate(grid.runs):
        if run is None:
            continue
        classes = classes_in_run(seen.get(run.run_id, {}), upstream, is_finished=run.is_finished)
        for row in grid.rows:
            row.classes[i] = _CODE[classes.get(row.task_id, CellClass.NO_INSTANCE)]


def classes_in_run(
    of_run: Mapping[str, list[CellFacts]], upstream: Mapping[str, Collection[str]], *, is_finished: bool
) -> dict[str, CellClass]:
    """Return what became of the tasks of one run, by task id.

    :param of_run: task id -> its instances; of all tasks that are gated or were skipped, and of those of interest
    """
    if is_finished:
        of_run = {task_id: [_in_finished_run(one) for one in found] for task_id, found in of_run.items()}
    classes = {task_id: classify(found) for task_id, found in of_run.items()}
    skipped = [task_id for task_id, found in of_run.items() if all(one.state == "skipped" for one in found)]
    return classes | dict.fromkeys(skipped_by_gate(classes, skipped, upstream), CellClass.GATED)


def _in_finished_run(seen: CellFacts) -> CellFacts:
    """What has not ended in a run that has was stopped with it: it is missing."""
    return CellFacts("skipped", gated=True) if seen.state not in FINISHED else seen


def _choose(grid: Grid, request: ReplenishmentRequest, asked_for: set[str], keep: Keep | None) -> None:
    """Mark the cells that are going to execute."""
    codes = {_CODE[found] for found in wanted_classes(request.cells)}
    done = _CODE[CellClass.DONE]
    graph = grid.graph
    wanted = bytes(code in codes for code in range(256))
    for row in grid.rows:
        if row.task_id in asked_for:
            row.executes = row.classes.translate(wanted)
            _keep_inside(grid, row)
            if keep is not None:
                for i, (cycle, run) in enumerate(zip(grid.cycles, grid.runs, strict=True)):
                    row.executes[i] = row.executes[i] and keep(row.task_id, cycle, run)
    # from the last to the first: what is pulled in may pull in others
    for row in reversed(grid.rows):
        if row.pulled_in is None:
            continue
        takers = [other for other in grid.rows if row.task_id in graph.results_of.get(other.task_id, ())]
        served = [other for other in grid.rows if row.task_id in graph.setups_of.get(other.task_id, ())]
        for i, code in enumerate(row.classes):
            # a result that is there already need not be made again; a setup has to be
            row.executes[i] = (code != done and any(other.executes[i] for other in takers)) or any(
                other.executes[i] for other in served
            )


def _keep_inside(grid: Grid, row: PlannedRow) -> None:
    """A task has no instances outside of its own dates."""
    first, last = grid.graph.periods.get(row.task_id, (None, None))
    dates = [cycle.logical_date for cycle in grid.cycles]
    begin = bisect_left(dates, first) if first else 0
    end = bisect_right(dates, last) if last else len(dates)
    row.executes[:begin] = bytes(min(begin, len(dates)))
    row.executes[end:] = bytes(len(dates) - end)


def _estimate(session: Session, grid: Grid, parallel: int, now: datetime) -> float | None:
    """Seconds that a Dag's part is likely to take: the longest way through its tasks, for each run, side by side."""
    executing = {row.task_id: row.executes.count(1) for row in grid.rows if any(row.executes)}
    runs = len(grid.new_runs()) + len(grid.old_runs())
    if not runs:
        return 0.0
    durations = average_durations(session, grid.dag_id, list(executing), now - HISTORY)
    if not durations:
        return None
    longest: dict[str, float] = {}
    for task_id in reversed(topological(grid.graph.downstream)):
        below = max((longest[other] for other in grid.graph.downstream[task_id]), default=0.0)
        share = executing.get(task_id, 0) / runs
        longest[task_id] = below + durations.get(task_id, 0.0) * share
    return max(longest.values(), default=0.0) * -(-runs // parallel)
