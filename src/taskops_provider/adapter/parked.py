"""Parked instances: those that would bypass pools, or could not be expanded, kept from the scheduler.

They are SCHEDULED without a ``scheduled_dttm``. The scheduler does not look at what is upstream of them, so it is
done here with Airflow's own dependency code, as the scheduler does it for instances without a state.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from airflow.exceptions import TaskNotFound
from airflow.models.dag import DagModel
from airflow.models.dagbag import DBDagBag
from airflow.models.dagrun import DagRun
from airflow.models.taskinstance import TaskInstance as TI
from airflow.serialization.definitions.dag import SerializedDAG
from airflow.ti_deps.dep_context import DepContext
from airflow.utils.sqlalchemy import with_row_locks
from airflow.utils.state import DagRunState, TaskInstanceState
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from taskops_provider.adapter.runs import GATED_POOLS, HOLD_POOL, Instance, chunks
from taskops_provider.policies.gate import bypasses_pools, cannot_expand

#: runs looked at in one call, as the scheduler bounds its own loop; the next call goes on behind the last of them
RUNS_PER_CALL = 50

_IS_PARKED = (
    TI.pool.in_(GATED_POOLS),
    TI.state == TaskInstanceState.SCHEDULED,
    TI.scheduled_dttm.is_(None),
)


class ParkedInstances:
    """Advances parked instances; keeps deserialized Dags between calls. One per thread."""

    def __init__(self) -> None:
        self._dags = DBDagBag(load_op_links=False)
        self._dags_used: set[str] = set()
        self._last_run: tuple[str, str] = ("", "")

    def advance(self, session: Session, now: datetime) -> int:
        """Do for parked instances what the scheduler does for others; return how many changed.

        Those whose turn has come get a ``scheduled_dttm`` (held ones wait as they are: releasing them hands them
        to the scheduler); those that Airflow's rules end get ``skipped``, ``upstream_failed`` or ``removed``.
        """
        changed = 0
        for run, ids in self._next_runs(session, now):
            dag = self._dag_of(run, session)
            if dag is None:
                continue
            run.dag = dag
            ready, ended = _evaluate(_lock(session, ids), dag, session)
            changed += _set(session, ready, {"scheduled_dttm": now, "updated_at": now})
            for state, ended_ids in ended.items():
                values = {"state": state, "start_date": now, "end_date": now, "duration": 0, "updated_at": now}
                changed += _set(session, ended_ids, values)
        return changed

    def _next_runs(self, session: Session, now: datetime) -> list[tuple[DagRun, list[UUID]]]:
        """Return runs that the scheduler would look at, with the ids of their parked instances."""
        query = (
            select(TI.dag_id, TI.run_id, TI.id)
            .join(DagRun, (DagRun.dag_id == TI.dag_id) & (DagRun.run_id == TI.run_id))
            .join(DagModel, DagModel.dag_id == TI.dag_id)
            .where(
                *_IS_PARKED,
                DagRun.state == DagRunState.RUNNING,
                DagRun.run_after <= now,
                DagModel.is_paused.is_(False),
                DagModel.is_stale.is_(False),
            )
        )
        parked: dict[tuple[str, str], list[UUID]] = defaultdict(list)
        for dag_id, run_id, ti_id in session.execute(query):
            parked[dag_id, run_id].append(ti_id)
        if not parked:
            return []
        keys = sorted(parked, key=lambda key: (key <= self._last_run, key))[:RUNS_PER_CALL]
        self._last_run = keys[-1]
        by_dag: dict[str, list[str]] = defaultdict(list)
        for dag_id, run_id in keys:
            by_dag[dag_id].append(run_id)
        return [
            (run, parked[run.dag_id, run.run_id])
            for dag_id, run_ids in by_dag.items()
            for run in session.scalars(select(DagRun).where(DagRun.dag_id == dag_id, DagRun.run_id.in_(run_ids)))
        ]

    def _dag_of(self, run: DagRun, session: Session) -> SerializedDAG | None:
        if len(self._dags_used) > 200:  # Airflow's cache has no bound
            self._dags.clear_cache()
            self._dags_used.clear()
        self._dags_used.add(run.dag_id)
        return self._dags.get_dag_for_run(run, session=session)


def _lock(session: Session, ids: Sequence[UUID]) -> list[TI]:
    found: list[TI] = []
    for chunk in chunks(ids):
        query = select(TI).where(TI.id.in_(chunk), *_IS_PARKED).execution_options(populate_existing=True)
        found += session.scalars(with_row_locks(query, session, of=TI, key_share=False, skip_locked=True))
    return found


def _evaluate(tis: list[TI], dag: SerializedDAG, session: Session) -> tuple[list[UUID], dict[str, list[UUID]]]:
    """Return the ids whose turn has come, and by state the ids that the dependencies end."""
    context = DepContext(flag_upstream_failed=True, ignore_unmapped_tasks=True)
    ready: list[UUID] = []
    ended: dict[str, list[UUID]] = defaultdict(list)
    for ti in tis:
        try:
            ti.task = dag.get_task(ti.task_id)
        except TaskNotFound:  # the scheduler marks it removed
            continue
        # what was decided is written below under a condition: someone may clear the instance meanwhile
        detach(ti, dag, session)
        met = ti.are_dependencies_met(dep_context=context, session=session)
        if ti.state != TaskInstanceState.SCHEDULED:
            ended[str(ti.state)].append(ti.id)
        elif met and ti.pool != HOLD_POOL:
            ready.append(ti.id)
    return ready, ended


def detach(ti: TI, dag: SerializedDAG, session: Session) -> None:
    """Take an instance out of the session: Airflow's dependency code writes what it decides, and is not to."""
    run = ti.dag_run
    session.expunge(ti)
    run.dag = dag
    ti.__dict__["set_state"] = _Decision(ti)


class _Decision:
    """Stands in for ``TaskInstance.set_state`` while dependencies are evaluated: only remembers."""

    def __init__(self, ti: TI):
        self._ti = ti

    def __call__(self, state: Any, *, session: Session) -> bool:
        changed = self._ti.state != state
        self._ti.state = state
        return changed


def _set(session: Session, ids: Sequence[UUID], values: dict[str, Any]) -> int:
    changed = 0
    for chunk in chunks(ids):
        done = session.execute(
            update(TI).where(TI.id.in_(chunk), *_IS_PARKED).values(values).execution_options(synchronize_session=False)
        )
        changed += done.rowcount  # type: ignore[attr-defined]
    return changed


def to_be_parked(
    session: Session, instances: Sequence[Instance], without_result: Collection[tuple[str, str]]
) -> set[UUID]:
    """Return the ids of those instances that a pool would not stop. Loads each run's Dag.

    :param instances: without a state yet
    :param without_result: (dag_id, task_id) of tasks that are to succeed without executing
    """
    by_run: dict[tuple[str, str], list[Instance]] = defaultdict(list)
    for instance in instances:
        by_run[instance.dag_id, instance.run_id].append(instance)
    dags = DBDagBag(load_op_links=False)
    found: set[UUID] = set()
    for (dag_id, run_id), members in by_run.items():
        run = session.scalar(select(DagRun).where(DagRun.dag_id == dag_id, DagRun.run_id == run_id))
        dag = run and dags.get_dag_for_run(run, session=session)
        if dag:
            silent = {task for owner, task in without_result if owner == dag_id}
            found.update(member.id for member in members if _pool_would_not_stop(member, dag, silent))
    return found


def _pool_would_not_stop(instance: Instance, dag: SerializedDAG, without_result: Collection[str]) -> bool:
    if not dag.has_task(instance.task_id):
        return False
    task = dag.get_task(instance.task_id)
    return bypasses_pools(task, instance.map_index) or cannot_expand(task, instance.map_index, without_result)
