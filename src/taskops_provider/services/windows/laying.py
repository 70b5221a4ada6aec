"""Laying windows ahead: their occurrences as gate intervals, so that nobody need be there when one begins or ends."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from itertools import islice
from typing import Any

from sqlalchemy import delete, insert, or_, select, update
from sqlalchemy.orm import Session

from taskops_provider.adapter.dag_state import highest_run_ids
from taskops_provider.domain.chunks import chunks
from taskops_provider.domain.states import TaskState
from taskops_provider.domain.windows.kinds import WindowPurpose
from taskops_provider.domain.windows.scope import DagPlace
from taskops_provider.domain.windows.times import MOST_OCCURRENCES, Occurrence, Times, merged
from taskops_provider.inputs.windows.window import WindowDefinition
from taskops_provider.models import GateInterval, Window
from taskops_provider.services.shared.actor import MONITOR
from taskops_provider.services.shared.locks import take_writer_lock
from taskops_provider.services.shared.task_keys import TaskKey
from taskops_provider.services.windows.places import dag_places
from taskops_provider.services.windows.stored import there, window_of

#: so far ahead, and so many of a window, but at least the next one
AHEAD = timedelta(days=14)
MOST_AHEAD = 100
#: rows that a window lays ahead; one on more than half as many tasks lays two times, so that one is there while the
#: monitor lays the next
MOST_ROWS = 2000
#: what is laid is looked at again no sooner
_SOONEST = timedelta(minutes=1)

#: dag_id, task_id, end, effect, begin (None: it is open)
_Key = tuple[str, str, datetime, str, datetime | None]


@dataclass(frozen=True, slots=True)
class _Plan:
    occurrences: list[Occurrence]
    again_at: datetime | None


def plan_ahead(times: Times, now: datetime, keys: int = 1) -> _Plan:
    """Return the occurrences to lay, and when to look again.

    :param keys: rows that each takes
    """
    most = max(2, min(MOST_AHEAD, MOST_ROWS // max(keys, 1)))
    found: list[Occurrence] = []
    for one in merged(islice(times.occurrences(now), MOST_OCCURRENCES)):
        if found and (one.begin > now + AHEAD or len(found) >= most):
            reach = min(one.begin - now, AHEAD)
            return _Plan(found, now + max(reach / 2, _SOONEST))
        found.append(one)
    return _Plan(found, None)


def lay(
    session: Session, row: Window, window: WindowDefinition, now: datetime, places: Collection[DagPlace] | None = None
) -> bool:
    """Make the intervals of a window what it says; tell whether anything changed. The caller commits.

    What is open and no longer wanted ends now; what lies ahead goes. A constant number of queries for each 400 rows.

    :param places: of all Dags, where they are known
    """
    keys = _keys(session, row, window, places)
    plan = plan_ahead(window.times, now, len(keys)) if keys and window.times is not None else _Plan([], None)
    row.laid_for, row.lay_again_at = digest_of(keys), plan.again_at
    effect = window.downstream.value if window.downstream else ""
    wanted = {_key(key, one, effect, now): (key, one) for one in plan.occurrences for key in sorted(keys)}
    surplus: list[Any] = []
    for found in _laid(session, row.id, now):
        key = (found.dag_id, found.task_id)
        if wanted.pop(_key(key, Occurrence(found.from_at, found.to_at), found.downstream, now), None) is None:
            surplus.append(found)
    _take_away(session, surplus, now)
    _insert(session, row.id, effect, list(wanted.values()), now)
    return bool(surplus or wanted)


def _keys(session: Session, row: Window, window: WindowDefinition, places: Collection[DagPlace] | None) -> set[TaskKey]:
    if not (window.pauses and window.enabled and row.deleted_at is None and window.problem is None):
        return set()
    if places is None:
        places = dag_places(session, [window.scope]) if window.scope.is_open else ()
    return window.scope.keys(places)


def digest_of(keys: Collection[TaskKey]) -> str:
    """Return a digest of what a window is laid for."""
    return sha256(repr(sorted(keys)).encode()).hexdigest()


def _key(key: TaskKey, one: Occurrence, effect: str, now: datetime) -> _Key:
    return (*key, one.end, effect, one.begin if one.begin > now else None)


def _laid(session: Session, window_id: int, now: datetime) -> Sequence[Any]:
    query = select(
        GateInterval.id,
        GateInterval.dag_id,
        GateInterval.task_id,
        GateInterval.from_at,
        GateInterval.to_at,
        GateInterval.downstream,
        GateInterval.by_cycle,
    ).where(
        GateInterval.window_id == window_id,
        # a cycle that is due may have no run yet
        or_(GateInterval.to_at > now, GateInterval.by_cycle.is_(True)),
    )
    return session.execute(query).all()


def _take_away(session: Session, rows: Sequence[Any], now: datetime) -> None:
    ahead = {row.id for row in rows if row.from_at > now or row.by_cycle}
    for some in chunks(sorted(ahead)):
        session.execute(delete(GateInterval).where(GateInterval.id.in_(some)))
    for some in chunks([row.id for row in rows if row.id not in ahead]):
        ended = update(GateInterval).where(GateInterval.id.in_(some)).values(to_at=now, seen_run_id=None)
        session.execute(ended.execution_options(synchronize_session=False))


def _insert(
    session: Session, window_id: int, effect: str, wanted: Sequence[tuple[TaskKey, Occurrence]], now: datetime
) -> None:
    if not wanted:
        return
    # runs that are being made while an open one is laid are looked for afterwards
    seen = highest_run_ids(session, {key[0] for key, one in wanted if key[0] and one.begin <= now})
    rows = [
        {
            "dag_id": dag_id,
            "task_id": task_id,
            "state": TaskState.PAUSED.value,
            "downstream": effect,
            "from_at": max(one.begin, now),
            "to_at": one.end,
            "window_id": window_id,
            "seen_run_id": seen.get(dag_id, 0) if dag_id and one.begin <= now else None,
        }
        for (dag_id, task_id), one in wanted
    ]
    session.execute(insert(GateInterval.__table__), rows)  # type: ignore[arg-type]


def windows_to_lay(session: Session, now: datetime) -> list[int]:
    """Return the windows of which more has to be laid, or for other Dags. Three queries, whatever their number."""
    found = [
        (row, window_of(row))
        for row in session.scalars(there().where(Window.pauses.is_(True), Window.purpose == WindowPurpose.WINDOW.value))
    ]
    scopes = [window.scope for _, window in found if window.scope.is_open and not window.scope.everything]
    places = dag_places(session, scopes) if scopes else []
    due = []
    for row, window in found:
        is_due = row.lay_again_at is not None and row.lay_again_at <= now
        if is_due or digest_of(_keys(session, row, window, places)) != row.laid_for:
            due.append(row.id)
    return sorted(due)


def lay_window(session: Session, window_id: int, now: datetime) -> bool:
    """Lay one window; tell whether anything changed. The caller commits."""
    take_writer_lock(session, MONITOR.name)
    row = session.scalar(there().where(Window.id == window_id))
    return row is not None and lay(session, row, window_of(row), now)
