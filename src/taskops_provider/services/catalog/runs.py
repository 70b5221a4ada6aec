"""The last runs of a workflow (requirements A6)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from taskops_provider.adapter.run_history import first_logical_date, recent_runs
from taskops_provider.services.shared.actor import Actor

#: runs that are told of
LAST = 30

NO_TASKS = "The workflow has no tasks, so they share no period."
NOT_READABLE = "You may not see the runs of this Dag."


@dataclass(frozen=True)
class RunHistoryRow:
    """One run of a workflow.

    :param logical_date: the data time; None for runs that are for no time
    :param duration: seconds; None while it has not ended
    :param held: people hold it: nothing starts in it
    """

    run_id: str
    run_type: str
    state: str
    logical_date: datetime | None
    data_interval_start: datetime | None
    data_interval_end: datetime | None
    run_after: datetime
    start_date: datetime | None
    end_date: datetime | None
    duration: float | None
    held: bool


@dataclass(frozen=True)
class RunHistory:
    """The last runs, the oldest first, or why they are not shown: one of the two is None."""

    runs: list[RunHistoryRow] | None
    not_shown: str | None


def run_history(session: Session, actor: Actor, dag_id: str, periods: Mapping[str, int]) -> RunHistory:
    """Return the last runs of a workflow whose tasks share a period. One query at most.

    The caller has made sure that the Dag may be read.

    :param periods: how many of its tasks have each period
    """
    if not periods:
        return RunHistory(None, NO_TASKS)
    if len(periods) > 1:
        return RunHistory(None, f"Its tasks have different periods: {', '.join(periods)}.")
    if not actor.permissions.may_read_runs(dag_id):
        return RunHistory(None, NOT_READABLE)
    found = recent_runs(session, dag_id, LAST)
    return RunHistory([_row(row) for row in reversed(found)], None)


def first_run(session: Session, actor: Actor, dag_ids: Collection[str]) -> datetime | None:
    """Return the logical date of the first run of some workflows, of those whose runs the actor may see. One query."""
    readable = actor.permissions.runs_readable()
    shown = set(dag_ids) if readable is None else set(dag_ids) & readable
    return first_logical_date(session, shown) if shown else None


def _row(row: Any) -> RunHistoryRow:
    has_ended = row.start_date is not None and row.end_date is not None
    duration = (row.end_date - row.start_date).total_seconds() if has_ended else None
    values = {**row._mapping, "run_type": str(row.run_type), "state": str(row.state), "held": bool(row.held)}
    return RunHistoryRow(**values, duration=duration)
