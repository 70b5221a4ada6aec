"""Uninstalling: everything that is ours in Airflow's tables is set right, then our own tables may go.

The order matters. First the monitor stands still, so that nothing is undone behind our back. Then the gate is opened
while it is still asked. The tables go last, when no process asks them any more: a scheduler whose gate misses its
tables could create no runs.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import delete, insert, select, update
from sqlalchemy.orm import Session

from taskops_provider.adapter import audit, dag_state, leaving, notes, runs
from taskops_provider.adapter.pools import DEFAULT_POOL
from taskops_provider.domain.gate import EFFECT_OF_POOL, SETTLED_STATE
from taskops_provider.domain.leaving import WaitingInstances
from taskops_provider.domain.states import Downstream, TaskState
from taskops_provider.exceptions import Conflict
from taskops_provider.models import GateInterval, InstanceOrder, Lease, Task, Workflow
from taskops_provider.models.db_manager import TaskOpsDBManager
from taskops_provider.services.gate.draining import stop_draining
from taskops_provider.services.gate.existing_instances import regate_held
from taskops_provider.services.gate.settle import settle
from taskops_provider.services.gate.whose_pause import own_pools, repause, unpause
from taskops_provider.services.replenishments.control import ControlVerb, control_replenishment
from taskops_provider.services.shared.actor import Actor
from taskops_provider.services.shared.locks import take_writer_lock
from taskops_provider.services.shared.monitor_life import MONITOR_LEASE, SENDER_LEASE, UNINSTALLED, monitor_life
from taskops_provider.services.shared.retries import retried
from taskops_provider.services.uninstall.plan import UninstallChoices, UninstallPlan, plan_uninstall, to_cancel

_FOR_EVER = timedelta(days=365 * 100)
#: how often what waits is settled in its turn, one after another, before the rest ends at once
_ROUNDS = 20


def uninstall(session: Session, actor: Actor, choices: UninstallChoices, now: datetime) -> UninstallPlan:
    """Do what :func:`plan_uninstall` says; return what was done. Commits after each part, and can be repeated.

    :raises Conflict: when the tables are to go and a live scheduler still asks them; nothing is changed
    """
    plan = plan_uninstall(session, choices, now)
    if choices.drop_tables and plan.gated_schedulers:
        raise Conflict(
            f"the tables cannot go while schedulers ask them: {', '.join(plan.gated_schedulers)}. Run this without "
            "--drop-tables, stop Airflow or restart all of it without the package, then drop them"
        )
    monitor = monitor_life(session, now)
    if choices.drop_tables and monitor is not None and monitor.runs and monitor.holder != UNINSTALLED:
        raise Conflict(
            f"the tables cannot go while a monitor works: {monitor.holder}. Stop the API servers and monitors, or run "
            "this without --drop-tables first"
        )
    session.rollback()
    stop_monitors(session, now)
    session.commit()
    numbers = to_cancel(session)
    session.commit()
    for number in numbers:
        control_replenishment(session, actor, number, ControlVerb.CANCEL, now, reason="TaskOps is uninstalled")
        session.commit()
    if choices.waiting is WaitingInstances.SETTLE:
        _settle_in_turn(session, now)
    open_gates(session, actor, plan)
    session.commit()
    if choices.drop_tables:
        drop_tables(session)
    return plan


def stop_monitors(session: Session, now: datetime) -> None:
    """Keep monitors and senders from working, wherever they run: they wait for a lease that does not end."""
    for name in (MONITOR_LEASE, SENDER_LEASE):
        values = {"holder": UNINSTALLED, "renewed_at": now, "expires_at": now + _FOR_EVER, "note": None}
        session.execute(delete(Lease).where(Lease.name == name).execution_options(synchronize_session=False))
        session.execute(insert(Lease).values(name=name, **values))


def stay(session: Session) -> bool:
    """Let monitors work again after an uninstallation that left the tables; tell whether there was one. The caller
    commits.
    """
    ours = delete(Lease).where(Lease.holder == UNINSTALLED).execution_options(synchronize_session=False)
    return bool(session.execute(ours).rowcount)  # type: ignore[attr-defined]


def _settle_in_turn(session: Session, now: datetime) -> None:
    """Settle what can be settled in its turn; what is held is skipped then."""
    held = {(one.dag_id, one.task_id) for one in leaving.waiting(session) if EFFECT_OF_POOL[one.pool] == "hold"}
    regate_held(session, held, Downstream.SKIP)
    session.commit()
    for _ in range(_ROUNDS):
        settled = settle(session, datetime.now(UTC))
        session.commit()
        if not settled:
            break


@retried
def open_gates(session: Session, actor: Actor, plan: UninstallPlan) -> None:
    """Let go of everything in Airflow's tables, in one transaction. The caller commits."""
    take_writer_lock(session, actor.name)
    found = leaving.waiting(session)
    touched = {one.dag_id for one in found} | set(plan.pause) | set(plan.unpause) | set(plan.draining)
    dag_state.lock_runs_and_dags(session, touched)
    now = datetime.now(UTC)
    found = leaving.waiting(session)
    executes = plan.choices.waiting is WaitingInstances.EXECUTE
    # a run that waits for its Dag stands still in Airflow as long as that is paused
    _release(session, [one for one in found if executes or one.for_dag], now)
    _end(session, [one for one in found if not executes and not one.for_dag], now)
    _set_dags_right(session, plan, now)
    _forget_states(session, now)
    leaving.delete_pools(session, plan.pools)
    entries = [(dag_id, None, {"is_paused": True, "source": actor.source}) for dag_id in plan.pause]
    entries += [(dag_id, None, {"is_paused": False, "source": actor.source}) for dag_id in plan.unpause]
    entries.append((None, None, {"stopped_tasks": list(plan.stopped_tasks[:100]), "waiting": plan.waiting}))  # type: ignore[arg-type]
    audit.write(session, event="taskops.uninstall", actor=actor.name, at=now, entries=entries)


def _release(session: Session, found: list[leaving.WaitingInstance], now: datetime) -> None:
    own = own_pools(session, {(one.dag_id, one.task_id) for one in found})
    by_pool: dict[str, list[UUID]] = defaultdict(list)
    for one in found:
        by_pool[own.get((one.dag_id, one.task_id)) or DEFAULT_POOL].append(one.id)
    for pool, ids in by_pool.items():
        runs.release_to_scheduler(session, ids, pool, now)
    notes.remove(session, [one.id for one in found])


def _end(session: Session, found: list[leaving.WaitingInstance], now: datetime) -> None:
    """End what is left, before its turn: as its effect says, held ones as skipped."""
    by_state: dict[str, list[UUID]] = defaultdict(list)
    for one in found:
        by_state[SETTLED_STATE.get(EFFECT_OF_POOL[one.pool], "skipped")].append(one.id)
    for state, ids in by_state.items():
        runs.end_waiting(session, ids, state, now)


def _set_dags_right(session: Session, plan: UninstallPlan, now: datetime) -> None:
    rows = session.execute(
        select(Workflow.dag_id, Workflow.saved_create_after).where(Workflow.draining_since.is_not(None))
    ).all()
    stop_draining(session, rows)
    repause(session, list(session.scalars(select(Workflow.dag_id).where(Workflow.woken_at.is_not(None)))), now)
    unpause(session, plan.unpause)
    dag_state.set_paused(session, plan.pause, True)


def _forget_states(session: Session, now: datetime) -> None:
    for statement in (
        update(GateInterval).where(GateInterval.to_at.is_(None)).values(to_at=now, held="run", seen_run_id=None),
        update(Task)
        .where(Task.state != TaskState.SCHEDULING.value)
        .values(state=TaskState.SCHEDULING.value, downstream=None, resume_at=None, reason=None, ticket=None),
        update(Workflow).values(default_state=TaskState.SCHEDULING.value, paused_by_us=False),
        # what people hold has been let go with the rest
        delete(InstanceOrder),
    ):
        session.execute(statement.execution_options(synchronize_session=False))


def drop_tables(session: Session) -> None:
    """Drop our tables. Commits: some databases do so anyway."""
    session.commit()
    connection = session.connection()
    TaskOpsDBManager(session).drop_tables(connection)  # type: ignore[no-untyped-call]
    session.commit()
