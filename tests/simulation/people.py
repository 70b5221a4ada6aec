"""People who use Airflow itself: what its own UI and API do for them."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta

from airflow._shared.timezones import timezone
from airflow.api.common.trigger_dag import trigger_dag
from airflow.assets.manager import asset_manager
from airflow.exceptions import AirflowException
from airflow.models.asset import AssetModel
from airflow.models.backfill import Backfill, ReprocessBehavior, _create_backfill
from airflow.models.dag import DagModel
from airflow.models.dagrun import DagRun
from airflow.utils.state import DagRunState, TaskInstanceState
from airflow.utils.types import DagRunTriggeredByType
from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from tests.simulation.actors import actor
from tests.simulation.clock import START
from tests.simulation.world import World


def run_at(session: Session, dag_id: str, run: int) -> DagRun | None:
    """The run that a script means: its number in the order in which the Dag's runs were made."""
    found = session.scalars(select(DagRun).where(DagRun.dag_id == dag_id).order_by(DagRun.id)).all()
    return found[run % len(found)] if found else None


@actor("api")
def pause_dag(world: World, dag: str) -> None:
    """Pause a Dag in Airflow."""
    _set_paused(world, dag, paused=True)


@actor("api")
def unpause_dag(world: World, dag: str) -> None:
    """Unpause it."""
    _set_paused(world, dag, paused=False)


def _set_paused(world: World, dag_id: str, *, paused: bool) -> None:
    with world.session() as session:
        model = session.get(DagModel, dag_id)
        if model is not None:
            model.is_paused = paused


@actor("api")
def trigger(world: World, dag: str) -> None:
    """Trigger a run by hand."""
    # refused where a run of this moment is there already
    with suppress(AirflowException, ValueError), world.session() as session:
        trigger_dag(dag, triggered_by=DagRunTriggeredByType.UI, session=session)


@actor("api")
def clear(world: World, dag: str, run: int, task: str, downstream: bool = True) -> None:
    """Clear a task in a run, with what follows it or alone."""
    with world.session() as session:
        found = run_at(session, dag, run)
        serialized = found and world.api_dags.get_dag_for_run(found, session=session)
        if not found or not serialized or not serialized.has_task(task):
            return
        chosen = {task}
        if downstream:
            chosen = set(serialized.partial_subset([task], include_downstream=True, include_upstream=False).task_dict)
        serialized.clear(
            task_ids=sorted(chosen), run_id=found.run_id, dag_run_state=DagRunState.QUEUED, session=session
        )


@actor("api")
def mark(world: World, dag: str, run: int, task: str, state: str) -> None:
    """Mark a task in a run success, failed or skipped."""
    with world.session() as session:
        found = run_at(session, dag, run)
        serialized = found and world.api_dags.get_dag_for_run(found, session=session)
        if not found or not serialized or not serialized.has_task(task):
            return
        serialized.set_task_instance_state(
            task_id=task, run_id=found.run_id, state=TaskInstanceState(state), commit=True, session=session
        )


@actor("api")
def delete_run(world: World, dag: str, run: int) -> None:
    """Delete a run, unless it is running."""
    with world.session() as session:
        found = run_at(session, dag, run)
        if found is not None and found.state != DagRunState.RUNNING:
            session.delete(found)


@actor("api")
def backfill(world: World, dag: str, first: int, last: int, conf: dict[str, object] | None = None) -> None:
    """Backfill cycles: hours before the history began, from ``first`` to ``last``."""
    # refused where another one goes on, or the Dag has no schedule
    with suppress(AirflowException, ValueError, IntegrityError):
        _create_backfill(
            dag_id=dag,
            from_date=START - timedelta(hours=first),
            to_date=START - timedelta(hours=last),
            max_active_runs=2,
            reverse=False,
            dag_run_conf=conf,
            triggering_user_name="carol",
            reprocess_behavior=ReprocessBehavior.NONE,
        )


@actor("api")
def cancel_backfill(world: World) -> None:
    """Cancel the newest backfill that a person made, as Airflow's API does."""
    with world.session() as session:
        query = select(Backfill).where(Backfill.completed_at.is_(None), Backfill.triggering_user_name == "carol")
        found = session.scalars(query.order_by(Backfill.id.desc())).first()
        if found is None:
            return
        found.is_paused = True
        session.commit()
        session.execute(
            update(DagRun)
            .where(DagRun.backfill_id == found.id, DagRun.state == DagRunState.QUEUED)
            .values(state=DagRunState.FAILED)
            .execution_options(synchronize_session=False)
        )
        session.commit()
        session.refresh(found)
        found.completed_at = timezone.utcnow()


@actor("api")
def asset_event(world: World, asset: str) -> None:
    """Say that an asset was updated."""
    with world.session() as session:
        model = session.scalar(select(AssetModel).where(AssetModel.name == asset))
        if model is not None:
            asset_manager.register_asset_change(asset=model.to_serialized(), session=session)
