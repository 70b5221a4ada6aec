"""Why an instance is gated: the gate interval in force when its run was made, and the operation behind it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import and_, or_, select
from sqlalchemy.orm import Session

from taskops_provider.adapter.runs import Run
from taskops_provider.domain.chunks import chunks
from taskops_provider.domain.gate import ANY_TASK, Cause
from taskops_provider.models import GateInterval, Operation, Replenishment, ReplenishmentRun


class GateMoment(NamedTuple):
    """A task at a moment."""

    dag_id: str
    task_id: str
    at: datetime


def why_gated(session: Session, moments: Iterable[GateMoment]) -> dict[GateMoment, Cause]:
    """Return why each task was gated at its moment; an empty cause where that is not known any more.

    One query for each 500 Dags.
    """
    wanted = set(moments)
    if not wanted:
        return {}
    intervals = _intervals(session, wanted)
    return {moment: _cause(moment, intervals) for moment in wanted}


def replenishments_of(session: Session, found: Iterable[Run]) -> dict[Run, tuple[int, str]]:
    """Return which replenishment made each run, and who asked for it; other runs are missing.

    One query for each 500 runs that a backfill may have made, none where there are none.
    """
    by_dag: dict[str, list[str]] = defaultdict(list)
    for dag_id, run_id in found:
        if run_id.startswith("backfill__"):
            by_dag[dag_id].append(run_id)
    made: dict[Run, tuple[int, str]] = {}
    for dag_id, run_ids in by_dag.items():
        for some in chunks(run_ids):
            query = (
                select(ReplenishmentRun.run_id, Replenishment.id, Replenishment.actor)
                .join(Replenishment, Replenishment.id == ReplenishmentRun.replenishment_id)
                .where(
                    ReplenishmentRun.dag_id == dag_id,
                    ReplenishmentRun.run_id.in_(some),
                    ReplenishmentRun.backfill_id.is_not(None),
                )
            )
            made.update({Run(dag_id, run_id or ""): (key, actor) for run_id, key, actor in session.execute(query)})
    return made


def _intervals(session: Session, moments: set[GateMoment]) -> dict[tuple[str, str], list[Any]]:
    """The intervals that may cover a moment, by (dag_id, task_id), the newest last."""
    dag_ids = sorted({moment.dag_id for moment in moments})
    first, last = min(moment.at for moment in moments), max(moment.at for moment in moments)
    found: dict[tuple[str, str], list[Any]] = defaultdict(list)
    for some in chunks(dag_ids):
        query = (
            select(
                GateInterval.dag_id,
                GateInterval.task_id,
                GateInterval.state,
                GateInterval.from_at,
                GateInterval.to_at,
                GateInterval.operation_id,
                Operation.actor,
                Operation.reason,
            )
            .outerjoin(Operation, Operation.id == GateInterval.operation_id)
            .where(
                GateInterval.dag_id.in_(some),
                or_(GateInterval.to_at.is_(None), and_(GateInterval.from_at <= last, GateInterval.to_at > first)),
            )
            .order_by(GateInterval.from_at, GateInterval.id)
        )
        for row in session.execute(query):
            found[row.dag_id, row.task_id].append(row)
    return found


def _cause(moment: GateMoment, intervals: dict[tuple[str, str], list[Any]]) -> Cause:
    for task_id in (moment.task_id, ANY_TASK):
        for row in reversed(intervals.get((moment.dag_id, task_id), [])):
            if row.from_at <= moment.at and (row.to_at is None or row.to_at > moment.at):
                return _as_cause(row)
    # another machine's clock: what is open is why, though it began after the run by its own account
    for task_id in (moment.task_id, ANY_TASK):
        for row in reversed(intervals.get((moment.dag_id, task_id), [])):
            if row.to_at is None:
                return _as_cause(row)
    return Cause()


def _as_cause(row: Any) -> Cause:
    known = row.actor is not None
    return Cause(row.state, row.operation_id if known else None, row.actor, row.reason)
