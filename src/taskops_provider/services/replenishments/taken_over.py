"""Runs that a replenishment meant to create and that somebody else, mostly the scheduler, created before it.

What executes in such a run executes there and not once more: it is looked at when it has ended, and only what was
stopped in it is cleared (``replenishments.clear_runs``).
"""

from __future__ import annotations

from sqlalchemy import update
from sqlalchemy.orm import Session

from taskops_provider.adapter import backfills
from taskops_provider.domain.cells import CellClass
from taskops_provider.domain.progress import CellState
from taskops_provider.models import ReplenishmentCell, ReplenishmentRun


def note_existing_run(session: Session, run: ReplenishmentRun) -> None:
    """Note which run there is at a date at which one was to be created, and that it is to be looked at first.

    No plan chooses cells that are running: this class tells such a run from others.
    """
    run.run_id = backfills.run_at(session, run.dag_id, run.logical_date)
    if run.run_id is not None:
        session.execute(
            update(ReplenishmentCell)
            .where(ReplenishmentCell.of_run_id == run.id, ReplenishmentCell.state == CellState.WAITING.value)
            .values(was=CellClass.RUNNING.value)
            .execution_options(synchronize_session=False)
        )
