"""What tests do to Airflow's metadata database: write Dags as the dag-processor does, empty it again."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

from airflow import settings
from airflow.dag_processing.collection import update_dag_parsing_results_in_db
from airflow.models.base import Base as AirflowBase
from airflow.models.dagbundle import DagBundleModel
from airflow.sdk import DAG
from airflow.serialization.serialized_objects import LazyDeserializedDAG
from sqlalchemy import CompoundSelect, Table, delete, exists, literal, select, text, union_all, update
from sqlalchemy.orm import Session

from taskops_provider.models import metadata as taskops_metadata

BUNDLE = "dags-folder"

#: Airflow's tables that tests write, children first
_AIRFLOW_TABLES = (
    "task_instance_note",
    "task_instance_history",
    "rendered_task_instance_fields",
    "rtif_v1",
    "rtif_v2",
    "task_reschedule",
    "xcom",
    "xcom_v1",
    "xcom_v2",
    "legacy_task_data_owner",
    "task_map",
    "task_instance",
    "dynamic_region",
    "trigger",
    "dagrun_asset_event",
    "dag_run_note",
    "backfill_dag_run",
    "dag_run",
    "backfill",
    "asset_dag_run_queue",
    "asset_event",
    "task_outlet_asset_reference",
    "task_inlet_asset_reference",
    "dag_schedule_asset_reference",
    "asset_active",
    "asset",
    "dag_code",
    "serialized_dag",
    "dag_version",
    "dag_tag",
    "dag_owner_attributes",
    "dag_warning",
    "dag",
    "dag_bundle_team",
    "team",
    "log",
    "job",
)


def new_session() -> Session:
    """Return a session that is not the process's scoped one."""
    return settings.NonScopedSession()


def empty_tables() -> None:
    """Delete what tests wrote: our tables, Airflow's Dags, runs and instances, our pools.

    Whoever wrote it, this process or another; tables that are empty cost nothing but a part of one query.
    """
    with new_session() as session:
        written = set(session.scalars(_which_are_written()))
        for table, which in _emptied().items():
            if table.name in written:
                session.execute(delete(table).where(*which))
        if session.get_bind().dialect.name == "sqlite":
            # our numbers are never given twice, so that each test would go on where another one stopped
            session.execute(text("DELETE FROM sqlite_sequence WHERE name LIKE 'taskops%'"))
        session.commit()


@cache
def _emptied() -> dict[Table, tuple[Any, ...]]:
    """Table -> which of its rows are of tests; children first."""
    from airflow.models import import_all_models
    from airflow.models.pool import Pool

    import_all_models()
    ours = reversed(taskops_metadata.sorted_tables)
    airflows = (
        # some are of certain versions
        AirflowBase.metadata.tables[name]
        for name in _AIRFLOW_TABLES
        if name in AirflowBase.metadata.tables
    )
    return {**dict.fromkeys((*ours, *airflows), ()), Pool.__table__: (Pool.pool.like("taskops%"),)}


@cache
def _which_are_written() -> CompoundSelect[Any]:
    return union_all(
        *(
            select(literal(table.name)).where(exists(select(literal(1)).select_from(table).where(*which)))
            for table, which in _emptied().items()
        )
    )


def write_dags(
    dags: Iterable[DAG],
    session: Session,
    *,
    bundle: str = BUNDLE,
    files: dict[str, str] | None = None,
    bundle_version: str | None = None,
) -> None:
    """Store Dags as the dag-processor stores what it parsed, and commit.

    :param bundle_version: of a bundle that keeps versions: runs go on with the version they were created with
    :param files: ``dag_id`` -> path of its file inside the bundle
    """
    if not session.scalar(select(DagBundleModel).where(DagBundleModel.name == bundle)):
        session.add(DagBundleModel(name=bundle))
        session.commit()
    lazy = []
    for dag in dags:
        relative = (files or {}).get(dag.dag_id, f"{dag.dag_id}.py")
        path = Path(settings.DAGS_FOLDER) / relative
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"# {dag.dag_id}\n")
        dag.fileloc = str(path)
        dag.relative_fileloc = relative
        lazy.append(LazyDeserializedDAG.from_dag(dag))
    update_dag_parsing_results_in_db(
        bundle_name=bundle,
        bundle_version=bundle_version,
        dags=lazy,
        import_errors={},
        parse_duration=None,
        warnings=set(),
        session=session,
    )
    session.commit()


def spoil(dag_id: str, session: Session) -> None:
    """Make what Airflow has stored of a Dag unreadable, and commit."""
    from airflow.models.serialized_dag import SerializedDagModel

    broken = {"_data": {"__version": 3, "dag": {}}, "_data_compressed": None}
    session.execute(update(SerializedDagModel).where(SerializedDagModel.dag_id == dag_id).values(**broken))
    session.commit()


def serialized(dag_id: str, session: Session) -> Any:
    """Return the scheduler's view of a Dag: its latest serialized version."""
    from airflow.models.serialized_dag import SerializedDagModel

    return SerializedDagModel.get_dag(dag_id, session=session)
