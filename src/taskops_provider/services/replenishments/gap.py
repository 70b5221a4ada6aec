"""What tasks have missed since they were paused, to be made up for when they are started (requirements 5, D8).

No cycle is executed twice and none is lost. In runs that were made meanwhile the stopped instances are cleared. Of
the cycles without a run, those that Airflow makes by itself once the Dag goes on are left to it: where the Dag catches
up, all of them after its newest run. The others are the replenishment's; where Airflow is quicker (without catching up
it makes the latest one) the run is found there, and looked at when it has ended (``replenishments.taken_over``).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from taskops_provider import config
from taskops_provider.adapter.cells import RunRow, first_made_since
from taskops_provider.adapter.cycles import Cycle, earliest_due_since, why_no_cycles
from taskops_provider.adapter.dag_state import newest_automatic_run
from taskops_provider.adapter.graphs import DagGraph, load_graph
from taskops_provider.domain.cells import CellSelection
from taskops_provider.domain.operations.answers import Gap
from taskops_provider.domain.operations.plan import Plan
from taskops_provider.domain.operations.targets import Target
from taskops_provider.domain.replenishment import Range, ReplenishmentRequest, clamp
from taskops_provider.domain.states import TaskState, Verb
from taskops_provider.exceptions import BadInput, GapRefused
from taskops_provider.inputs.operation import Request
from taskops_provider.models import GateInterval
from taskops_provider.services.replenishments.plan import Budget, Keep, ReplenishmentPlan, lay_grid, set_stages
from taskops_provider.services.replenishments.plan_summary import count_cells
from taskops_provider.services.shared.task_keys import TaskKey, chunks, is_one_of

#: how late the scheduler may be: a cycle that was due just before the pause, and not made, was missed with it
SCHEDULER_LATE = timedelta(minutes=1)


class MissedCells(NamedTuple):
    """What tasks have missed, counted, and the plan that replenishes it."""

    gap: Gap
    plan: ReplenishmentPlan


def plan_gap(session: Session, plan: Plan, request: Request, now: datetime) -> MissedCells | None:
    """Work out what the tasks that a start applies to have missed. Changes nothing.

    A constant number of queries for each Dag.

    :return: what is to be replenished; None where that was not asked for
    :raises GapRefused: where it is more than ``[taskops] max_replenishment_cells``
    """
    if request.verb is not Verb.START or not request.options.fill_gap:
        return None
    pairs = [(item.dag_id, item.task_id) for item in plan.applied() if item.task_id]
    wanted = ReplenishmentRequest(
        tasks=tuple(Target(*pair) for pair in pairs),
        cells=frozenset({CellSelection.MISSING}),
        reason=request.options.reason,
    )
    missed = _Missed(session, ReplenishmentPlan(wanted), now)
    by_dag: dict[str, dict[str, datetime | None]] = defaultdict(dict)
    paused_since = _paused_since(session, pairs)
    for dag_id, task_id in pairs:
        by_dag[dag_id][task_id] = paused_since.get((dag_id, task_id))
    try:
        for dag_id in sorted(by_dag):
            missed.add(dag_id, by_dag[dag_id])
    except BadInput as error:
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

    def __init__(self, session: Session, plan: ReplenishmentPlan, now: datetime):
        self._session = session
        self._plan = plan
        self._now = now
        self._budget = Budget(config.max_replenishment_cells())
        self._begins: list[datetime] = []

    def add(self, dag_id: str, since: Mapping[str, datetime | None]) -> None:
        """Add the tasks of a Dag.

        :param since: task id -> when it was paused; None: its Dag was, in Airflow
        :raises BadInput: where the cells are too many
        """
        graph = load_graph(self._session, dag_id)
        if graph is None:
            return
        # a task that left its Dag is in no cycle to come
        since = {task_id: moment for task_id, moment in since.items() if task_id in graph.downstream}
        newest = newest_automatic_run(self._session, dag_id)
        begin = self._begin(dag_id, graph, [moment or newest for moment in since.values()])
        if begin is None:
            return
        ranges = clamp([Range(begin, self._now)], graph.dag.start_date, graph.dag.end_date)
        keep = _cells_since(since, newest, catches_up=graph.dag.catchup)
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

    def _begin(self, dag_id: str, graph: DagGraph, moments: Collection[datetime | None]) -> datetime | None:
        """The date from which to look; None where nothing can have been missed."""
        known = [moment for moment in moments if moment is not None]
        if not known:
            return None
        first = min(known)
        is_periodic = why_no_cycles(graph.dag) is None
        dates = [first_made_since(self._session, dag_id, first, is_periodic=is_periodic)]
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


def _cells_since(since: Mapping[str, datetime | None], newest: datetime | None, *, catches_up: bool) -> Keep:
    """Which cells each task missed since its own pause."""

    def keep(task_id: str, cycle: Cycle, run: RunRow | None) -> bool:
        began = since[task_id]
        if run is not None:
            return began is not None and run.created_at >= began
        is_after = _is_airflows(cycle, run, newest)
        if is_after and catches_up:
            return False
        if began is None:
            return is_after and newest is not None
        return cycle.run_after >= (began - SCHEDULER_LATE if is_after else began)

    return keep
