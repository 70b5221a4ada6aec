"""Cells that wait for their own past (``depends_on_past``, ``wait_for_downstream``): they wait, or end with a reason.

Airflow leaves an instance whose past failed where it is, and its run with it, for ever. Of a replenishment it ends:
nothing comes that could change it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from taskops_provider.adapter import backfills
from taskops_provider.adapter.graphs import DagGraph, load_graph, looks_back
from taskops_provider.adapter.past import PastWait, end_for_past, waits_for_past
from taskops_provider.adapter.runs import Run
from taskops_provider.domain.progress import CellState
from taskops_provider.models import Replenishment, ReplenishmentCell, ReplenishmentRun
from taskops_provider.services.replenishments.run_rows import cells_of, note_failure

#: runs that are looked at in one transaction; of a chain of them only the first can tell
_RUNS = 5


def end_those_without_past(
    session: Session,
    replenishment: Replenishment,
    dag_id: str,
    active: Sequence[ReplenishmentRun],
    waits: list[str],
    now: datetime,
) -> bool:
    """End the cells of a workflow that their past keeps from ever starting; tell whether there were any.

    :param waits: gets what the others wait for
    """
    # it is asked in each turn: most Dags have no such task
    graph = load_graph(session, dag_id) if active and looks_back(session, dag_id) else None
    if graph is None:
        return False
    ended = False
    for run in _running(session, dag_id, active)[:_RUNS]:
        ended |= _look_at(session, replenishment, graph, run, waits, now)
    return ended


def _running(session: Session, dag_id: str, active: Sequence[ReplenishmentRun]) -> list[ReplenishmentRun]:
    states = backfills.run_states(session, [Run(dag_id, run.run_id) for run in active if run.run_id])
    running = [run for run in active if states.get(Run(dag_id, run.run_id or "")) == "running"]
    return sorted(running, key=lambda run: run.logical_date)


def _look_at(
    session: Session,
    replenishment: Replenishment,
    graph: DagGraph,
    run: ReplenishmentRun,
    waits: list[str],
    now: datetime,
) -> bool:
    cells = cells_of(session, [run.id], CellState.ACTIVE).get(run.id, ())
    looking_back = {cell.task_id for cell in cells} & graph.looks_back
    if not looking_back:
        return False
    backfills.lock_runs(session, run.dag_id, [run.run_id or ""])
    over = []
    for wait in waits_for_past(session, graph.dag, run.run_id or "", looking_back):
        if wait.is_over and not _comes_again(session, replenishment.id, run.dag_id, wait):
            over.append(wait)
        else:
            waits.append(f"{run.dag_id} {wait.task_id} waits for its past: {_date(wait)} has not ended well yet")
    if not over:
        return False
    end_for_past(session, [wait.id for wait in over], now)
    note_failure(
        session,
        replenishment.id,
        f"{run.dag_id} {over[0].task_id} of {run.logical_date:%Y-%m-%d %H:%M} did not execute: it depends on its past, "
        f"and its past failed ({_date(over[0])})",
    )
    return True


def _date(wait: PastWait) -> str:
    return f"the run of {wait.of_date:%Y-%m-%d %H:%M}" if wait.of_date else f"run {wait.of_run}"


def _comes_again(session: Session, replenishment_id: int, dag_id: str, wait: PastWait) -> bool:
    """Whether the replenishment is going to execute something in the run before."""
    query = (
        select(ReplenishmentCell.id)
        .join(ReplenishmentRun, ReplenishmentRun.id == ReplenishmentCell.of_run_id)
        .where(
            ReplenishmentRun.replenishment_id == replenishment_id,
            ReplenishmentRun.dag_id == dag_id,
            ReplenishmentRun.run_id == wait.of_run,
            ReplenishmentCell.state.in_((CellState.WAITING.value, CellState.ACTIVE.value)),
        )
    )
    return session.scalar(query.limit(1)) is not None
