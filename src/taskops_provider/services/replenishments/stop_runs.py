"""Taking back what a replenishment has handed to Airflow and what has not begun: for pause and cancel."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from taskops_provider.adapter import backfills, runs
from taskops_provider.adapter.graphs import leaf_tasks
from taskops_provider.domain.progress import CellState
from taskops_provider.domain.replenishment_run import STATE_BEFORE, RunEvent, RunState
from taskops_provider.models import Replenishment, ReplenishmentCell, ReplenishmentRun
from taskops_provider.services.replenishments.run_rows import (
    cancel_waiting,
    cells_of,
    move,
    runs_in,
    set_cells,
    set_cells_of_runs,
)
from taskops_provider.services.shared.task_keys import TaskKey, chunks, is_one_of


def pause_runs(session: Session, replenishment: Replenishment, now: datetime) -> None:
    """Keep from starting what has not: cleared cells wait again, and queued runs of backfills stay queued."""
    unstarted = _lock_unstarted(session, runs_in(session, replenishment.id, RunState.ACTIVE))
    backfills.pause_backfills(session, _backfill_ids(unstarted), True)
    cleared = [run for run in unstarted if run.backfill_id is None]
    _take_back(session, cleared, now)
    for run in cleared:
        move(run, RunEvent.TAKE_BACK)
    session.flush()
    set_cells_of_runs(session, [run.id for run in cleared], [CellState.ACTIVE], CellState.WAITING)


def resume_runs(session: Session, replenishment: Replenishment) -> None:
    """Let the queued runs of its backfills start again."""
    backfills.pause_backfills(session, _backfill_ids(runs_in(session, replenishment.id, RunState.ACTIVE)), False)


def cancel_runs(session: Session, replenishment: Replenishment, now: datetime, *, end_running: bool) -> None:
    """End what has not started; what runs goes on to its end, or is ended too."""
    active = runs_in(session, replenishment.id, RunState.ACTIVE)
    unstarted = _lock_unstarted(session, active)
    backfills.cancel_backfills(session, _backfill_ids(active), now)
    _take_back(session, [run for run in unstarted if run.backfill_id is None], now)
    for run in unstarted:
        move(run, RunEvent.CANCEL)
    session.flush()
    set_cells_of_runs(session, [run.id for run in unstarted], [CellState.ACTIVE], CellState.CANCELLED)
    # later waves of what runs, too
    cancel_waiting(session, replenishment.id)
    if end_running:
        _end_running(session, [run for run in active if run.state == RunState.ACTIVE], now)


def cancel_ended_cells(session: Session, tasks: Collection[TaskKey], now: datetime) -> None:
    """Note that an operation ended what replenishments were executing: whatever state that got, it did not execute.

    :param tasks: those whose instances were ended
    :param now: when they were
    """
    for chunk in chunks(tasks):
        query = (
            select(ReplenishmentCell.id, ReplenishmentRun.dag_id, ReplenishmentRun.run_id, ReplenishmentCell.task_id)
            .join(ReplenishmentRun, ReplenishmentRun.id == ReplenishmentCell.of_run_id)
            .where(
                ReplenishmentRun.state == RunState.ACTIVE,
                ReplenishmentCell.state == CellState.ACTIVE,
                is_one_of(ReplenishmentRun.dag_id, ReplenishmentCell.task_id, chunk),
            )
        )
        active = session.execute(query).all()
        ended = runs.ended_at(session, {runs.Run(row.dag_id, row.run_id or "") for row in active}, now)
        cancelled = [row.id for row in active if (row.dag_id, row.run_id, row.task_id) in ended]
        set_cells(session, cancelled, CellState.CANCELLED)


def _lock_unstarted(session: Session, active: Sequence[ReplenishmentRun]) -> list[ReplenishmentRun]:
    """Lock runs, and return those that are queued: with the lock none of them starts any more."""
    by_dag: dict[str, set[str]] = defaultdict(set)
    for run in active:
        by_dag[run.dag_id].add(run.run_id or "")
    states = {dag_id: backfills.lock_runs(session, dag_id, ids) for dag_id, ids in sorted(by_dag.items())}
    return [run for run in active if states[run.dag_id].get(run.run_id or "") == "queued"]


def _backfill_ids(found: Collection[ReplenishmentRun]) -> list[int]:
    return sorted({run.backfill_id for run in found if run.backfill_id is not None})


def _take_back(session: Session, cleared: Sequence[ReplenishmentRun], now: datetime) -> None:
    """Give the instances of cleared cells back what they were."""
    cells = cells_of(session, [run.id for run in cleared], CellState.ACTIVE)
    leaves: dict[str, Collection[str] | None] = {}
    for run in cleared:
        if run.dag_id not in leaves:
            leaves[run.dag_id] = leaf_tasks(session, run.dag_id)
        before = {cell.task_id: STATE_BEFORE.get(cell.was, backfills.GATED) for cell in cells.get(run.id, ())}
        backfills.take_back(session, run.dag_id, run.run_id or "", before, leaves[run.dag_id], now)


def _end_running(session: Session, active: Sequence[ReplenishmentRun], now: datetime) -> None:
    cells = cells_of(session, [run.id for run in active], CellState.ACTIVE)
    for run in active:
        task_ids = [cell.task_id for cell in cells.get(run.id, ())]
        ids = backfills.unfinished_ids(session, run.dag_id, [run.run_id or ""], task_ids)
        runs.end_all(session, ids, "failed", now)
