"""What a plan says of tasks that depend on their own past (``depends_on_past``, ``wait_for_downstream``)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from sqlalchemy.orm import Session

from taskops_provider.adapter.past import state_before
from taskops_provider.domain.cells import CellClass
from taskops_provider.exceptions import BadInput

if TYPE_CHECKING:
    from taskops_provider.services.replenishments.plan import Grid, PlannedRow

#: classes of cells that keep those after them from executing, if they do not execute again themselves
_KEEP_BACK = (CellClass.FAILED, CellClass.UPSTREAM_FAILED)


def check_past(session: Session, grid: Grid, *, newest_first: bool) -> Iterator[str]:
    """Yield what can never start because of what was before it. One query for each task that depends on its past.

    :raises BadInput: where the newest shall come first
    """
    rows = [row for row in grid.rows if row.task_id in grid.graph.looks_back and any(row.executes)]
    if rows and newest_first and sum(grid.busy()) > 1:
        raise BadInput(
            f"newest first is not possible: {grid.dag_id} {rows[0].task_id} depends on its past "
            "(depends_on_past), so what is older has to come first"
        )
    for row in rows:
        blocked, since = _kept_back(session, grid, row)
        if blocked:
            cells = "1 cell does" if blocked == 1 else f"{blocked} cells do"
            yield (
                f"{grid.dag_id} {row.task_id} depends on its past, which failed and is not executed again: "
                f"from {since} on {cells} not execute and count as failed"
            )


def _kept_back(session: Session, grid: Grid, row: PlannedRow) -> tuple[int, str]:
    """How many cells cannot start, and from when on."""
    from taskops_provider.services.replenishments.plan import CLASSES

    first = row.executes.index(1)
    is_kept = False
    if first == 0 and grid.runs[0] is not None:
        # in runs that it makes itself the first one needs no past, as in Airflow's backfills
        is_kept = state_before(session, grid.dag_id, row.task_id, grid.cycles[0].logical_date) in (
            "failed",
            "upstream_failed",
        )
    blocked, since = 0, ""
    has_executed = False
    for i, executes in enumerate(row.executes):
        if not executes:
            if grid.runs[i] is not None:
                is_kept = CLASSES[row.classes[i]] in _KEEP_BACK
            continue
        if is_kept and (has_executed or grid.runs[i] is not None or blocked):
            blocked += 1
            since = since or f"{grid.cycles[i].logical_date:%Y-%m-%d %H:%M} UTC"
        is_kept = is_kept and bool(blocked)
        has_executed = True
    return blocked, since
