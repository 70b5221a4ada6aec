"""Workers and the triggerer: they take, end, defer and reschedule by the functions of Airflow's Execution API.

How a try ends is written in the script, by task and number of the try: the order of events does not change it.
"""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

from airflow._shared.timezones import timezone
from airflow.api_fastapi.execution_api.datamodels import taskinstance as payloads
from airflow.api_fastapi.execution_api.routes import task_instances as execution_api
from airflow.models.taskinstance import TaskInstance as TI
from airflow.models.trigger import Trigger
from airflow.triggers.base import TriggerEvent
from airflow.utils.state import TaskInstanceState
from fastapi import HTTPException
from sqlalchemy import select
from sqlalchemy.orm import Session

from tests.simulation.actors import actor
from tests.simulation.dags import TaskSpec
from tests.simulation.world import Execution, World
from tests.support.versions import push

_TOKEN: Any = SimpleNamespace(claims=SimpleNamespace(scope="execution"))
_RETRY = payloads.IntermediateTIState.UP_FOR_RETRY


@actor("api")
def take(world: World, n: int = 1, last: bool = False) -> None:
    """Begin to execute what was handed to the executor."""
    for _ in range(min(n, len(world.executor.handed))):
        _take(world, world.executor.handed.pop(-1 if last else 0))


@actor("api")
def finish(world: World, n: int = 1, last: bool = False) -> None:
    """Go on with what is executing: to the end of the try, or to where it defers or reschedules itself."""
    for _ in range(min(n, len(world.running))):
        _finish(world, world.running.pop(-1 if last else 0))


@actor("api")
def work(world: World, n: int = 1) -> None:
    """Take and finish."""
    for _ in range(min(n, len(world.executor.handed))):
        if _take(world, world.executor.handed.pop(0)):
            _finish(world, world.running.pop())


@actor("api")
def fire(world: World) -> None:
    """Let the triggers of everything deferred fire."""
    with world.session() as session:
        query = select(TI.trigger_id).where(TI.state == TaskInstanceState.DEFERRED, TI.trigger_id.is_not(None))
        for trigger_id in session.scalars(query.order_by(TI.trigger_id)).all():
            Trigger.submit_event(trigger_id, TriggerEvent(None), session=session)


def _take(world: World, handed: Any) -> bool:
    payload = payloads.TIEnterRunningPayload(
        state="running", hostname="worker", unixname="airflow", pid=1, start_date=timezone.utcnow()
    )
    try:
        with world.session() as session:
            execution_api.ti_run(
                handed.id, payload, SimpleNamespace(headers={}), session, world.api_dags, services=None, token=_TOKEN
            )
    except HTTPException:
        _tell_executor(world, handed, "failed")
        return False
    execution = Execution(
        world.event, handed.dag_id, handed.run_id, handed.task_id, handed.map_index, handed.try_number, handed.id
    )
    world.running.append(execution)
    world.executions.append(execution)
    return True


def _finish(world: World, execution: Execution) -> None:
    task = world.task(execution.dag_id, execution.task_id) or TaskSpec(execution.task_id)
    end = _next_end(world, task, execution)
    execution.end = end
    try:
        with world.session() as session:
            _write_end(world, session, task, execution, end)
    except HTTPException:
        execution.end = "lost"
        _tell_executor(world, execution, "failed")


def _next_end(world: World, task: TaskSpec, execution: Execution) -> str:
    """How the try goes on. ``ends`` holds one entry a try; those in between belong to the try that follows."""
    tries: list[list[str]] = [[]]
    for end in task.ends:
        tries[-1].append(end)
        if end in ("success", "failed", "skipped"):
            tries.append([])
    tries = [each for each in tries if each] or [["success"]]
    own = tries[min(execution.try_number, len(tries)) - 1]
    key = (execution.run_id, execution.task_id, execution.map_index, execution.try_number, execution.dag_id)
    done = world.steps_done.get(key, 0)
    world.steps_done[key] = done + 1
    end = own[min(done, len(own) - 1)]
    return end if end in ("success", "failed", "skipped") or done < len(own) - 1 else "success"


def _write_end(world: World, session: Session, task: TaskSpec, execution: Execution, end: str) -> None:
    now = timezone.utcnow()
    payload: Any
    if end == "deferred":
        payload = payloads.TIDeferredStatePayload(
            state="deferred", classpath=_TRIGGER, trigger_kwargs="{}", next_method="execute", next_kwargs={}
        )
    elif end == "rescheduled":
        payload = payloads.TIRescheduleStatePayload(
            state="up_for_reschedule", reschedule_date=now + timedelta(seconds=5), end_date=now
        )
    elif end == "failed":
        may_retry = session.execute(select(TI.try_number, TI.max_tries).where(TI.id == execution.ti_id)).first()
        if may_retry is not None and may_retry.try_number <= may_retry.max_tries and may_retry.max_tries > 0:
            payload = payloads.TIRetryStatePayload(state=_RETRY, end_date=now)
        else:
            payload = payloads.TITerminalStatePayload(state="failed", end_date=now)
    elif end == "skipped":
        payload = payloads.TITerminalStatePayload(state="skipped", end_date=now)
    else:
        _push_results(session, world, task, execution)
        payload = payloads.TISuccessStatePayload(state="success", end_date=now, **_outlets(task))
    execution_api.ti_update_state(execution.ti_id, payload, session, world.api_dags)


_TRIGGER = "airflow.providers.standard.triggers.temporal.TimeDeltaTrigger"


def _outlets(task: TaskSpec) -> dict[str, Any]:
    if not task.outlet:
        return {}
    return {"task_outlets": [{"name": task.outlet, "uri": task.outlet, "type": "Asset"}], "outlet_events": []}


def _push_results(session: Session, world: World, task: TaskSpec, execution: Execution) -> None:
    """What the worker stores before it ends: the result, which others map over, and what a branch chose."""
    ti = session.get(TI, execution.ti_id)
    if ti is None:
        return
    spec = world.spec(execution.dag_id)
    values: dict[str, Any] = {"return_value": [str(i) for i in range(task.indexes)]}
    skipped: list[str] = []
    below = sorted(t.id for t in spec.tasks if task.id in t.upstream and t.kind != "teardown")
    if task.kind == "branch":
        followed = [t for t in below if t in task.chooses] or below[:1]
        values = {"return_value": followed, "skipmixin_key": {"followed": followed}}
        skipped = [t for t in below if t not in followed]
    elif task.kind == "short" and not task.chooses:
        values = {"return_value": False, "skipmixin_key": {"skipped": below}}
        skipped = below
    is_mapped_over = any(t.kind == "fans" and t.upstream[:1] == (task.id,) for t in spec.tasks)
    for key, value in values.items():
        push(ti, key, value, session, can_be_mapped=key == "return_value" and is_mapped_over)
    session.flush()
    if skipped:
        execution_api.ti_skip_downstream(
            execution.ti_id, payloads.TISkippedDownstreamTasksStatePayload(tasks=skipped), session
        )


def _tell_executor(world: World, ti: Any, state: str) -> None:
    """The process of the worker has ended with an error: what it asked of Airflow was refused."""
    from airflow.models.taskinstancekey import TaskInstanceKey

    key = TaskInstanceKey(ti.dag_id, ti.task_id, ti.run_id, ti.try_number, ti.map_index)
    world.executor.event_buffer[key] = (TaskInstanceState(state), None)
