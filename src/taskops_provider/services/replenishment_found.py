"""Runs that a replenishment meant to make and that somebody else, mostly the scheduler, made before it.

What executes in such a run executes there and not once more: it is looked at when it has ended, and only what was
stopped in it is cleared.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import update
from sqlalchemy.orm import Session

from taskops_provider.adapter import backfills
from taskops_provider.adapter.graphs import DagGraph
from taskops_provider.domain.cells import CellClass, reverse
from taskops_provider.domain.progress import CellState
from taskops_provider.models import ReplenishmentCell, ReplenishmentRun
from taskops_provider.services.replenishment_plan import classes_in_run

_STATES = {
    CellClass.DONE: CellState.SUCCESS,
    CellClass.FAILED: CellState.FAILED,
    CellClass.UPSTREAM_FAILED: CellState.FAILED,
    CellClass.NO_INSTANCE: CellState.FAILED,
}


def take_up(session: Session, run: ReplenishmentRun) -> None:
    """Note which run there is at a date at which one was to be made, and that it is to be looked at first."""
    run.run_id = backfills.run_at(session, run.dag_id, run.logical_date)
    if run.run_id is not None:
        session.execute(
            update(ReplenishmentCell)
            .where(ReplenishmentCell.of_run_id == run.id, ReplenishmentCell.state == CellState.WAITING.value)
            .values(was=CellClass.RUNNING.value)
            .execution_options(synchronize_session=False)
        )


def is_to_be_looked_at(cells: Sequence[ReplenishmentCell]) -> bool:
    """Whether cells are of a run that was taken up: no plan chooses cells that are running."""
    return any(cell.was == CellClass.RUNNING for cell in cells)


def look(
    session: Session, graph: DagGraph, run: ReplenishmentRun, cells: Sequence[ReplenishmentCell]
) -> list[ReplenishmentCell]:
    """Write down what became of cells in a run that has ended; return those that are still to execute."""
    run_id = run.run_id or ""
    found = backfills.seen_in(session, run.dag_id, [run_id], graph.downstream)
    of_run = {task_id: seen for (_, task_id), seen in found.items()}
    classes = classes_in_run(of_run, reverse(graph.downstream), is_finished=True)
    left = []
    for cell in cells:
        became = classes.get(cell.task_id, CellClass.NO_INSTANCE)
        cell.was = became.value
        if became is CellClass.GATED:
            left.append(cell)
            continue
        cell.state = _STATES[became].value
        if became is CellClass.DONE and all(one.state == "skipped" for one in of_run[cell.task_id]):
            cell.state = CellState.SKIPPED.value
    session.flush()
    return left
