"""What an uninstallation would do. Changes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, inspect, select
from sqlalchemy.orm import Session

from taskops_provider.adapter import dag_state, leaving
from taskops_provider.adapter.coverage import live_schedulers
from taskops_provider.domain.alarms.deliveries import DeliveryState
from taskops_provider.domain.gate import EFFECT_OF_POOL
from taskops_provider.domain.leaving import StoppedTasks, WaitingInstances
from taskops_provider.domain.states import TaskState
from taskops_provider.models import AlarmDelivery, Replenishment, Task, Workflow, metadata
from taskops_provider.models.db_manager import TaskOpsDBManager
from taskops_provider.services.replenishments.control import ControlVerb, applies


@dataclass(frozen=True)
class UninstallChoices:
    """What somebody chose."""

    stopped: StoppedTasks = StoppedTasks.PAUSE_DAGS
    waiting: WaitingInstances = WaitingInstances.SETTLE
    drop_tables: bool = False


@dataclass(frozen=True)
class UninstallPlan:
    """What there is to do, and what will stay.

    :param stopped_tasks: ``dag_id.task_id (state)`` of tasks that are not scheduling
    :param waiting: instances in the gate, by effect
    :param pause: Dags that will be paused in Airflow
    :param unpause: Dags that will be unpaused
    :param stay_paused: Dags that TaskOps paused and that stay so
    :param gated_schedulers: live schedulers that ask the gate: they must end before the tables go
    :param connections: ids of connections of type ``taskops``, which stay
    """

    choices: UninstallChoices
    stopped_tasks: tuple[str, ...]
    waiting: dict[str, int]
    pause: tuple[str, ...]
    unpause: tuple[str, ...]
    stay_paused: tuple[str, ...]
    draining: tuple[str, ...]
    replenishments: tuple[int, ...]
    messages: int
    pools: tuple[str, ...]
    tables: tuple[str, ...]
    gated_schedulers: tuple[str, ...]
    connections: tuple[str, ...]


def plan_uninstall(session: Session, choices: UninstallChoices, now: datetime) -> UninstallPlan:
    """Look at what there is. A constant number of queries."""
    stopped = session.execute(
        select(Task.dag_id, Task.task_id, Task.state)
        .where(Task.state != TaskState.SCHEDULING.value, Task.is_present.is_(True))
        .order_by(Task.dag_id, Task.task_id)
    ).all()
    workflows = session.execute(
        select(Workflow.dag_id, Workflow.draining_since, Workflow.woken_at, Workflow.paused_by_us).where(
            Workflow.draining_since.is_not(None) | Workflow.woken_at.is_not(None) | Workflow.paused_by_us.is_(True)
        )
    ).all()
    ours = {row.dag_id for row in workflows if row.paused_by_us and row.woken_at is None}
    woken = {row.dag_id for row in workflows if row.woken_at is not None}
    draining = {row.dag_id for row in workflows if row.draining_since is not None}
    to_pause = set(woken)
    if choices.stopped is StoppedTasks.PAUSE_DAGS:
        to_pause |= draining | {row.dag_id for row in stopped}
    paused = dag_state.paused_dags(session, to_pause | ours)
    unpauses = ours & paused if choices.stopped is StoppedTasks.EXECUTE else set()
    waiting = leaving.count_waiting(session)
    messages = select(func.count()).where(AlarmDelivery.state == DeliveryState.WAITING.value)
    schedulers = [one for one in live_schedulers(session, now) if one.version is not None]
    return UninstallPlan(
        choices=choices,
        stopped_tasks=tuple(f"{row.dag_id}.{row.task_id} ({row.state})" for row in stopped),
        waiting={EFFECT_OF_POOL[pool].value: number for pool, number in sorted(waiting.items())},
        pause=tuple(sorted(to_pause - paused)),
        unpause=tuple(sorted(unpauses)),
        stay_paused=tuple(sorted((ours & paused) - unpauses)),
        draining=tuple(sorted(draining)),
        replenishments=tuple(to_cancel(session)),
        messages=session.scalar(messages) or 0,
        pools=tuple(leaving.pools(session)),
        tables=_tables(session),
        gated_schedulers=tuple(f"{one.host} (job {one.job_id})" for one in schedulers),
        connections=tuple(leaving.connections(session)),
    )


def to_cancel(session: Session) -> list[int]:
    """Return the numbers of replenishments that go on. One query."""
    query = select(Replenishment.id, Replenishment.state).where(Replenishment.ended_at.is_(None))
    rows = session.execute(query.order_by(Replenishment.id)).all()
    return [row.id for row in rows if applies(ControlVerb.CANCEL, row.state, has_ended=False)]


def _tables(session: Session) -> tuple[str, ...]:
    there = set(inspect(session.connection()).get_table_names())
    return tuple(sorted(there & {*metadata.tables, TaskOpsDBManager.version_table_name}))
