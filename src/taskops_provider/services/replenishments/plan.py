"""What a replenishment would do: a grid task by cycle, the class of each cell, what becomes of it (requirements 6)."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta, tzinfo

from sqlalchemy.orm import Session

from taskops_provider.adapter.cells import RunRow, average_durations, cell_facts_between, cut_off_between, runs_between
from taskops_provider.adapter.cycles import Cycle
from taskops_provider.adapter.graphs import DagGraph, load_graph, read_code
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
from taskops_provider.domain.replenishment import Range, ReplenishmentRequest, WaitFor
from taskops_provider.exceptions import BadInput, UnreadableDag
from taskops_provider.services.catalog.lineage import links_around
from taskops_provider.services.gate.whose_pause import paused_or_woken_dags
from taskops_provider.services.replenishments.cycles_of_plan import (
    Budget,
    PlanOfCycles,
    cell_budget,
    clamped,
    lay_out,
    ranges_in_zone,
)
from taskops_provider.services.replenishments.plan_checks import check_ways, paused_warning, plan_notes
from taskops_provider.services.replenishments.targets import find_targets
from taskops_provider.services.shared.actor import Actor

#: how far back runs are looked at to estimate how long a task takes
HISTORY = timedelta(days=90)

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
    :param excluded: ids of tasks that count as success
    :param zone: in which ranges without one were read
    """

    graph: DagGraph
    dag_id: str
    cycles: list[Cycle]
    runs: list[RunRow | None]
    rows: list[PlannedRow]
    seconds: float | None = None
    stage: int = 0
    excluded: frozenset[str] = frozenset()
    zone: tzinfo = UTC

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
    targets = find_targets(session, actor, request)
    plan = ReplenishmentPlan(request, warnings=list(targets.warnings))
    with cell_budget(actor) as budget:
        for dag_id, task_ids in targets.tasks.items():
            grid = _plan_dag(session, plan, dag_id, task_ids, now, budget)
            if grid is not None:
                plan.grids.append(grid)
    if not any(grid.cycles for grid in plan.grids):
        raise BadInput(_nothing_there(plan.warnings))
    plan.request = with_zone(plan.request, {str(grid.zone) for grid in plan.grids}, plan.grids[0].zone)
    plan.warnings += [*check_ways(session, plan, actor), *plan_notes(plan)]
    if request.wait_for is not WaitFor.NONE:
        set_stages(session, plan.grids)
    return plan


def with_zone(request: ReplenishmentRequest, zones: Collection[str], zone: tzinfo) -> ReplenishmentRequest:
    """Return a request with its ranges in the zone in which they were read, if that is one for all."""
    if len(zones) != 1 or not any(one.is_local for one in request.ranges):
        return request
    ranges = tuple(one.in_zone(zone) for one in request.ranges)
    return replace(request, ranges=ranges, timezone=next(iter(zones)))


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


def _plan_dag(
    session: Session,
    plan: ReplenishmentPlan,
    dag_id: str,
    asked_for: set[str],
    now: datetime,
    budget: Budget,
) -> Grid | None:
    try:
        graph = load_graph(session, dag_id)
        if graph is None:
            plan.warnings.append(f"{dag_id} is left out: Airflow has no version of it")
            return None
        graph = read_code(session, graph)
        ranges, zone = ranges_in_zone(plan.request, graph, now)
        own_ranges = clamped(plan.warnings, graph, ranges)
        grid = lay_grid(session, plan, dag_id, graph, asked_for, own_ranges, now, budget)
        grid.zone = zone
    except UnreadableDag as error:
        plan.warnings.append(f"{dag_id} is left out: {error}")
        return None
    if paused_or_woken_dags(session, [dag_id]):
        plan.warnings.append(paused_warning(session, dag_id))
    return grid


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
    excluded = frozenset(task_id for of, task_id in plan.request.exclude if of == dag_id)
    pulled_in = _pull_in(graph, asked_for, excluded)
    task_ids = [task_id for task_id in topological(graph.downstream) if task_id in asked_for or task_id in pulled_in]
    runs = runs_between(session, dag_id, ranges) if ranges else []
    cycles, of_cycle = lay_out(PlanOfCycles(session, graph, len(task_ids), now, budget, plan.warnings), ranges, runs)
    cut_off = cut_off_between(session, dag_id, ranges) if any(of_cycle) else {}
    seen = cell_facts_between(session, dag_id, task_ids, ranges, releases_held=releases_held) if any(of_cycle) else {}
    size = len(cycles)
    rows = [PlannedRow(task_id, bytearray(size), bytearray(size), pulled_in.get(task_id)) for task_id in task_ids]
    grid = Grid(graph, dag_id, cycles, of_cycle, rows, excluded=excluded)
    _classify(grid, seen, cut_off)
    _choose(grid, plan.request, asked_for, keep)
    grid.seconds = _estimate(session, grid, plan.request.max_active_runs, now)
    for row in sorted(rows, key=lambda row: row.task_id):
        # of a gap in which nothing executes nothing is pulled in either
        if row.pulled_in and (keep is None or any(row.executes)):
            plan.warnings.append(f"{dag_id} {row.task_id} executes too: {row.pulled_in}")
    return grid


def _pull_in(graph: DagGraph, asked_for: set[str], excluded: Collection[str]) -> dict[str, str]:
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
            for other in graph.loops.get(task_id, ()):
                following.setdefault(other, f"it is in the loop of {task_id}")
        frontier = {task_id for task_id in following if task_id not in {*found, *asked_for, *excluded}}
        found.update({task_id: following[task_id] for task_id in frontier})
    return found


def _classify(
    grid: Grid, seen: Mapping[str, dict[str, list[CellFacts]]], cut_off: Mapping[str, Collection[str]]
) -> None:
    upstream = reverse(grid.graph.downstream)
    no_run = _CODE[CellClass.NO_RUN]
    for row in grid.rows:
        # as if there were no runs; those that there are come next
        row.classes = bytearray([no_run]) * len(grid.cycles)
    for i, run in enumerate(grid.runs):
        if run is None:
            continue
        ended_with = cut_off.get(run.run_id, ())
        classes = classes_in_run(seen.get(run.run_id, {}), upstream, is_finished=run.is_finished, cut_off=ended_with)
        for row in grid.rows:
            row.classes[i] = _CODE[classes.get(row.task_id, CellClass.NO_INSTANCE)]


def classes_in_run(
    of_run: Mapping[str, list[CellFacts]],
    upstream: Mapping[str, Collection[str]],
    *,
    is_finished: bool,
    cut_off: Collection[str] = (),
) -> dict[str, CellClass]:
    """Return what became of the tasks of one run, by task id.

    :param cut_off: ids of tasks that had not ended when the run timed out
    :param of_run: task id -> its instances; of all tasks that are gated or were skipped, and of those of interest
    """
    if is_finished:
        of_run = {task_id: [_in_finished_run(one) for one in found] for task_id, found in of_run.items()}
    classes = {task_id: classify(found) for task_id, found in of_run.items()}
    classes |= {task_id: CellClass.CUT_OFF for task_id in cut_off if classes.get(task_id) is CellClass.DONE}
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
        takers = [
            other
            for other in grid.rows
            if row.task_id in graph.results_of.get(other.task_id, ())
            or row.task_id in graph.loops.get(other.task_id, ())
        ]
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
