"""What tests do with Airflow's own machinery that differs between its versions."""

from __future__ import annotations

from typing import Any

from airflow.jobs.scheduler_job_runner import SchedulerJobRunner
from airflow.models.asset import AssetDagRunQueue, AssetEvent
from airflow.models.taskinstance import TaskInstance as TI
from airflow.models.xcom import XComModel
from sqlalchemy import Table, func, select
from sqlalchemy.orm import Session

from taskops_provider.adapter.compatibility import HAS_REGIONS


def push(ti: TI, key: str, value: Any, session: Session, *, can_be_mapped: bool = False) -> None:
    """Store an XCom as the execution API does.

    :param can_be_mapped: its length too, by which a mapped task is expanded
    """
    if HAS_REGIONS:
        length = len(value) if can_be_mapped else None
        XComModel.set_for_attempt(task_instance_id=ti.id, key=key, value=value, mapped_length=length, session=session)
        return
    names = {"dag_id": ti.dag_id, "task_id": ti.task_id, "run_id": ti.run_id, "map_index": ti.map_index}
    XComModel.set(key=key, value=value, **names, session=session)
    if can_be_mapped:
        from airflow.models.taskmap import TaskMap

        session.merge(TaskMap.from_task_instance_xcom(ti, value))


def queue_scheduled(runner: SchedulerJobRunner, session: Session, max_tis: int = 1000) -> None:
    """Have the scheduler set those scheduled instances queued that pools and limits let through."""
    if hasattr(runner, "_executable_task_instances_to_queued"):
        runner._executable_task_instances_to_queued(max_tis=max_tis, session=session)
        return
    pools, free, starved = runner._acquire_pool_capacity(max_tis, session=session)
    if free:
        runner._select_task_instances_to_queue(free, pools, starved, session=session)


def queue_asset_event(dag_id: str, asset_id: int, session: Session) -> None:
    """Have an event of an asset wait for a Dag that is scheduled by it."""
    event = {}
    if HAS_REGIONS:
        happened = AssetEvent(asset_id=asset_id, extra={})
        session.add(happened)
        session.flush()
        event = {"asset_event_id": happened.id}
    session.add(AssetDagRunQueue(target_dag_id=dag_id, asset_id=asset_id, **event))
    session.flush()


def keep_try(ti: TI, session: Session) -> TI:
    """Keep a try that ended, and return the instance for the next one."""
    if HAS_REGIONS:
        return ti.prepare_db_for_next_try(session)
    ti.prepare_db_for_next_try(session)
    return ti


def count_earlier_tries(session: Session) -> int:
    """Return how many tries Airflow has kept."""
    if HAS_REGIONS:
        table: Table = TI.__table__
        query = select(func.count()).select_from(table).where(table.c.working_set.is_(None))
    else:
        from airflow.models.taskinstancehistory import TaskInstanceHistory

        query = select(func.count()).select_from(TaskInstanceHistory)
    return session.scalar(query) or 0


def end_loop_gate(ti: TI, state: str, dag: Any, session: Session) -> None:
    """Do what the execution API does when the gate of a loop has ended: create the next iteration, or none."""
    group = dag.get_task(ti.task_id).task_group
    ti.dag_run.dag = dag
    stop = ti.region_index + 1 >= group.max_iterations if state == "success" else None
    ti.dag_run.complete_loop_gate(ti, group, state, stop=stop, reason=None, session=session)
