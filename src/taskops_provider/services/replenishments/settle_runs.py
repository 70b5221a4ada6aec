"""What has ended in the runs that Airflow has of a replenishment."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from sqlalchemy import and_, func, select
from sqlalchemy.orm import Session

from taskops_provider.adapter import backfills
from taskops_provider.adapter.runs import Run
from taskops_provider.domain.cells import CellFacts
from taskops_provider.domain.progress import CellState, cell_outcome
from taskops_provider.domain.replenishment_run import RunState
from taskops_provider.models import ReplenishmentCell, ReplenishmentRun
from taskops_provider.services.replenishments.run_rows import (
    DueCell,
    cells_of,
    next_wave_or_end,
    note_failure,
    set_cells,
    was_deleted,
)

_Facts = Mapping[tuple[str, str, str], list[CellFacts]]


#: cells that are looked at in one transaction, unless a single run has more
CELLS_A_TURN = 1000


def parts_to_settle(session: Session, replenishment_id: int) -> list[list[int]]:
    """Return the runs of a replenishment that Airflow has, in parts for one transaction each. One query."""
    query = (
        select(ReplenishmentRun.id, func.count(ReplenishmentCell.id))
        .outerjoin(
            ReplenishmentCell,
            and_(ReplenishmentCell.of_run_id == ReplenishmentRun.id, ReplenishmentCell.state == CellState.ACTIVE.value),
        )
        .where(ReplenishmentRun.replenishment_id == replenishment_id, ReplenishmentRun.state == RunState.ACTIVE)
        .group_by(ReplenishmentRun.id)
        .order_by(ReplenishmentRun.id)
    )
    parts: list[list[int]] = []
    room = 0
    for run_id, cells in session.execute(query):
        if not parts or cells > room:
            parts.append([])
            room = CELLS_A_TURN
        parts[-1].append(run_id)
        room -= max(cells, 1)
    return parts


def settle_runs(session: Session, run_ids: Collection[int], now: datetime) -> bool:
    """Write down what has ended in some runs; tell whether anything has. The caller commits.

    A run is over for the replenishment when it is over for Airflow: until then its Dag must not be paused again.

    :param run_ids: as of :func:`parts_to_settle`
    """
    query = select(ReplenishmentRun).where(ReplenishmentRun.id.in_(run_ids), ReplenishmentRun.state == RunState.ACTIVE)
    active = list(session.scalars(query.order_by(ReplenishmentRun.id)))
    if not active:
        return False
    states = backfills.run_states(session, [_key(run) for run in active])
    cells = cells_of(session, [run.id for run in active], CellState.ACTIVE)
    facts = _facts(session, active, cells)
    outcomes: dict[CellState, list[int]] = defaultdict(list)
    over = []
    gone = []
    for run in active:
        has_ended = states.get(_key(run)) in (None, "success", "failed")
        if cells.get(run.id) and _key(run) not in states:
            gone.append(_key(run))
        for cell in cells.get(run.id, ()):
            outcome = _outcome(facts.get((*_key(run), cell.task_id), []), has_ended=has_ended)
            if outcome is not None:
                outcomes[outcome].append(cell.key)
        if has_ended:
            over.append(run)
    for outcome, keys in outcomes.items():
        set_cells(session, keys, outcome)
    if gone:
        note_failure(session, active[0].replenishment_id, was_deleted(*gone[0]))
    next_wave_or_end(session, over)
    session.flush()
    _complete_backfills(session, over, now)
    return bool(outcomes or over)


def _key(run: ReplenishmentRun) -> Run:
    return Run(run.dag_id, run.run_id or "")


def _outcome(instances: Sequence[CellFacts], *, has_ended: bool) -> CellState | None:
    outcome = cell_outcome(instances) if instances else None
    if outcome is None and has_ended:
        # the run was ended around it: nothing will execute it any more
        return CellState.FAILED
    return outcome


def _facts(session: Session, active: Sequence[ReplenishmentRun], cells: Mapping[int, Sequence[DueCell]]) -> _Facts:
    run_ids: dict[str, set[str]] = defaultdict(set)
    task_ids: dict[str, set[str]] = defaultdict(set)
    for run in active:
        if run.run_id and cells.get(run.id):
            run_ids[run.dag_id].add(run.run_id)
            task_ids[run.dag_id].update(cell.task_id for cell in cells[run.id])
    facts: dict[tuple[str, str, str], list[CellFacts]] = {}
    for dag_id, ids in run_ids.items():
        of_dag = backfills.cell_facts_in_runs(session, dag_id, sorted(ids), task_ids[dag_id])
        facts.update({(dag_id, run_id, task_id): found for (run_id, task_id), found in of_dag.items()})
    return facts


def _complete_backfills(session: Session, over: Sequence[ReplenishmentRun], now: datetime) -> None:
    """The scheduler does it too, but only twice a minute."""
    ended = {run.backfill_id for run in over if run.backfill_id is not None}
    if not ended:
        return
    query = select(ReplenishmentRun.backfill_id).where(
        ReplenishmentRun.backfill_id.in_(ended), ReplenishmentRun.state == RunState.ACTIVE
    )
    ended -= set(session.scalars(query.distinct()))
    backfills.complete_backfills(session, ended, now)
