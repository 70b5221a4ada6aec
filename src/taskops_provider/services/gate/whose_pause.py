"""Whose pause a Dag's is: a person's, ours (a drained workflow), and none while a replenishment has it woken.

A Dag that is paused may be unpaused only so that a replenishment can execute its runs: it is *woken*. For people it
stays paused, so a start unpauses it for good, and its other new runs wait in the gate (``policies.foreign``). If
somebody pauses a woken Dag, that is a pause of theirs, and no automatic act lifts it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, and_, or_, select, update
from sqlalchemy.orm import Session

from taskops_provider.adapter import audit, dag_state, notes, pools, runs
from taskops_provider.models import Task, Workflow
from taskops_provider.services.shared.actor import MONITOR
from taskops_provider.services.shared.task_keys import TaskKey, chunks, is_one_of


def paused_or_woken_dags(session: Session, dag_ids: Collection[str]) -> set[str]:
    """Return those of the Dags that are paused, or that people drain in Airflow, which then pauses them.

    Woken ones are included.
    """
    return dag_state.paused_dags(session, dag_ids) | woken(session, dag_ids) | _drained_by_users(session, dag_ids)


def _drained_by_users(session: Session, dag_ids: Collection[str]) -> set[str]:
    """Return those of the Dags that drain in Airflow, but not because TaskOps drains their workflows."""
    found = dag_state.draining_dags(session, dag_ids)
    if not found:
        return found
    ours = select(Workflow.dag_id).where(
        Workflow.dag_id.in_(found), Workflow.draining_since.is_not(None), Workflow.paused_by_us.is_(True)
    )
    return found - set(session.scalars(ours))


def user_paused_dags(session: Session, dag_ids: Collection[str]) -> set[str]:
    """Return those of the Dags whose pause is a person's, woken ones included: no automatic act lifts it."""
    ours = select(Workflow.dag_id).where(Workflow.dag_id.in_(dag_ids), Workflow.paused_by_us.is_(True))
    return paused_or_woken_dags(session, dag_ids) - set(session.scalars(ours))


def woken(session: Session, dag_ids: Collection[str]) -> set[str]:
    """Return those of the Dags that are unpaused for a replenishment only."""
    return set(woken_since(session, dag_ids))


def woken_since(session: Session, dag_ids: Collection[str]) -> dict[str, datetime]:
    """Return since when Dags are unpaused for a replenishment only; the others are missing."""
    query = select(Workflow.dag_id, Workflow.woken_at).where(
        Workflow.dag_id.in_(dag_ids), Workflow.woken_at.is_not(None)
    )
    return {dag_id: since for dag_id, since in session.execute(query) if since is not None}


def pause_as_taskops(session: Session, dag_ids: Collection[str]) -> None:
    """Pause Dags, and remember that no person did."""
    _switch(session, dag_ids, paused=True, by_us=True)


def mark_as_ours(session: Session, dag_ids: Collection[str]) -> None:
    """Remember that no person paused Dags, or drains them."""
    if dag_ids:
        _set(session, dag_ids, paused_by_us=True)


def mark_as_theirs(session: Session, dag_ids: Collection[str]) -> None:
    """Remember that people paused Dags."""
    if dag_ids:
        _set(session, dag_ids, paused_by_us=False)


def pause_as_user(session: Session, dag_ids: Collection[str]) -> None:
    """Pause Dags as a person had them, which an undo restores."""
    _switch(session, dag_ids, paused=True, by_us=False)


def unpause(session: Session, dag_ids: Collection[str]) -> None:
    """Unpause Dags for everybody."""
    _switch(session, dag_ids, paused=False, by_us=False)


def _switch(session: Session, dag_ids: Collection[str], *, paused: bool, by_us: bool) -> None:
    if not dag_ids:
        return
    dag_state.set_paused(session, dag_ids, paused)
    forget_woken(session, woken(session, dag_ids))
    _set(session, dag_ids, paused_by_us=by_us)


def unpause_temporarily(session: Session, dag_id: str, now: datetime) -> None:
    """Unpause a paused Dag for a replenishment only. Its next scheduled run is taken away, as while draining."""
    planned = dag_state.planned_runs(session, [dag_id])
    dag_state.stop_planned_runs(session, [dag_id])
    dag_state.set_paused(session, [dag_id], False)
    _set(session, [dag_id], woken_at=now, saved_create_after=planned.get(dag_id))
    _audit(session, "taskops.woken", [dag_id], False, now)


def repause(session: Session, dag_ids: Collection[str], now: datetime) -> None:
    """Pause woken Dags again: whose pause it is stays as it was."""
    if not dag_ids:
        return
    dag_state.set_paused(session, dag_ids, True)
    forget_woken(session, dag_ids)
    _audit(session, "taskops.paused_again", dag_ids, True, now)


def forget_woken(session: Session, dag_ids: Collection[str]) -> None:
    """End the waking of Dags, and give them back their next run."""
    if not dag_ids:
        return
    query = select(Workflow.dag_id, Workflow.saved_create_after).where(Workflow.dag_id.in_(dag_ids))
    for dag_id, planned in session.execute(query).all():
        if planned is not None:
            dag_state.give_back_planned_run(session, dag_id, planned)
    _set(session, dag_ids, woken_at=None, saved_create_after=None)


def lifted_in_airflow() -> ColumnElement[bool]:
    """The condition that we paused a Dag and somebody unpaused it in Airflow, of ``Workflow`` joined with Airflow's."""
    is_paused = dag_state.dag_table().c.is_paused
    return and_(
        Workflow.paused_by_us.is_(True),
        Workflow.woken_at.is_(None),
        Workflow.draining_since.is_(None),
        is_paused.is_(False),
    )


def forget_lifted_pauses(session: Session) -> bool:
    """Forget that a pause is ours where somebody unpaused the Dag: the next one is theirs. Tell whether there were any.

    Hold the writer lock.
    """
    dag = dag_state.dag_table()
    query = select(Workflow.dag_id).join(dag, dag.c.dag_id == Workflow.dag_id).where(lifted_in_airflow())
    unpaused = set(session.scalars(query))
    if unpaused:
        _set(session, unpaused, paused_by_us=False)
    return bool(unpaused)


def adopt_manual_pauses(session: Session) -> set[str]:
    """Return the woken Dags that somebody has paused, and take their pause for theirs."""
    query = select(Workflow.dag_id).where(Workflow.woken_at.is_not(None))
    found = dag_state.paused_dags(session, set(session.scalars(query)))
    if found:
        forget_woken(session, found)
        _set(session, found, paused_by_us=False)
    return found


def foreign_runs_to_release(session: Session) -> list[tuple[UUID, str, str]]:
    """Return what waited for its Dag, which is unpaused for everybody now, as (id, dag_id, task_id).

    One query if nothing waits.
    """
    held = runs.held_for_dag(session)
    if not held:
        return []
    stopped = set(
        session.scalars(
            select(Workflow.dag_id).where(
                Workflow.dag_id.in_({dag_id for _, dag_id, _ in held}),
                or_(Workflow.woken_at.is_not(None), Workflow.draining_since.is_not(None)),
            )
        )
    )
    return [one for one in held if one[1] not in stopped]


def release_foreign_runs(session: Session, now: datetime, *, of: Collection[str] | None = None) -> int:
    """Let go the runs that waited until their Dag was unpaused for everybody; return how many instances.

    Hold the writer lock. The caller commits.

    :param of: those of some Dags only
    """
    free = [one for one in foreign_runs_to_release(session) if of is None or one[1] in of]
    if not free:
        return 0
    own = own_pools(session, {(dag_id, task_id) for _, dag_id, task_id in free})
    by_pool: dict[str, list[UUID]] = defaultdict(list)
    for ti_id, dag_id, task_id in free:
        by_pool[own.get((dag_id, task_id)) or pools.DEFAULT_POOL].append(ti_id)
    released = sum(runs.release_to_scheduler(session, ids, pool, now) for pool, ids in by_pool.items())
    notes.remove(session, [ti_id for ti_id, _, _ in free])
    return released


def own_pools(session: Session, pairs: Collection[TaskKey]) -> dict[TaskKey, str | None]:
    """Return the pools that tasks have in their Dags."""
    found: dict[TaskKey, str | None] = {}
    for chunk in chunks(pairs):
        query = select(Task.dag_id, Task.task_id, Task.pool).where(is_one_of(Task.dag_id, Task.task_id, chunk))
        found.update({(row.dag_id, row.task_id): row.pool for row in session.execute(query)})
    return found


def _set(session: Session, dag_ids: Collection[str], **values: object) -> None:
    session.execute(
        update(Workflow).where(Workflow.dag_id.in_(dag_ids)).values(values).execution_options(synchronize_session=False)
    )


def _audit(session: Session, event: str, dag_ids: Collection[str], paused: bool, now: datetime) -> None:
    audit.write(
        session,
        event=event,
        actor=MONITOR.name,
        at=now,
        entries=[(dag_id, None, {"is_paused": paused}) for dag_id in sorted(dag_ids)],
    )
