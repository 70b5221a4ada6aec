"""Why an instance is gated: the gate interval in force when its run was made, and the operation behind it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import Session

from taskops_provider.adapter.runs import Run
from taskops_provider.domain.chunks import chunks
from taskops_provider.domain.gate import ANY_TASK, Cause, effects, strictest
from taskops_provider.domain.states import OUT_OF_SERVICE
from taskops_provider.domain.windows.scope import ANY_DAG
from taskops_provider.models import GateInterval, Operation, Replenishment, ReplenishmentRun, Window
from taskops_provider.services.shared.window_pauses import until_words


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
                GateInterval.downstream,
                GateInterval.window_id,
                GateInterval.by_cycle,
                Operation.actor,
                func.coalesce(Operation.reason, Window.reason).label("reason"),
                Window.name.label("window"),
            )
            .outerjoin(Operation, Operation.id == GateInterval.operation_id)
            .outerjoin(Window, Window.id == GateInterval.window_id)
            .where(
                GateInterval.dag_id.in_([*some, ANY_DAG]),
                or_(
                    GateInterval.to_at.is_(None),
                    and_(GateInterval.from_at <= last, or_(GateInterval.to_at > first, GateInterval.by_cycle)),
                ),
            )
            .order_by(GateInterval.from_at, GateInterval.id)
        )
        for row in session.execute(query):
            found[row.dag_id, row.task_id].append(row)
    return found


def _cause(moment: GateMoment, intervals: dict[tuple[str, str], list[Any]]) -> Cause:
    operation = _by_operation(moment, intervals, open_now=False)
    window = _by_window(moment, intervals)
    if operation is not None and not _is_stricter(window, operation):
        return _as_cause(operation)
    if window is not None:
        return _as_cause(window)
    # another machine's clock: what is open is why, though it began after the run by its own account
    operation = _by_operation(moment, intervals, open_now=True)
    return Cause() if operation is None else _as_cause(operation)


def _by_operation(moment: GateMoment, intervals: dict[tuple[str, str], list[Any]], *, open_now: bool) -> Any:
    for task_id in (moment.task_id, ANY_TASK):
        for row in reversed(intervals.get((moment.dag_id, task_id), [])):
            if row.window_id is not None:
                continue
            if row.to_at is None if open_now else _covers(row, moment):
                return row
    return None


def _by_window(moment: GateMoment, intervals: dict[tuple[str, str], list[Any]]) -> Any:
    """The strictest window; cycles that are left out are told of where nothing else is why."""
    keys = ((moment.dag_id, moment.task_id), (moment.dag_id, ANY_TASK), (ANY_DAG, ANY_TASK))
    found = [row for key in keys for row in intervals.get(key, []) if row.window_id is not None]
    covering = [row for row in found if not row.by_cycle and _covers(row, moment)]
    best = next((row for row in covering if row.downstream == _strictest_of(covering)), None)
    # such a run is created some time after it was due
    return best or next((row for row in reversed(found) if row.by_cycle and row.from_at <= moment.at), None)


def _covers(row: Any, moment: GateMoment) -> bool:
    return row.from_at <= moment.at and (row.to_at is None or row.to_at > moment.at)


def _strictest_of(rows: Iterable[Any]) -> str | None:
    # one that this version does not know holds
    return strictest(*(effects([("", row.downstream)])[""] for row in rows))


def _is_stricter(window: Any, operation: Any) -> bool:
    if window is None or operation.state in OUT_OF_SERVICE or window.downstream == operation.downstream:
        return False
    return bool(_strictest_of([window, operation]) == window.downstream)


def _as_cause(row: Any) -> Cause:
    known = row.actor is not None
    number = row.operation_id if known else None
    if row.window_id is None:
        return Cause(row.state, number, row.actor, row.reason)
    until = None if row.by_cycle else until_words(row.to_at)
    # of a window that was deleted nothing but its number is left
    return Cause(row.state, None, None, row.reason, row.window or str(row.window_id), until)
