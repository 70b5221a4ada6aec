"""What tasks have missed since they were paused, to be made up for when they are started (requirements 5, D8).

No cycle is executed twice and none is lost. In runs that were made meanwhile the stopped instances are cleared. Of
the cycles without a run, those that Airflow makes by itself once the Dag goes on are left to it: where the Dag catches
up, all of them after its newest run. The others are the replenishment's; where Airflow is quicker (without catching up
it makes the latest one) the run is found there, and looked at when it has ended (``replenishments.taken_over``).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Container, Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from taskops_provider.adapter.cells import RunRow, first_made_since, gated_in_runs_made
from taskops_provider.adapter.cycles import Cycle, earliest_due_since, first_and_last, why_no_cycles
from taskops_provider.adapter.dag_state import newest_automatic_run
from taskops_provider.adapter.graphs import DagGraph, load_graph, read_code
from taskops_provider.domain.cells import CellSelection
from taskops_provider.domain.operations.answers import Gap
from taskops_provider.domain.operations.plan import Plan
from taskops_provider.domain.operations.targets import Target
from taskops_provider.domain.replenishment import Range, ReplenishmentRequest, clamp
from taskops_provider.domain.states import TaskState, Verb
from taskops_provider.exceptions import BadInput, GapRefused, UnreadableDag
from taskops_provider.inputs.operation import Request
from taskops_provider.models import GateInterval
from taskops_provider.services.replenishments.cycles_of_plan import Budget, cell_budget
from taskops_provider.services.replenishments.plan import (
    Keep,
    ReplenishmentPlan,
    lay_grid,
    set_stages,
)
from taskops_provider.services.replenishments.plan_summary import count_cells
from taskops_provider.services.shared.actor import Actor
from taskops_provider.services.shared.large_work import WorkSlot
from taskops_provider.services.shared.task_keys import TaskKey, chunks, is_one_of

#: how late the scheduler may be: a cycle that was due just before the pause, and not made, was missed with it
SCHEDULER_LATE = timedelta(minutes=1)
#: more than clocks of two machines do
CLOCKS_DISAGREE = timedelta(seconds=30)


class MissedCells(NamedTuple):
    """What tasks have missed, counted, and the plan that replenishes it."""

    gap: Gap
    plan: ReplenishmentPlan


def plan_gap(
    session: Session, actor: Actor, plan: Plan, request: Request, now: datetime, slot: WorkSlot | None = None
) -> MissedCells | None:
    """Work out what the tasks that a start applies to have missed. Changes nothing.

    A constant number of queries for each Dag.

    :param slot: of the request, for a large one; None: it takes one of its own
    :return: what is to be replenished; None where that was not asked for
    :raises GapRefused: where it is more than ``[taskops] max_replenishment_cells``, or a Dag cannot be read
    :raises Conflict: for a large one while other large requests are under way
    """
    if request.verb is not Verb.START or not request.options.fill_gap:
        return None
    pairs = [(item.dag_id, item.task_id) for item in plan.applied() if item.task_id]
    wanted = ReplenishmentRequest(
        tasks=tuple(Target(*pair) for pair in pairs),
        cells=frozenset({CellSelection.MISSING}),
        reason=request.options.reason,
    )
    by_dag: dict[str, dict[str, datetime | None]] = defaultdict(dict)
    paused_since = _paused_since(session, pairs)
    for dag_id, task_id in pairs:
        by_dag[dag_id][task_id] = paused_since.get((dag_id, task_id))
    with cell_budget(actor, slot) as budget:
        missed = _Missed(session, ReplenishmentPlan(wanted), now, budget)
        try:
            for dag_id in sorted(by_dag):
                missed.add(dag_id, by_dag[dag_id])
        except (BadInput, UnreadableDag) as error:
            raise GapRefused(str(error)) from None
        found = missed.result()
    counts = count_cells(found)
    gap = Gap(counts.execute, counts.new_runs, counts.existing_runs, list(found.warnings))
    return MissedCells(gap, found)


def _paused_since(session: Session, pairs: Collection[TaskKey]) -> dict[TaskKey, datetime]:
    """When tasks were paused; those that are so only because their Dag is paused in Airflow are missing."""
    found: dict[TaskKey, datetime] = {}
    gate = GateInterval
    for chunk in chunks(pairs):
        query = select(gate.dag_id, gate.task_id, gate.from_at).where(
            is_one_of(gate.dag_id, gate.task_id, chunk), gate.to_at.is_(None), gate.state == TaskState.PAUSED.value
        )
        found.update({(dag_id, task_id): since for dag_id, task_id, since in session.execute(query)})
    return found


class _Missed:
    """Collects, Dag by Dag, what was missed."""

    def __init__(self, session: Session, plan: ReplenishmentPlan, now: datetime, budget: Budget):
        self._session = session
        self._plan = plan
        self._now = now
        self._budget = budget
        self._begins: list[datetime] = []

    def add(self, dag_id: str, since: Mapping[str, datetime | None]) -> None:
        """Add the tasks of a Dag.

        :param since: task id -> when it was paused; None: its Dag was, in Airflow
        :raises BadInput: where the cells are too many
        """
        graph = load_graph(self._session, dag_id)
        if graph is None:
            return
        graph = read_code(self._session, graph)
        # a task that left its Dag is in no cycle to come
        since = {task_id: moment for task_id, moment in since.items() if task_id in graph.downstream}
        newest = newest_automatic_run(self._session, dag_id)
        early = self._made_early(dag_id, since)
        begin = self._begin(dag_id, graph, [moment or newest for moment in since.values()], early.values())
        if begin is None:
            return
        ranges = clamp([Range(begin, self._now)], *first_and_last(graph.dag))
        keep = _cells_since(since, newest, early, catches_up=graph.dag.catchup)
        grid = lay_grid(
            self._session,
            self._plan,
            dag_id,
            graph,
            set(since),
            ranges,
            self._now,
            self._budget,
            keep=keep,
            releases_held=True,
        )
        if graph.dag.catchup:
            left = sum(_is_airflows(cycle, run, newest) for cycle, run in zip(grid.cycles, grid.runs, strict=True))
            if left:
                what = "missed cycle is" if left == 1 else "missed cycles are"
                self._plan.warnings.append(f"{dag_id} catches up: {left} {what} made by Airflow itself")
        if any(any(row.executes) for row in grid.rows):
            grid.rows = [row for row in grid.rows if any(row.executes)]
            self._plan.grids.append(grid)
            self._begins.append(begin)

    def _made_early(self, dag_id: str, since: Mapping[str, datetime | None]) -> dict[tuple[str, str], datetime]:
        """What the pause stopped in runs that were made before it only by the clock of who made them, with their dates.

        Which clock wrote a moment does not decide: that the instance is gated is a fact, unless an earlier pause of the
        task accounts for it.
        """
        began = {task_id: moment for task_id, moment in since.items() if moment is not None}
        if not began:
            return {}
        found = gated_in_runs_made(
            self._session, dag_id, began, min(began.values()) - CLOCKS_DISAGREE, max(began.values())
        )
        earlier = _earlier_ends(self._session, dag_id, {cell.task_id for cell in found}) if found else {}
        return {
            (cell.run_id, cell.task_id): cell.logical_date
            for cell in found
            if cell.task_id in began
            and began[cell.task_id] - CLOCKS_DISAGREE <= cell.created_at < began[cell.task_id]
            and not any(cell.created_at < end <= began[cell.task_id] for end in earlier.get(cell.task_id, ()))
        }

    def _begin(
        self, dag_id: str, graph: DagGraph, moments: Collection[datetime | None], early: Collection[datetime]
    ) -> datetime | None:
        """The date from which to look; None where nothing can have been missed."""
        known = [moment for moment in moments if moment is not None]
        if not known:
            return None
        first = min(known)
        is_periodic = why_no_cycles(graph.dag) is None
        dates = [first_made_since(self._session, dag_id, first, is_periodic=is_periodic), *early]
        if is_periodic:
            dates.append(earliest_due_since(graph.dag, first - SCHEDULER_LATE))
        return min((date for date in dates if date is not None), default=None)

    def result(self) -> ReplenishmentPlan:
        """The plan of all Dags."""
        plan = self._plan
        set_stages(self._session, plan.grids)
        tasks = {(grid.dag_id, row.task_id) for grid in plan.grids for row in grid.rows if row.pulled_in is None}
        ranges = (Range(min(self._begins), self._now),) if self._begins else ()
        inputs = ReplenishmentRequest(
            tasks=tuple(target for target in plan.request.tasks if target in tasks),
            ranges=ranges,
            cells=plan.request.cells,
            reason=plan.request.reason,
        )
        return ReplenishmentPlan(inputs, plan.grids, plan.warnings)


def _is_airflows(cycle: Cycle, run: RunRow | None, newest: datetime | None) -> bool:
    """Whether Airflow makes a run when it catches up: it goes on after its newest one."""
    return run is None and (newest is None or cycle.logical_date > newest)


def _earlier_ends(session: Session, dag_id: str, task_ids: Collection[str]) -> dict[str, list[datetime]]:
    """Return when earlier pauses of some tasks ended."""
    found: dict[str, list[datetime]] = defaultdict(list)
    for some in chunks([(dag_id, task_id) for task_id in task_ids]):
        query = select(GateInterval.task_id, GateInterval.to_at).where(
            is_one_of(GateInterval.dag_id, GateInterval.task_id, some),
            GateInterval.to_at.is_not(None),
            GateInterval.window_id.is_(None),
        )
        for task_id, ended_at in session.execute(query):
            if ended_at is not None:
                found[task_id].append(ended_at)
    return found


def _cells_since(
    since: Mapping[str, datetime | None],
    newest: datetime | None,
    early: Container[tuple[str, str]],
    *,
    catches_up: bool,
) -> Keep:
    """Which cells each task missed since its own pause."""

    def keep(task_id: str, cycle: Cycle, run: RunRow | None) -> bool:
        began = since[task_id]
        if run is not None:
            return began is not None and (run.created_at >= began or (run.run_id, task_id) in early)
        is_after = _is_airflows(cycle, run, newest)
        if is_after and catches_up:
            return False
        if began is None:
            return is_after and newest is not None
        return cycle.run_after >= (began - SCHEDULER_LATE if is_after else began)

    return keep
