"""Airflow's scheduler logic, driven by hand: its dependency evaluation, its pools, its queueing.

Only the workers are played: what the scheduler queues is "executed" by :class:`Scheduler` with the outcome the
test chose, and listed in ``executed``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow._shared.timezones import timezone
from airflow.api.common.trigger_dag import trigger_dag
from airflow.executors.base_executor import BaseExecutor
from airflow.jobs.job import Job
from airflow.jobs.scheduler_job_runner import SchedulerJobRunner
from airflow.models.asset import DagScheduleAssetReference
from airflow.models.backfill import ReprocessBehavior, _create_backfill
from airflow.models.dag import DagModel
from airflow.models.dagbag import DBDagBag
from airflow.models.dagrun import DagRun
from airflow.models.taskinstance import TaskInstance as TI
from airflow.utils.state import DagRunState, TaskInstanceState
from airflow.utils.types import DagRunTriggeredByType, DagRunType
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from tests.support.airflow_db import serialized
from tests.support.versions import end_loop_gate, push, queue_asset_event, queue_scheduled


class Scheduler:
    """One scheduler and its workers.

    :param outcomes: task id -> "success" (default), "failed" or "skipped"
    :param settle: called once a round, where the monitor would run
    :param results: task id -> what it pushes as XCom (a list or dict can be mapped over), or a function of the
        map index that returns it
    """

    def __init__(
        self,
        session: Session,
        outcomes: Mapping[str, str] | None = None,
        settle: Callable[[Session], object] | None = None,
        results: Mapping[str, Any] | None = None,
    ):
        self.session = session
        self.outcomes = dict(outcomes or {})
        self.settle = settle
        self.results = dict(results or {})
        self.executed: list[tuple[str, str, int]] = []
        self._runner = SchedulerJobRunner(job=Job(), executors=[BaseExecutor()])

    def create_run(
        self,
        dag_id: str,
        run_id: str = "run_1",
        *,
        run_type: DagRunType = DagRunType.MANUAL,
        conf: dict[str, Any] | None = None,
        logical_date: Any = None,
    ) -> DagRun:
        """Create a run the way every process does it, and commit."""
        dag = serialized(dag_id, self.session)
        now = timezone.utcnow()
        logical_date = logical_date or now
        run = dag.create_dagrun(
            run_id=run_id,
            logical_date=logical_date,
            data_interval=(logical_date, logical_date + timedelta(hours=1)),
            run_after=now,
            run_type=run_type,
            triggered_by=DagRunTriggeredByType.CLI,
            state=DagRunState.RUNNING,
            conf=conf,
            start_date=now,
            session=self.session,
        )
        self.session.commit()
        return run

    def create_as(self, kind: str, dag_id: str) -> str:
        """Create a run by the code that Airflow creates such runs with; return its run id.

        :param kind: manual, scheduled, asset or backfill; the Dag's schedule must suit
        """
        before = set(self._run_ids(dag_id))
        getattr(self, f"_create_{kind}")(dag_id)
        self.session.commit()
        (run_id,) = set(self._run_ids(dag_id)) - before
        self.start_queued(dag_id, run_id)
        return run_id

    def _run_ids(self, dag_id: str) -> list[str]:
        return list(self.session.scalars(select(DagRun.run_id).where(DagRun.dag_id == dag_id)))

    def _create_manual(self, dag_id: str) -> None:
        trigger_dag(dag_id, triggered_by=DagRunTriggeredByType.CLI, session=self.session)

    def _create_scheduled(self, dag_id: str) -> None:
        model = self.session.scalars(select(DagModel).where(DagModel.dag_id == dag_id)).one()
        self._runner._create_dag_runs([model], self.session)

    def _create_asset(self, dag_id: str) -> None:
        reference = self.session.scalars(
            select(DagScheduleAssetReference).where(DagScheduleAssetReference.dag_id == dag_id)
        ).one()
        queue_asset_event(dag_id, reference.asset_id, self.session)
        model = self.session.scalars(select(DagModel).where(DagModel.dag_id == dag_id)).one()
        self._runner._create_dag_runs_asset_triggered(dag_models=[model], session=self.session)

    def _create_backfill(self, dag_id: str) -> None:
        day = timezone.datetime(2026, 1, 1)
        _create_backfill(
            dag_id=dag_id,
            from_date=day,
            to_date=day,
            max_active_runs=1,
            reverse=False,
            dag_run_conf=None,
            triggering_user_name="alice",
            reprocess_behavior=ReprocessBehavior.NONE,
        )

    def start_queued(self, dag_id: str, run_id: str = "run_1") -> None:
        """Set a queued run running, as the scheduler does when ``max_active_runs`` allows."""
        self.session.expire_all()
        run = self.session.scalars(select(DagRun).where(DagRun.dag_id == dag_id, DagRun.run_id == run_id)).one()
        if run.state == DagRunState.QUEUED:
            run.state = DagRunState.RUNNING
        self.session.commit()

    def start_by_limit(self, dag_id: str) -> list[str]:
        """Set those queued runs running that Airflow's own code lets start now; return them."""
        self.session.expire_all()
        query = select(DagRun.run_id).where(DagRun.dag_id == dag_id, DagRun.state == DagRunState.QUEUED)
        queued = set(self.session.scalars(query))
        self.start_queued_runs()
        return sorted(queued - set(self.session.scalars(query)))

    def start_queued_runs(self) -> None:
        """Set those queued runs running that Airflow's own code lets start now."""
        if self.session.get_bind().dialect.name == "sqlite":
            # its now() has no fractions of a second: what is due since the last full one would not start yet
            now = datetime.now(UTC)
            full = now.replace(microsecond=0)
            due = update(DagRun).where(DagRun.state == DagRunState.QUEUED, DagRun.run_after.between(full, now))
            self.session.execute(due.values(run_after=full - timedelta(seconds=1)))
        self._runner._start_queued_dagruns(self.session)
        self.session.commit()

    def run_to_end(self, dag_id: str, run_id: str = "run_1", *, rounds: int = 60) -> str:
        """Play rounds until the run is finished or nothing moves any more; return the run's state."""
        still = 0
        for _ in range(rounds):
            if self.round(dag_id, run_id):
                still = 0
            else:
                still += 1
            if self.run_state(dag_id, run_id) in ("success", "failed") or still >= 3:
                break
        return self.run_state(dag_id, run_id)

    def round(self, dag_id: str, run_id: str = "run_1") -> bool:
        """One scheduler loop for the run, one of the workers, one of the monitor. Tell whether anything changed."""
        before = self.raw_states(dag_id, run_id)
        self.schedule(dag_id, run_id)
        self.work()
        if self.settle:
            self.session.expire_all()
            self.settle(self.session)
            self.session.commit()
        return self.raw_states(dag_id, run_id) != before

    def schedule(self, dag_id: str, run_id: str = "run_1") -> None:
        """What the scheduler does with a run in one loop: evaluate, then queue what pools allow."""
        session = self.session
        session.expire_all()
        run = session.scalars(select(DagRun).where(DagRun.dag_id == dag_id, DagRun.run_id == run_id)).one()
        if run.state not in (DagRunState.RUNNING, DagRunState.QUEUED):
            return
        run.dag = DBDagBag(load_op_links=False).get_dag_for_run(run, session)
        schedulable, _ = run.update_state(session=session, execute_callbacks=False)
        run.schedule_tis(schedulable, session=session)
        session.commit()
        session.expire_all()
        queue_scheduled(self._runner, session)
        session.commit()

    def look(self, dag_id: str, run_id: str = "run_1") -> None:
        """The scheduler's whole look at a running run: first it is brought in line with a new version of its Dag."""
        session = self.session
        session.expire_all()
        run = session.scalars(select(DagRun).where(DagRun.dag_id == dag_id, DagRun.run_id == run_id)).one()
        if run.state == DagRunState.RUNNING:
            self._runner._schedule_dag_run(run, session=session)
        session.commit()
        session.expire_all()
        queue_scheduled(self._runner, session)
        session.commit()

    def work(self) -> None:
        """Execute everything that is queued."""
        session = self.session
        for ti in session.scalars(select(TI).where(TI.state == TaskInstanceState.QUEUED)).all():
            self.executed.append((ti.run_id, ti.task_id, ti.map_index))
            ti.start_date = datetime.now(UTC)
            self.before_finish(ti)
            state = self.outcomes.get(ti.task_id, "success")
            ti.set_state(state, session=session)
            if ti.operator == "LoopGateOperator":
                end_loop_gate(ti, state, serialized(ti.dag_id, session), session)
        session.commit()

    def before_finish(self, ti: TI) -> None:
        """What the worker does while the task runs: push its result, as the execution API stores it."""
        if ti.task_id not in self.results:
            return
        value = self.results[ti.task_id]
        if callable(value):
            value = value(ti.map_index)
        push(ti, "return_value", value, self.session, can_be_mapped=isinstance(value, (list, dict)))
        self.session.flush()

    def executed_tasks(self, run_id: str = "run_1") -> list[str]:
        """Task ids executed in a run, in order (mapped ones once per index)."""
        return [task_id for run, task_id, _ in self.executed if run == run_id]

    def run_state(self, dag_id: str, run_id: str = "run_1") -> str:
        """The state of a run."""
        self.session.expire_all()
        return self.session.scalars(select(DagRun._state).where(DagRun.dag_id == dag_id, DagRun.run_id == run_id)).one()

    def states(self, dag_id: str, run_id: str = "run_1") -> dict[str, str | None]:
        """Task id -> state; mapped instances as ``task[0]``."""
        return {
            task_id if index < 0 else f"{task_id}[{index}]": state
            for (task_id, index), (state, _) in self.raw_states(dag_id, run_id).items()
        }

    def raw_states(self, dag_id: str, run_id: str = "run_1") -> dict[tuple[str, int], tuple[str | None, str]]:
        """(task id, map index) -> (state, pool)."""
        self.session.expire_all()
        rows = self.session.execute(
            select(TI.task_id, TI.map_index, TI.state, TI.pool).where(TI.dag_id == dag_id, TI.run_id == run_id)
        )
        return {(row.task_id, row.map_index): (row.state, row.pool) for row in rows}
