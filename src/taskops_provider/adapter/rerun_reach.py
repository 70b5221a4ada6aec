"""What is downstream of instances, as Airflow's own clearing has it: in their run, and in runs of other Dags."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from airflow.models.dagbag import DBDagBag
from airflow.models.dagrun import DagRun
from airflow.models.taskinstance import TaskInstance as TI
from airflow.utils.state import TaskInstanceState
from sqlalchemy import and_, or_, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from taskops_provider.adapter.compatibility import MAP_INDEX, REGION_ID
from taskops_provider.adapter.loops import loop_regions
from taskops_provider.adapter.runs import GATED_POOLS
from taskops_provider.domain.chunks import chunks
from taskops_provider.domain.gate import WAITING_STATE


class RunOfDag(NamedTuple):
    """A run, with its data time; None for one that is for no time."""

    dag_id: str
    run_id: str
    logical_date: datetime | None


class Following(NamedTuple):
    """An instance that has run, or is running, in a run.

    :param region_id: of a task in a loop
    """

    dag_id: str
    task_id: str
    run_id: str
    map_index: int
    region_id: str | None = None


def below_in_runs(session: Session, dag_id: str, tasks: Mapping[str, Collection[str]]) -> dict[str, frozenset[str]]:
    """Return what is downstream of tasks in each run, setups and teardowns as Airflow's clearing adds them.

    A run whose Dag cannot be read has nothing there. Each version of the Dag is loaded once.

    :param tasks: run id -> ids of tasks
    """
    dags = DBDagBag(load_op_links=False)
    found: dict[str, frozenset[str]] = {}
    known: dict[tuple[object, frozenset[str]], frozenset[str]] = {}
    for chunk in chunks(sorted(tasks)):
        for run in session.scalars(select(DagRun).where(DagRun.dag_id == dag_id, DagRun.run_id.in_(chunk))):
            key = (run.created_dag_version_id, frozenset(tasks[run.run_id]))
            if key not in known:
                known[key] = _below(dags, run, key[1], session)
            found[run.run_id] = known[key]
    return found


def _below(dags: DBDagBag, run: DagRun, task_ids: frozenset[str], session: Session) -> frozenset[str]:
    try:
        dag = dags.get_dag_for_run(run, session=session)
    except DBAPIError:
        raise
    except Exception:  # what Airflow has stored of it cannot be read
        dag = None
    there = task_ids & set(dag.task_dict) if dag is not None else set()
    if dag is None or not there:
        return frozenset()
    part = dag.partial_subset(sorted(there), include_downstream=True, include_upstream=False)
    return frozenset(part.task_dict) - task_ids


def instances_to_rerun(
    session: Session, dag_id: str, tasks: Mapping[str, Collection[str]], at_most: int
) -> list[Following]:
    """Return the instances of tasks in runs that have run, or are running: what has not runs when its turn comes.

    :param tasks: run id -> ids of tasks
    :param at_most: one more is returned where there are more: mapped tasks have any number
    """
    by_tasks: dict[frozenset[str], list[str]] = defaultdict(list)
    for run_id, task_ids in tasks.items():
        by_tasks[frozenset(task_ids)].append(run_id)
    not_yet = (TaskInstanceState.SCHEDULED, TaskInstanceState.QUEUED, TaskInstanceState.REMOVED)
    waits = and_(TI.state == WAITING_STATE, TI.pool.in_(GATED_POOLS))
    found: list[Following] = []
    for task_ids, run_ids in by_tasks.items():
        for some in chunks(run_ids):
            for names in chunks(sorted(task_ids)):
                query = select(TI.dag_id, TI.task_id, TI.run_id, MAP_INDEX, REGION_ID).where(
                    TI.dag_id == dag_id,
                    TI.run_id.in_(some),
                    TI.task_id.in_(names),
                    TI.state.is_not(None),
                    TI.state.not_in(not_yet),
                    ~waits,
                )
                found += _with_regions(session, session.execute(query.limit(at_most + 1 - len(found))).all())
                if len(found) > at_most:
                    return found
    return sorted(found, key=lambda one: one._replace(region_id=one.region_id or ""))


def _with_regions(session: Session, rows: Sequence[Any]) -> list[Following]:
    regions = loop_regions(session, ((row.task_id, row.region_id) for row in rows))
    return [
        Following(row[0], row[1], row[2], row[3], str(row.region_id) if row.region_id in regions else None)
        for row in rows
    ]


def runs_at(session: Session, wanted: Collection[tuple[str, datetime]]) -> list[RunOfDag]:
    """Return the runs of Dags at data times."""
    by_dag: dict[str, set[datetime]] = defaultdict(set)
    for dag_id, moment in wanted:
        by_dag[dag_id].add(moment)
    found: list[RunOfDag] = []
    for some in chunks(sorted(by_dag), 50):
        which = or_(*(and_(DagRun.dag_id == one, DagRun.logical_date.in_(by_dag[one])) for one in some))
        query = select(DagRun.dag_id, DagRun.run_id, DagRun.logical_date).where(which)
        found += [RunOfDag(*row) for row in session.execute(query)]
    return found


def runs_by_id(session: Session, dag_id: str, run_ids: Collection[str]) -> list[RunOfDag]:
    """Return runs of a Dag."""
    found: list[RunOfDag] = []
    for some in chunks(sorted(run_ids)):
        query = select(DagRun.dag_id, DagRun.run_id, DagRun.logical_date)
        query = query.where(DagRun.dag_id == dag_id, DagRun.run_id.in_(some))
        found += [RunOfDag(*row) for row in session.execute(query)]
    return found
