"""Which live schedulers have the gate, and what runs show that were created by a process without it."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from airflow.configuration import conf
from airflow.jobs.job import Job, JobState
from airflow.models.dagrun import DagRun
from airflow.models.taskinstance import TaskInstance as TI
from airflow.utils.state import TaskInstanceState
from airflow.utils.types import DagRunTriggeredByType
from sqlalchemy import ScalarSelect, Select, and_, func, or_, select, update
from sqlalchemy.orm import Session

from taskops_provider.adapter.missed_instances import is_nobodys_replenishment
from taskops_provider.adapter.runs import GATED_POOLS, INSTANCE_COLUMNS, RUN_CREATED_AT, Instance
from taskops_provider.domain.gate import ANY_TASK, IntervalInForce
from taskops_provider.domain.windows.scope import ANY_DAG
from taskops_provider.models import CoveredScheduler, GateInterval

_SCHEDULER = "SchedulerJob"
#: what neither executed nor will
_ENDED_UNEXECUTED = (TaskInstanceState.SKIPPED, TaskInstanceState.UPSTREAM_FAILED, TaskInstanceState.REMOVED)
_UNBEGUN = frozenset({None, TaskInstanceState.SCHEDULED, TaskInstanceState.QUEUED})


class LiveScheduler(NamedTuple):
    """A scheduler that Airflow takes for alive.

    :param version: of TaskOps in it; None: it is not known to have TaskOps
    :param trouble: why its gate does not work, or may not; empty: it does
    """

    job_id: int
    host: str
    version: str | None
    trouble: str


def live_schedulers(session: Session, now: datetime) -> list[LiveScheduler]:
    """Return the live schedulers, by host. One query."""
    alive = timedelta(seconds=conf.getint("scheduler", "scheduler_health_check_threshold"))
    query = (
        select(Job.id, Job.hostname, CoveredScheduler.version, CoveredScheduler.trouble)
        .outerjoin(CoveredScheduler, CoveredScheduler.job_id == Job.id)
        .where(Job.job_type == _SCHEDULER, Job.state == JobState.RUNNING, Job.latest_heartbeat > now - alive)
        .order_by(Job.hostname, Job.id)
    )
    return [LiveScheduler(row[0], row[1] or "?", row[2], row[3] or "") for row in session.execute(query)]


def known_jobs(session: Session, ids: Collection[int]) -> set[int]:
    """Return those of some jobs that Airflow still has."""
    return set(session.scalars(select(Job.id).where(Job.id.in_(ids))))


def newest_run() -> ScalarSelect[Any]:
    """The number (``dag_run.id``) of the newest run, NULL if there is none, as a part of a query."""
    return select(func.max(DagRun.id)).scalar_subquery()


def newest_run_id(session: Session) -> int:
    """Return the number of the newest run; 0 if there is none."""
    return session.scalar(select(newest_run())) or 0


def note_newest_runs(session: Session) -> None:
    """Note with open intervals, and with windows, that are no longer watched which run of their Dag is the newest. One
    statement."""
    of_dag = or_(DagRun.dag_id == GateInterval.dag_id, GateInterval.dag_id == ANY_DAG)
    newest = select(func.coalesce(func.max(DagRun.id), 0)).where(of_dag).scalar_subquery()
    session.execute(
        update(GateInterval)
        .where(
            or_(GateInterval.to_at.is_(None), GateInterval.window_id.is_not(None)),
            GateInterval.after_run_id.is_(None),
            GateInterval.seen_run_id.is_(None),
        )
        .values(after_run_id=newest)
        .execution_options(synchronize_session=False)
    )


def dags_with_escaped(session: Session, after: int, now: datetime) -> list[str]:
    """Return the Dags with an instance that escaped, in runs with a number above one. One query."""
    of_new_runs = select(DagRun.dag_id).where(DagRun.id > after)
    # led by the few new runs
    query = _escaped(select(DagRun.dag_id), after, now).where(
        or_(GateInterval.dag_id.in_(of_new_runs), GateInterval.dag_id == ANY_DAG)
    )
    return list(session.scalars(query.distinct().order_by(DagRun.dag_id)))


class Escaped(NamedTuple):
    """An instance of a stopped task that no gate was asked for, once for each interval that stops it.

    :param by_job, by_trigger: who created its run
    """

    instance: Instance
    interval: IntervalInForce
    by_job: int | None
    by_trigger: str

    @property
    def has_begun(self) -> bool:
        """Whether it has begun, so that it can only be told."""
        return self.instance.state not in _UNBEGUN


def escaped(session: Session, dag_id: str, after: int, now: datetime) -> list[Escaped]:
    """Return what escaped in a Dag, in runs with a number above one. One query."""
    interval = (GateInterval.task_id, GateInterval.state, GateInterval.downstream, GateInterval.window_id)
    columns = (*INSTANCE_COLUMNS, DagRun.creating_job_id, DagRun.triggered_by, *interval)
    query = _escaped(select(*columns), after, now).where(DagRun.dag_id == dag_id)
    found = []
    for *instance, by_job, by_trigger, task_id, state, downstream, window_id in session.execute(query.order_by(TI.id)):
        in_force = IntervalInForce(task_id, state, downstream, window_id is not None)
        trigger = getattr(by_trigger, "value", None) or "unknown"
        found.append(Escaped(Instance(*instance), in_force, by_job, trigger))
    return found


def _escaped(query: Select[*tuple[Any, ...]], after: int, now: datetime) -> Select[*tuple[Any, ...]]:
    """Ungated instances of stopped tasks, in runs for which the gate should have been asked.

    What somebody cleared executes, and so do runs that a replenishment creates.
    """
    # a window that is over lets go what it held: that has not escaped it
    in_window = and_(
        GateInterval.window_id.is_not(None),
        GateInterval.by_cycle.is_(False),
        GateInterval.to_at > now,
        GateInterval.from_at <= RUN_CREATED_AT,
        GateInterval.to_at > RUN_CREATED_AT,
    )
    return (
        query.select_from(GateInterval)
        .join(DagRun, GateInterval.dag_id.in_((DagRun.dag_id, ANY_DAG)))
        .join(TI, (TI.dag_id == DagRun.dag_id) & (TI.run_id == DagRun.run_id))
        .where(
            DagRun.id > after,
            DagRun.id > GateInterval.after_run_id,
            or_(GateInterval.to_at.is_(None), in_window),
            or_(GateInterval.task_id == TI.task_id, GateInterval.task_id == ANY_TASK),
            or_(GateInterval.resume_at.is_(None), GateInterval.resume_at > RUN_CREATED_AT),
            TI.pool.not_in(GATED_POOLS),
            or_(TI.state.is_(None), TI.state.not_in(_ENDED_UNEXECUTED)),
            DagRun.clear_number == 0,
            or_(DagRun.triggered_by.is_(None), DagRun.triggered_by != DagRunTriggeredByType.TEST),
            is_nobodys_replenishment(),
        )
    )


def hosts_of_jobs(session: Session, ids: Iterable[int]) -> dict[int, str]:
    """Return on which hosts jobs run, or ran."""
    query = select(Job.id, Job.hostname).where(Job.id.in_(set(ids)))
    return {row[0]: row[1] or "?" for row in session.execute(query)}
