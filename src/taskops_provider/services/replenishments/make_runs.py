"""Runs that a replenishment creates: as backfills of Airflow's, filled a few runs at a time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import func, select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from taskops_provider.adapter import backfills
from taskops_provider.adapter.cycles import Cycle
from taskops_provider.adapter.graphs import load_graph
from taskops_provider.domain.progress import CellState
from taskops_provider.domain.replenishment_run import RunEvent, RunState
from taskops_provider.models import Replenishment, ReplenishmentRun
from taskops_provider.services.replenishments import taken_over
from taskops_provider.services.replenishments.run_rows import (
    cells_of,
    give_up,
    move,
    out_of_service,
    set_cells,
    set_cells_of_runs,
)
from taskops_provider.services.replenishments.waking import ensure_unpaused
from taskops_provider.services.shared.public_errors import public_cause

if TYPE_CHECKING:
    from airflow.serialization.definitions.dag import SerializedDAG

#: runs of one backfill: others who want to backfill the Dag come in between two
CHUNK = 50
#: instances that are created in one transaction, unless a single run has more: Airflow's code takes a good millisecond
#: for each, and everybody who operates on a task waits for as long
INSTANCES_A_TURN = 100


def make_next(
    session: Session, replenishment: Replenishment, waiting: Sequence[ReplenishmentRun], room: int, now: datetime
) -> tuple[bool, str | None]:
    """Create the first of some runs of one workflow. The caller commits.

    :param room: how many may go on at a time in a new backfill
    :return: whether anything changed, and what it waits for
    """
    dag_id = waiting[0].dag_id
    graph = load_graph(session, dag_id)
    if graph is None:
        give_up(session, replenishment, waiting, f"{dag_id}: Airflow has no version of it")
        return True, None
    refused = backfills.problem_of_conf(graph.dag, replenishment.conf)
    if refused is not None:
        give_up(session, replenishment, waiting, f"{dag_id} refuses the conf: {refused}")
        return True, None
    size = min(CHUNK, INSTANCES_A_TURN // max(len(graph.downstream), 1))
    chunk = _in_service(session, waiting[: max(size, 1)])
    if not chunk:
        return True, None
    backfill_id, free = _open_backfill(session, replenishment, dag_id)
    if free is None:
        return False, f"another backfill of {dag_id} goes on"
    if backfill_id is None:
        free = min(free, room * CHUNK)
    if free <= 0:
        return False, None
    # only what can go on now wakes the Dag
    waits_for = ensure_unpaused(session, replenishment, dag_id, now)
    if waits_for is not None:
        return False, waits_for
    _make(session, replenishment, graph.dag, chunk[:free], _TargetBackfill(backfill_id, room), now)
    return True, None


class _TargetBackfill(NamedTuple):
    """The backfill that runs go into; None: a new one, of which ``room`` may go on at a time."""

    backfill_id: int | None
    room: int


def _make(
    session: Session,
    replenishment: Replenishment,
    dag: SerializedDAG,
    chunk: Sequence[ReplenishmentRun],
    into: _TargetBackfill,
    now: datetime,
) -> None:
    dates = [run.logical_date for run in chunk]
    conf, user = replenishment.conf, replenishment.actor
    backfill_id = into.backfill_id
    if backfill_id is None:
        backfill_id = backfills.open_backfill(
            session, dag.dag_id, dates, conf=conf, max_active_runs=into.room, user=user
        )
    ordinal = backfills.widen_backfill(session, backfill_id, dates)
    if ordinal == 1 and _has_past(session, chunk[0]):
        # Airflow lets the first run of a backfill execute whatever its past; this one is not the first
        ordinal = 2
    for run in chunk:
        # the gate asks for it when the run is created
        run.backfill_id = backfill_id
    session.flush()
    failed: dict[int, str] = {}
    for number, run in enumerate(chunk, start=ordinal):
        cycle = Cycle(run.logical_date, run.interval_start, run.interval_end, run.run_after)
        try:
            backfills.make_run(session, dag, cycle, backfill_id, number, conf=conf, user=user)
        except OperationalError:
            raise  # of the transaction as a whole: it is tried again
        except Exception as error:
            failed[run.id] = f"{dag.dag_id} {run.logical_date:%Y-%m-%d %H:%M}: {public_cause(error)}"
    _record_made_runs(session, replenishment, chunk, backfill_id, failed)
    if not backfills.has_unfinished_runs(session, [backfill_id]):
        backfills.complete_backfills(session, [backfill_id], now)


def _has_past(session: Session, run: ReplenishmentRun) -> bool:
    """Whether the replenishment has handed an earlier run of the workflow to Airflow."""
    query = select(ReplenishmentRun.id).where(
        ReplenishmentRun.replenishment_id == run.replenishment_id,
        ReplenishmentRun.dag_id == run.dag_id,
        ReplenishmentRun.ordinal < run.ordinal,
        ReplenishmentRun.run_id.is_not(None),
    )
    return session.scalar(query.limit(1)) is not None


def _in_service(session: Session, waiting: Sequence[ReplenishmentRun]) -> list[ReplenishmentRun]:
    """Cancel the cells of tasks that went offline meanwhile; return the runs in which others are left."""
    gone = out_of_service(session, waiting[0].dag_id)
    cells = cells_of(session, [run.id for run in waiting], CellState.WAITING)
    set_cells(session, [c.key for of in cells.values() for c in of if c.task_id in gone], CellState.CANCELLED)
    left = []
    for run in waiting:
        if any(cell.task_id not in gone for cell in cells.get(run.id, ())):
            left.append(run)
        else:
            move(run, RunEvent.END)
    session.flush()
    return left


def _open_backfill(session: Session, replenishment: Replenishment, dag_id: str) -> tuple[int | None, int | None]:
    """Return the replenishment's own backfill that goes on, and how many runs it may get; None: another one goes on."""
    busy = backfills.busy_dags(session, [dag_id]).get(dag_id, [])
    if not busy:
        return None, CHUNK
    query = (
        select(ReplenishmentRun.backfill_id)
        .where(
            ReplenishmentRun.replenishment_id == replenishment.id,
            ReplenishmentRun.backfill_id.in_(busy),
            ReplenishmentRun.state == RunState.ACTIVE,
        )
        .distinct()
    )
    if set(busy) - set(session.scalars(query)):
        return None, None
    made = select(func.count()).where(ReplenishmentRun.backfill_id == busy[0])
    return busy[0], CHUNK - (session.scalar(made) or 0)


def _record_made_runs(
    session: Session,
    replenishment: Replenishment,
    chunk: Sequence[ReplenishmentRun],
    backfill_id: int,
    failed: dict[int, str],
) -> None:
    made = backfills.runs_of_backfill(session, backfill_id)
    for run in chunk:
        run.run_id = made.get(run.logical_date)
        if run.run_id is not None:
            move(run, RunEvent.START)
            continue
        run.backfill_id = None
        if run.id in failed:
            give_up(session, replenishment, [run], failed[run.id])
        else:
            taken_over.note_existing_run(session, run)
    session.flush()
    active = [run.id for run in chunk if run.state == RunState.ACTIVE]
    set_cells_of_runs(session, active, [CellState.WAITING], CellState.ACTIVE)
