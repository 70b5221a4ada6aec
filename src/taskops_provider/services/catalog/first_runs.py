"""When each task was first executed (requirements B10): kept up by looking at each run until it has ended."""

from __future__ import annotations

import json
from datetime import datetime

from sqlalchemy import bindparam, select, update
from sqlalchemy.orm import Session

from taskops_provider.adapter import executions
from taskops_provider.models import Task
from taskops_provider.services.shared.watermarks import read_watermark, write_watermark

#: the setting that keeps how far the last look came: ``{"run": newest number seen, "open": numbers unfinished then}``
WATERMARK = "first_runs_watermark"

#: runs made since the last look that one call looks at
NEW_RUNS_PER_CALL = 5000


def record_first_runs(session: Session, now: datetime) -> bool:
    """Set ``first_run_at`` of tasks that have none and were executed meanwhile; tell whether there were any.

    Looks at the runs made since the last look, at those that were unfinished then, and at those that are now (a
    cleared one too). The caller commits.
    """
    seen, open_then = _read(session)
    unfinished = executions.unfinished_run_numbers(session)
    new = executions.runs_after(session, seen, NEW_RUNS_PER_CALL)
    newest = new[-1] if new else seen
    # Their states were read before their instances are: what was finished then has no instance that starts later.
    open_now = [number for number in unfinished if number <= newest]
    looked_at = sorted({*new, *open_then, *open_now})
    without = select(Task.dag_id, Task.task_id).where(Task.first_run_at.is_(None)).subquery()
    starts = executions.first_starts(session, looked_at, without)
    _write_starts(session, starts)
    if (newest, open_now) != (seen, open_then):
        write_watermark(session, WATERMARK, json.dumps({"run": newest, "open": open_now}), "monitor", now)
    return bool(starts)


def _write_starts(session: Session, starts: dict[tuple[str, str], datetime]) -> None:
    if not starts:
        return
    table = Task.__table__
    statement = (
        update(table)  # type: ignore[arg-type]
        .where(
            table.c.dag_id == bindparam("of_dag"),
            table.c.task_id == bindparam("of_task"),
            table.c.first_run_at.is_(None),
        )
        .values(first_run_at=bindparam("started"))
    )
    session.execute(statement, [{"of_dag": dag, "of_task": task, "started": at} for (dag, task), at in starts.items()])


def _read(session: Session) -> tuple[int, list[int]]:
    value = read_watermark(session, WATERMARK)
    if value is None:
        return 0, []
    kept = json.loads(value)
    return kept["run"], kept["open"]
