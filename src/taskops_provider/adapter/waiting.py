"""What keeps instances from running, as Airflow has it: its own dependency checks, and the facts that they leave out.

Nothing here changes a row.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime
from typing import Any, NamedTuple

from airflow.exceptions import TaskNotFound
from airflow.jobs.job import most_recent_job
from airflow.models.asset import AssetDagRunQueue, AssetModel, DagScheduleAssetReference
from airflow.models.dag import DagModel
from airflow.models.dagbag import DBDagBag
from airflow.models.dagrun import DagRun
from airflow.models.taskinstance import TaskInstance as TI
from airflow.models.taskreschedule import TaskReschedule
from airflow.models.trigger import Trigger
from airflow.serialization.definitions.dag import SerializedDAG
from airflow.ti_deps.dep_context import DepContext
from airflow.ti_deps.dependencies_states import EXECUTION_STATES
from airflow.ti_deps.deps.base_ti_dep import BaseTIDep
from airflow.ti_deps.deps.exec_date_after_start_date_dep import ExecDateAfterStartDateDep
from airflow.ti_deps.deps.pool_slots_available_dep import PoolSlotsAvailableDep
from airflow.ti_deps.deps.task_concurrency_dep import TaskConcurrencyDep
from airflow.utils.state import DagRunState, TaskInstanceState
from airflow.utils.types import DagRunType
from sqlalchemy import func, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session, joinedload

from taskops_provider.adapter.gate_turns import detach
from taskops_provider.adapter.runs import unfinished_instance, unfinished_run

#: Airflow's names of the processes that are asked for
SCHEDULER, TRIGGERER = "SchedulerJob", "TriggererJob"

#: what Airflow checks, apart from a task's own dependencies, before it hands an instance to an executor
_BEFORE_QUEUEING: set[BaseTIDep] = {PoolSlotsAvailableDep(), TaskConcurrencyDep()}
_BEFORE_SCHEDULING: set[BaseTIDep] = {ExecDateAfterStartDateDep()}


class DagFacts(NamedTuple):
    """What Airflow's row of a Dag says about its next run."""

    is_paused: bool
    is_stale: bool
    has_import_errors: bool
    #: the file gives it no schedule at all
    is_manual: bool
    next_run_at: datetime | None
    max_active_runs: int
    max_active_tasks: int
    #: it has as many unfinished runs as it may have: the scheduler makes no further one
    is_full: bool


class Unmet(NamedTuple):
    """A check of Airflow's that fails.

    :param check: the name of its class: ``TriggerRuleDep``, say
    """

    check: str
    text: str


class UpstreamCount(NamedTuple):
    """How many instances of an upstream task are in one state and pool."""

    task_id: str
    state: str | None
    pool: str
    number: int


def dag_facts(session: Session, dag_id: str) -> DagFacts | None:
    """Return the facts about a Dag; None where Airflow has none of this name."""
    row = session.execute(
        select(
            DagModel.is_paused,
            DagModel.is_stale,
            func.coalesce(DagModel.has_import_errors, False),
            DagModel.timetable_type == "NullTimetable",
            DagModel.next_dagrun_create_after,
            func.coalesce(DagModel.max_active_runs, 0),
            DagModel.max_active_tasks,
            DagModel.exceeds_max_non_backfill,
        ).where(DagModel.dag_id == dag_id)
    ).first()
    return DagFacts(*row) if row else None


def awaited_assets(session: Session, dag_id: str) -> tuple[list[str], list[str]]:
    """Return the assets that a Dag is scheduled by: (not updated since its last run, updated). By URI, one query."""
    rows = session.execute(
        select(AssetModel.uri, AssetDagRunQueue.asset_id)
        .join(DagScheduleAssetReference, DagScheduleAssetReference.asset_id == AssetModel.id)
        .outerjoin(
            AssetDagRunQueue,
            (AssetDagRunQueue.asset_id == AssetModel.id) & (AssetDagRunQueue.target_dag_id == dag_id),
        )
        .where(DagScheduleAssetReference.dag_id == dag_id)
        .order_by(AssetModel.uri)
    ).all()
    return [uri for uri, queued in rows if queued is None], [uri for uri, queued in rows if queued is not None]


def running_runs(session: Session, dag_id: str, *, backfill_id: int | None = None) -> int:
    """Count the running runs of a Dag: those of one backfill, or all that belong to none."""
    query = select(func.count()).where(DagRun.dag_id == dag_id, DagRun.state == DagRunState.RUNNING)
    if backfill_id is None:
        query = query.where(DagRun.run_type != DagRunType.BACKFILL_JOB)
    else:
        query = query.where(DagRun.backfill_id == backfill_id)
    return session.scalar(query) or 0


def last_heartbeat(session: Session, job_type: str) -> tuple[bool, datetime | None]:
    """Tell whether a process of a kind is alive, and when one last said so (None: never)."""
    job = most_recent_job(job_type, session=session)
    return (False, None) if job is None else (job.is_alive(), job.latest_heartbeat)


def count_unfinished(session: Session, dag_id: str, task_id: str) -> int:
    """Count the unfinished instances of a task in unfinished runs."""
    query = (
        select(func.count())
        .select_from(TI)
        .join(DagRun, (DagRun.dag_id == TI.dag_id) & (DagRun.run_id == TI.run_id))
        .where(TI.dag_id == dag_id, TI.task_id == task_id, unfinished_run(), unfinished_instance())
    )
    return session.scalar(query) or 0


def unfinished(session: Session, dag_id: str, task_id: str, limit: int) -> list[TI]:
    """Return unfinished instances of a task in unfinished runs, those of the oldest run first."""
    query = _instances(dag_id, task_id).where(unfinished_run(), unfinished_instance())
    return list(session.scalars(query.order_by(DagRun.run_after, DagRun.id, TI.map_index).limit(limit)))


def of_run(session: Session, dag_id: str, task_id: str, run_id: str, limit: int) -> tuple[int, list[TI]]:
    """Return how many instances a task has in one run, and some of them, the unfinished ones first."""
    count = select(func.count()).where(TI.dag_id == dag_id, TI.task_id == task_id, TI.run_id == run_id)
    query = _instances(dag_id, task_id).where(TI.run_id == run_id)
    found = session.scalars(query.order_by(TI.end_date.is_not(None), TI.map_index).limit(limit))
    return session.scalar(count) or 0, list(found)


def has_run(session: Session, dag_id: str, run_id: str) -> bool:
    """Tell whether a Dag has a run of this id."""
    return bool(session.scalar(select(DagRun.id).where(DagRun.dag_id == dag_id, DagRun.run_id == run_id)))


def _instances(dag_id: str, task_id: str) -> Any:
    return (
        select(TI)
        .join(DagRun, (DagRun.dag_id == TI.dag_id) & (DagRun.run_id == TI.run_id))
        .where(TI.dag_id == dag_id, TI.task_id == task_id)
        .options(joinedload(TI.dag_run))
        .execution_options(populate_existing=True)
    )


def dags_of(session: Session, instances: Collection[TI]) -> Iterator[tuple[TI, SerializedDAG | None]]:
    """Yield each instance with the Dag that its run was made of (each version is loaded once).

    The instance knows its task and is taken out of the session; None where its Dag or task is gone, or cannot be read.
    """
    dags = DBDagBag(load_op_links=False)
    for ti in instances:
        dag = _readable(dags, ti.dag_run, session)
        try:
            ti.task = dag.get_task(ti.task_id) if dag else None
        except TaskNotFound:
            dag = None
        if dag is not None:
            detach(ti, dag, session)
        yield ti, dag


def _readable(dags: DBDagBag, run: DagRun, session: Session) -> SerializedDAG | None:
    try:
        return dags.get_dag_for_run(run, session=session)
    except DBAPIError:
        raise
    except Exception:  # what Airflow has stored of it cannot be read
        return None


def _task(ti: TI) -> Any:
    return ti.task


def unmet(session: Session, ti: TI) -> list[Unmet]:
    """Return what Airflow's own checks say against an instance of :func:`dags_of` that has not started.

    For one that is to be scheduled those of its task (upstream, earlier runs, retries), for one that is scheduled
    those of the scheduler (pool, concurrency).
    """
    is_scheduled = ti.state == TaskInstanceState.SCHEDULED
    context = DepContext(deps=_BEFORE_QUEUEING if is_scheduled else _BEFORE_SCHEDULING)
    checks = context.deps if is_scheduled else context.deps | _task(ti).deps
    return [
        Unmet(type(check).__name__, status.reason)
        for check in sorted(checks, key=lambda dep: type(dep).__name__)
        for status in check.get_dep_statuses(ti, context, session=session)
        if not status.passed
    ]


def upstream_counts(session: Session, ti: TI) -> list[UpstreamCount]:
    """Return what the instances directly upstream of an instance of :func:`dags_of` are doing, in its run."""
    above = _task(ti).upstream_task_ids
    if not above:
        return []
    query = (
        select(TI.task_id, TI.state, TI.pool, func.count())
        .where(TI.dag_id == ti.dag_id, TI.run_id == ti.run_id, TI.task_id.in_(above))
        .group_by(TI.task_id, TI.state, TI.pool)
        .order_by(TI.task_id)
    )
    return [UpstreamCount(*row) for row in session.execute(query)]


def trigger_rule(ti: TI) -> str:
    """Return the trigger rule of an instance's task."""
    return str(_task(ti).trigger_rule)


def active_in_run(session: Session, ti: TI) -> int:
    """Count the instances of a run that an executor has: what ``max_active_tasks`` limits."""
    query = select(func.count()).where(TI.dag_id == ti.dag_id, TI.run_id == ti.run_id, TI.state.in_(EXECUTION_STATES))
    return session.scalar(query) or 0


def retry_at(ti: TI) -> datetime | None:
    """Return when an instance that is up for retry is tried again."""
    return ti.next_retry_datetime() if ti.end_date else None


def rescheduled_until(session: Session, ti: TI) -> datetime | None:
    """Return until when a sensor lets go of its slot."""
    return session.scalar(
        select(TaskReschedule.reschedule_date)
        .where(TaskReschedule.ti_id == ti.id)
        .order_by(TaskReschedule.id.desc())
        .limit(1)
    )


def trigger_of(session: Session, ti: TI) -> str | None:
    """Return the class of the trigger that a deferred instance waits for."""
    if ti.trigger_id is None:
        return None
    path = session.scalar(select(Trigger.classpath).where(Trigger.id == ti.trigger_id))
    return path.rpartition(".")[2] if path else None
