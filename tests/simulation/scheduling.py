"""Airflow's scheduler and its Dag processor: their own functions, transaction by transaction."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

from airflow import settings
from airflow.dag_processing.collection import update_dag_parsing_results_in_db
from airflow.models.dagrun import DagRun
from airflow.serialization.serialized_objects import LazyDeserializedDAG
from airflow.utils.sqlalchemy import is_lock_not_available_error, prohibit_commit
from sqlalchemy.exc import OperationalError

from tests.simulation.actors import actor
from tests.simulation.dags import DagSpec, build, task_from_json
from tests.simulation.world import World
from tests.support.airflow_db import BUNDLE


@actor("scheduler")
def create_runs(world: World) -> None:
    """Make the runs that are due, of schedules and of asset events."""
    with world.session() as session, prohibit_commit(session) as guard:
        world.runner._create_dagruns_for_dags(guard, session)


@actor("scheduler")
def start_queued(world: World) -> None:
    """Set queued runs running."""
    with world.session() as session, prohibit_commit(session) as guard:
        world.runner._start_queued_dagruns(session)
        guard.commit()


@actor("scheduler")
def look(world: World, run: int | None = None) -> None:
    """Look at the running runs, or at one of them: another scheduler has the others."""
    with world.session() as session, prohibit_commit(session) as guard:
        runs = list(DagRun.get_running_dag_runs_to_examine(session=session))
        if run is not None and runs:
            runs = [sorted(runs, key=lambda each: each.id)[run % len(runs)]]
        for each in runs:
            world.runner._schedule_dag_run(each, session=session)
        guard.commit()


@actor("scheduler")
def queue(world: World) -> None:
    """Hand what is scheduled to the executor."""
    try:
        with world.session() as session, prohibit_commit(session) as guard:
            world.runner._critical_section_enqueue_task_instances(session=session)
            guard.commit()
    except OperationalError as error:
        if not is_lock_not_available_error(error=error):
            raise  # else another scheduler is at it, and this one leaves it to that


@actor("scheduler")
def heed_executor(world: World) -> None:
    """Look at what the executor says of what it was handed."""
    with world.session() as session:
        world.runner._process_executor_events(world.executor, session)


@actor("scheduler")
def complete_backfills(world: World) -> None:
    """Mark backfills completed."""
    with world.session() as session:
        world.runner._mark_backfills_complete(session=session)


@actor("scheduler")
def parse(world: World, dag: str) -> None:
    """Parse a Dag file again, unchanged."""
    write(world, [world.spec(dag)])


@actor("scheduler")
def change(
    world: World, dag: str, task: dict[str, Any] | None = None, kind: dict[str, str] | None = None, gone: str = ""
) -> None:
    """Parse a new version of a Dag: with a task more or one changed, of another kind, or gone."""
    spec = world.spec(dag)
    if task is not None:
        new = task_from_json(task)
        spec = spec.with_task(new) if set(new.upstream) <= set(spec.of) else spec
    for task_id, other in (kind or {}).items():
        if task_id in spec.of:
            spec = spec.with_task(_as(spec, task_id, other))
    if gone and len(spec.tasks) > 1:
        spec = spec.without(gone)
    if spec != world.spec(dag):
        world.dags[dag].becomes(spec)
    write(world, [spec])


def _as(spec: DagSpec, task_id: str, kind: str) -> Any:
    from dataclasses import replace

    return replace(spec.of[task_id], kind=kind)


@lru_cache(maxsize=512)
def _serialized(spec: DagSpec) -> LazyDeserializedDAG:
    dag = build(spec)
    path = Path(settings.DAGS_FOLDER) / f"{spec.id}.py"
    if not path.exists():
        path.write_text(f"# {spec.id}\n")
    dag.fileloc = str(path)
    dag.relative_fileloc = path.name
    return LazyDeserializedDAG.from_dag(dag)


def write(world: World, specs: list[DagSpec]) -> None:
    """Store Dags as the Dag processor does."""
    with world.session() as session:
        update_dag_parsing_results_in_db(
            bundle_name=BUNDLE,
            bundle_version=None,
            dags=[_serialized(spec) for spec in specs],
            import_errors={},
            parse_duration=None,
            warnings=set(),
            session=session,
        )
