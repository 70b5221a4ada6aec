"""The plan of a replenishment as every surface shows it: counts for each workflow and task, and cells if asked for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from taskops_provider.services.replenishments.plan import CLASSES, Grid, PlannedRow, ReplenishmentPlan


@dataclass(frozen=True, slots=True)
class CellStretch:
    """Cycles one after another in which a task's cells are alike.

    :param execute: whether they execute
    :param first: logical date of the first of these cycles
    :param last: of the last of them
    :param cycles: how many they are
    """

    class_: str
    execute: bool
    first: datetime
    last: datetime
    cycles: int


@dataclass(frozen=True, slots=True)
class PlannedTask:
    """The cells of one task.

    :param pulled_in: why it executes too although nobody asked for it
    :param execute: cells that execute
    """

    task_id: str
    pulled_in: str | None
    by_class: Mapping[str, int]
    execute: int


@dataclass(frozen=True, slots=True)
class PlannedTaskWithCells(PlannedTask):
    """The cells of one task: all of its cycles, oldest first."""

    cells: Sequence[CellStretch]


@dataclass(frozen=True, slots=True)
class PlannedWorkflow:
    """One workflow: how many cycles, from the first logical date to the last, in how many runs.

    :param timezone: in which ranges without a zone were read
    :param first_day: of the first logical date, there
    :param last_day: of the last one
    """

    dag_id: str
    cycles: int
    first: datetime | None
    last: datetime | None
    new_runs: int
    existing_runs: int
    tasks: Sequence[PlannedTask]
    timezone: str
    first_day: str | None
    last_day: str | None


@dataclass(frozen=True, slots=True)
class PlanCounts:
    """Cells by class, and what becomes of them; runs in which something executes."""

    by_class: Mapping[str, int]
    execute: int
    left_alone: int
    new_runs: int
    existing_runs: int


@dataclass(frozen=True, slots=True)
class PlanSummary:
    """What a replenishment would do.

    :param estimated_seconds: by history; None if the tasks have none
    """

    name: str | None
    cells: int
    counts: PlanCounts
    estimated_seconds: int | None
    warnings: Sequence[str]
    workflows: Sequence[PlannedWorkflow]


def summarize(plan: ReplenishmentPlan, *, with_cells: bool = False) -> PlanSummary:
    """Return a plan as every surface shows it.

    :param with_cells: each task is a :class:`PlannedTaskWithCells`
    """
    counts = count_cells(plan)
    seconds = plan.seconds()
    return PlanSummary(
        name=plan.request.name or None,
        cells=counts.execute + counts.left_alone,
        counts=counts,
        estimated_seconds=None if seconds is None else round(seconds),
        warnings=list(plan.warnings),
        workflows=[_workflow(grid, with_cells=with_cells) for grid in plan.grids],
    )


def count_cells(plan: ReplenishmentPlan) -> PlanCounts:
    """Return how many cells and runs a plan has."""
    classes: Counter[str] = Counter()
    for grid in plan.grids:
        for row in grid.rows:
            classes.update(row.counts())
    executing = sum(row.executes.count(1) for grid in plan.grids for row in grid.rows)
    return PlanCounts(
        by_class=dict(classes),
        execute=executing,
        left_alone=sum(classes.values()) - executing,
        new_runs=sum(len(grid.new_runs()) for grid in plan.grids),
        existing_runs=sum(len(grid.old_runs()) for grid in plan.grids),
    )


def _workflow(grid: Grid, *, with_cells: bool) -> PlannedWorkflow:
    return PlannedWorkflow(
        dag_id=grid.dag_id,
        cycles=len(grid.cycles),
        first=grid.cycles[0].logical_date if grid.cycles else None,
        last=grid.cycles[-1].logical_date if grid.cycles else None,
        new_runs=len(grid.new_runs()),
        existing_runs=len(grid.old_runs()),
        tasks=[_task(grid, row, with_cells=with_cells) for row in grid.rows],
        timezone=str(grid.zone),
        first_day=_day(grid, 0),
        last_day=_day(grid, -1),
    )


def _day(grid: Grid, at: int) -> str | None:
    return f"{grid.cycles[at].logical_date.astimezone(grid.zone):%Y-%m-%d}" if grid.cycles else None


def _task(grid: Grid, row: PlannedRow, *, with_cells: bool) -> PlannedTask:
    counts, executing = row.counts(), row.executes.count(1)
    if with_cells:
        return PlannedTaskWithCells(row.task_id, row.pulled_in, counts, executing, _stretches(grid, row))
    return PlannedTask(row.task_id, row.pulled_in, counts, executing)


def _stretches(grid: Grid, row: PlannedRow) -> list[CellStretch]:
    stretches = []
    begin = 0
    for (code, executes), members in groupby(zip(row.classes, row.executes, strict=True)):
        end = begin + sum(1 for _ in members)
        first, last = grid.cycles[begin].logical_date, grid.cycles[end - 1].logical_date
        stretches.append(CellStretch(CLASSES[code].value, bool(executes), first, last, end - begin))
        begin = end
    return stretches
