"""Whose turn it is among the instances that wait in the gate: Airflow's own dependency rules, asked in its place.

The scheduler looks at a waiting instance as at any other (see ``domain.gate``): it sets it upstream_failed or skipped
by the task's trigger rule, but never runs it. What is left is the moment at which it would run it. Here the same rules
are asked the same question; who settles it does so in the same transaction, under the lock of the run that the
scheduler takes too.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
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
from airflow.utils.state import DagRunState, State, TaskInstanceState
from sqlalchemy import func, select
from sqlalchemy.orm import Session
from sqlalchemy.orm.attributes import set_committed_value

from taskops_provider.adapter.compatibility import expand_mapped_task
from taskops_provider.adapter.graphs import mapping_sources
from taskops_provider.adapter.runs import Run
from taskops_provider.domain.chunks import chunks
from taskops_provider.domain.gate import GATE_POOLS, WAITING_STATE
from taskops_provider.domain.states import Downstream
from taskops_provider.models import ReplenishmentRun

#: a run in which nothing has changed is looked at again after this time: what it waits for may lie elsewhere
LOOK_AGAIN_AFTER = timedelta(seconds=15)
#: deserialized Dags that are kept
_MOST_DAGS = 200

#: instances with these effects are settled in their turn; held ones wait
SETTLED_POOLS = [GATE_POOLS[effect] for effect in Downstream if effect is not Downstream.HOLD]


class GateTurns:
    """Finds the waiting instances whose turn has come; keeps deserialized Dags between calls. One per thread."""

    def __init__(self) -> None:
        self._dags = DBDagBag(load_op_links=False)
        self._dags_used: set[str] = set()
        #: run -> (what its instances were like when it was looked at, when that was)
        self._looked: dict[Run, tuple[Any, datetime]] = {}

    def runs(self, session: Session, now: datetime) -> list[Run]:
        """Return the runs to look at: those that the scheduler would look at, in which an instance waits for its turn
        and something has changed since the last look. Two queries.
        """
        waiting = (
            select(TI.dag_id, TI.run_id)
            .join(DagRun, (DagRun.dag_id == TI.dag_id) & (DagRun.run_id == TI.run_id))
            .join(DagModel, DagModel.dag_id == TI.dag_id)
            .where(
                TI.pool.in_(SETTLED_POOLS),
                TI.state == WAITING_STATE,
                DagRun.state == DagRunState.RUNNING,
                DagRun.run_after <= now,
                DagModel.is_paused.is_(False),
                DagModel.is_stale.is_(False),
            )
            .distinct()
        )
        found = [Run(*row) for row in session.execute(waiting)]
        marks = self._marks(session, found)
        self._looked = {run: seen for run, seen in self._looked.items() if run in marks}
        return [run for run in found if self._has_changed(run, marks.get(run), now)]

    def _has_changed(self, run: Run, mark: Any, now: datetime) -> bool:
        before = self._looked.get(run)
        if before is not None and before[0] == mark and abs(now - before[1]) < LOOK_AGAIN_AFTER:
            return False
        self._looked[run] = (mark, now)
        return True

    def _marks(self, session: Session, runs: Sequence[Run]) -> dict[Run, Any]:
        by_dag: dict[str, list[str]] = defaultdict(list)
        for run in runs:
            by_dag[run.dag_id].append(run.run_id)
        marks: dict[Run, Any] = {}
        for dag_id, run_ids in by_dag.items():
            for chunk in chunks(run_ids):
                query = (
                    select(TI.run_id, func.max(TI.updated_at), func.count(TI.state), func.count())
                    .where(TI.dag_id == dag_id, TI.run_id.in_(chunk))
                    .group_by(TI.run_id)
                )
                marks.update({Run(dag_id, row[0]): tuple(row[1:]) for row in session.execute(query)})
        return marks

    def forget(self, run: Run) -> None:
        """Look at a run again next time, whatever has changed."""
        self._looked.pop(run, None)

    def of_run(self, session: Session, run: Run) -> list[tuple[UUID, str]]:
        """Lock a run and return the instances whose turn has come, as (id, pool).

        A mapped task that waits unexpanded is expanded when its turn has come, as the scheduler would; each of its
        instances then waits for its own turn. Where it cannot be expanded it is itself returned.
        """
        row = session.scalars(
            with_row_locks(
                select(DagRun).where(
                    DagRun.dag_id == run.dag_id, DagRun.run_id == run.run_id, DagRun.state == DagRunState.RUNNING
                ),
                session,
                of=DagRun,
                skip_locked=True,
            ).execution_options(populate_existing=True)
        ).one_or_none()
        if row is None:
            # a scheduler has it at this moment, and that need not change anything that would have it looked at again
            self.forget(run)
            return []
        dag = self._dag_of(row, session)
        if dag is None:
            return []
        row.dag = dag
        tis = _waiting(session, run)
        ready = _ready(tis, row, dag, session)
        silent = _without_result(session, run)
        expanded = False
        found: list[tuple[UUID, str]] = []
        for ti in ready:
            if ti.map_index < 0 and _can_expand(ti.task, silent) and _expand(ti, ti.task, session):
                expanded = True
            else:
                found.append((ti.id, ti.pool))
        if expanded:
            session.flush()
        if expanded or any(dag.has_task(ti.task_id) and _looks_back(dag.get_task(ti.task_id)) for ti in tis):
            self.forget(run)
        return found

    def _dag_of(self, run: DagRun, session: Session) -> SerializedDAG | None:
        if len(self._dags_used) > _MOST_DAGS:  # Airflow's cache has no bound
            self._dags.clear_cache()
            self._dags_used.clear()
        self._dags_used.add(run.dag_id)
        return self._dags.get_dag_for_run(run, session=session)


def _waiting(session: Session, run: Run) -> list[TI]:
    query = (
        select(TI)
        .where(
            TI.dag_id == run.dag_id,
            TI.run_id == run.run_id,
            TI.pool.in_(SETTLED_POOLS),
            TI.state == WAITING_STATE,
        )
        .order_by(TI.id)
        .execution_options(populate_existing=True)
    )
    return list(session.scalars(with_row_locks(query, session, of=TI, key_share=False, skip_locked=True)))


def _ready(tis: list[TI], run: DagRun, dag: SerializedDAG, session: Session) -> list[TI]:
    """Return the instances that the scheduler would run now but for the gate.

    What its rules would end instead (as skipped, say) is left to it.
    """
    context = DepContext(
        ignore_in_retry_period=True,
        ignore_unmapped_tasks=True,
        # what only passes in a run that a replenishment makes executes in none of them: it has no past
        ignore_depends_on_past=_is_of_replenishment(run, session),
    )
    found = []
    for ti in tis:
        try:
            ti.task = dag.get_task(ti.task_id)
        except TaskNotFound:  # the scheduler marks it removed
            continue
        set_committed_value(ti, "dag_run", run)  # else a query for each
        detach(ti, dag, session)
        if ti.are_dependencies_met(dep_context=context, session=session) and ti.state == WAITING_STATE:
            found.append(ti)
    return found


def _is_of_replenishment(run: DagRun, session: Session) -> bool:
    if run.backfill_id is None:
        return False
    query = select(ReplenishmentRun.id).where(
        ReplenishmentRun.dag_id == run.dag_id, ReplenishmentRun.backfill_id == run.backfill_id
    )
    return session.scalar(query.limit(1)) is not None


def _without_result(session: Session, run: Run) -> set[str]:
    """The ids of tasks that succeeded without executing: nothing can be mapped over what they returned."""
    query = select(TI.task_id).where(
        TI.dag_id == run.dag_id,
        TI.run_id == run.run_id,
        TI.pool == GATE_POOLS[Downstream.RUN],
        TI.state.in_(State.finished),
    )
    return set(session.scalars(query))


def _looks_back(task: Any) -> bool:
    """Whether the turn of a task may come because of what happens in an earlier run."""
    return bool(task.depends_on_past or task.wait_for_downstream)


def _can_expand(task: Any, without_result: Collection[str]) -> bool:
    return task.get_needs_expansion() and not any(source in without_result for source in mapping_sources(task))


def _expand(ti: TI, task: Any, session: Session) -> bool:
    """Expand a waiting mapped task with Airflow's own function; tell whether it had anything to expand over.

    The hook gates the new instances. A task that is mapped over nothing becomes skipped, one whose input is missing
    upstream_failed, as the scheduler would have it.
    """
    row = session.scalars(select(TI).where(TI.id == ti.id).execution_options(populate_existing=True)).one()
    expand_mapped_task(row, task, session)
    if row.state == TaskInstanceState.UPSTREAM_FAILED:
        # nothing to map over: it is settled as its own effect says
        row.state = TaskInstanceState(WAITING_STATE)
        session.flush()
        return False
    return True


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
        changed: bool = self._ti.state != state
        self._ti.state = state
        return changed
