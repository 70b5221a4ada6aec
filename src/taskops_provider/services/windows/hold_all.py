"""Hold everything, or a project, after an outage, and release it in waves.

Holding is a window that began long ago and ends when somebody says so: it covers runs that are there already, those
that are created meanwhile, and runs of replenishments. What has not begun in runs that are there waits in the gate too;
what runs in a worker or is deferred goes on.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from taskops_provider.adapter import dag_state, instance_orders, runs
from taskops_provider.domain.chunks import chunks
from taskops_provider.domain.gate import ANY_TASK
from taskops_provider.domain.states import Downstream
from taskops_provider.domain.windows.kinds import WindowKind, WindowPurpose
from taskops_provider.domain.windows.scope import ANY_DAG, WindowScope
from taskops_provider.domain.windows.times import ALWAYS, UNTIL_RELEASED, Once
from taskops_provider.exceptions import Conflict, Forbidden, ResourceNotFound
from taskops_provider.inputs.windows.holding import HoldAll, ReleaseAll
from taskops_provider.inputs.windows.window import WindowDefinition
from taskops_provider.models import GateInterval, Window
from taskops_provider.services.shared.actor import Actor
from taskops_provider.services.shared.locks import take_writer_lock
from taskops_provider.services.shared.retries import retried
from taskops_provider.services.windows.answers import HeldOrReleased
from taskops_provider.services.windows.changes import check_scope
from taskops_provider.services.windows.places import dag_places
from taskops_provider.services.windows.recorded import record_change
from taskops_provider.services.windows.stored import fill_row, new_row, there, window_of

#: the state of such intervals: unlike a pause it also stops what a replenishment executes
HELD = "held"
_NEEDS = "holding and releasing everything, or a project, needs the permission to edit every Dag"


@retried
def hold_all(session: Session, actor: Actor, asked: HoldAll, now: datetime) -> HeldOrReleased:
    """Hold everything, or a project, until it is released. The caller commits.

    :raises Forbidden: unless the actor may edit every Dag, and change the instances that would wait
    :raises BadInput: for a project that does not exist
    :raises Conflict: if it is held already
    """
    scope = _scope(session, actor, asked.project)
    take_writer_lock(session, actor.name)
    if any(window_of(row).scope == scope for row in _held(session, asked.project)):
        raise Conflict(f"{_words(asked.project)} is held already; release it first")
    dag_ids = sorted(place.dag_id for place in dag_places(session, [scope]) if scope.covers_dag(place))
    dag_state.lock_runs_and_dags(session, dag_ids)
    definition = WindowDefinition(
        name=f"hold of {_words(asked.project)}",
        kinds=(WindowKind.PAUSE, WindowKind.NO_REPLENISH),
        downstream=Downstream.HOLD,
        scope=scope,
        times=Once(ALWAYS, UNTIL_RELEASED),
        written={"begin": ALWAYS.isoformat(), "end": UNTIL_RELEASED.isoformat()},
        reason=asked.reason,
        enabled=True,
    )
    row = new_row(definition, actor.recorded_name, now, WindowPurpose.HOLD_ALL)
    session.add(row)
    session.flush()
    _lay(session, row.id, dag_ids, everything=scope.everything)
    held = _hold_what_has_not_begun(session, actor, dag_ids, now)
    operation = record_change(
        session, actor, "hold-all", scope, now, reason=asked.reason, options={"window_id": row.id, "instances": held}
    )
    return HeldOrReleased([row.id], operation.id, len(dag_ids), held, None)


def _scope(session: Session, actor: Actor, project: str | None) -> WindowScope:
    if not actor.permissions.may_change_settings():
        raise Forbidden(_NEEDS)
    scope = WindowScope(projects=(project,)) if project else WindowScope(everything=True)
    check_scope(session, actor, scope)
    return scope


def _words(project: str | None) -> str:
    return f"project {project}" if project else "everything"


def _lay(session: Session, window_id: int, dag_ids: Sequence[str], *, everything: bool) -> None:
    # an interval for each Dag, so that each can be released by itself; one more for Dags to come
    seen = dag_state.highest_run_ids(session, dag_ids)
    rows = [
        {
            "dag_id": dag_id,
            "task_id": ANY_TASK,
            "state": HELD,
            "downstream": Downstream.HOLD.value,
            "from_at": ALWAYS,
            "to_at": UNTIL_RELEASED,
            "window_id": window_id,
            "seen_run_id": seen.get(dag_id, 0) if dag_id != ANY_DAG else None,
        }
        for dag_id in [*dag_ids, *([ANY_DAG] if everything else [])]
    ]
    if rows:
        session.execute(insert(GateInterval.__table__), rows)  # type: ignore[arg-type]


def _hold_what_has_not_begun(session: Session, actor: Actor, dag_ids: Collection[str], now: datetime) -> int:
    unfinished = runs.unfinished_runs(session, dag_ids, lock=True)
    waiting = [
        ti
        for ti in runs.unfinished(session, unfinished, held=False)
        # what waits for its Dag waits already
        if ti.state not in runs.AT_WORK_STATES and ti.pool not in runs.GATED_POOLS
    ]
    # what somebody holds by itself goes on being held when that is released
    instance_orders.gate_under_hold(session, unfinished, None, Downstream.HOLD, now)
    for dag_id in sorted({ti.dag_id for ti in waiting}):
        if not actor.permissions.may_change_instances(dag_id):
            raise Forbidden("instances would be held of Dags whose task instances you may not change")
    return runs.hold_unstarted(session, [ti.id for ti in waiting], now)


@retried
def release_all(session: Session, actor: Actor, asked: ReleaseAll, now: datetime) -> HeldOrReleased:
    """Release what :func:`hold_all` holds: at once, or so many workflows at a time. The caller commits.

    When each wave goes is written down now: nobody need be there later but the monitor, which hands over what waits.

    :raises Forbidden: unless the actor may edit every Dag
    :raises ResourceNotFound: if nothing is held
    """
    _scope(session, actor, asked.project)
    take_writer_lock(session, actor.name)
    held = _held(session, asked.project)
    if not held:
        raise ResourceNotFound(f"{_words(asked.project)} is not held")
    numbers = [row.id for row in held]
    query = select(GateInterval.dag_id).where(GateInterval.window_id.in_(numbers), GateInterval.to_at > now)
    dag_ids = sorted(set(session.scalars(query)) - {ANY_DAG})
    size = asked.wave or max(len(dag_ids), 1)
    # nothing but the intervals of the Dags themselves holds from now on
    _end(session, numbers, [ANY_DAG], now)
    last = now
    for number, wave in enumerate(dag_ids[start : start + size] for start in range(0, len(dag_ids), size)):
        last = now + timedelta(minutes=asked.every_minutes) * number
        _end(session, numbers, wave, last)
    for row in held:
        window = window_of(row)
        written = {"begin": ALWAYS.isoformat(), "end": last.isoformat()}
        ended = WindowDefinition(
            window.name, window.kinds, window.downstream, window.scope, Once(ALWAYS, last), written, window.reason, True
        )
        fill_row(row, ended, actor.recorded_name, now)
    options = {"window_id": numbers[0], "workflows": len(dag_ids), "wave": size, "every_minutes": asked.every_minutes}
    scope = WindowScope(projects=(asked.project,)) if asked.project else WindowScope(everything=True)
    operation = record_change(session, actor, "release-all", scope, now, reason=asked.reason, options=options)
    return HeldOrReleased(numbers, operation.id, len(dag_ids), 0, last)


def _end(session: Session, numbers: Collection[int], dag_ids: Collection[str], at: datetime) -> None:
    for some in chunks(dag_ids):
        statement = update(GateInterval).where(GateInterval.window_id.in_(numbers), GateInterval.dag_id.in_(some))
        session.execute(statement.values(to_at=at).execution_options(synchronize_session=False))


def _held(session: Session, project: str | None) -> list[Window]:
    """What is held and not released yet: of a project, or all of it where none is named."""
    rows = session.scalars(there().where(Window.purpose == WindowPurpose.HOLD_ALL.value)).all()
    found = []
    for row in rows:
        window = window_of(row)
        is_open = isinstance(window.times, Once) and window.times.end >= UNTIL_RELEASED
        if is_open and (project is None or project in window.scope.projects):
            found.append(row)
    return found
