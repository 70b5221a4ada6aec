"""Thousands of Dags in Airflow's tables, within seconds."""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.models.dag import DagModel
from airflow.models.dag_version import DagVersion
from airflow.models.serialized_dag import SerializedDagModel
from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG
from sqlalchemy import insert, select
from sqlalchemy.orm import Session
from uuid6 import uuid7

from tests.support.airflow_db import write_dags


def fill(session: Session, count: int, *, tasks: int = 3, first: int = 0) -> None:
    """Write Dags by copying the rows of one named ``pattern``, as many as a large installation has."""
    with DAG("pattern", schedule="0 3 * * *", start_date=datetime(2024, 1, 1, tzinfo=UTC)) as dag:
        for number in range(tasks):
            BashOperator(task_id=f"t{number}", bash_command=f"echo {number}", owner="amy,bob")
    write_dags([dag], session)
    for start in range(first, first + count, 500):
        ids = {f"dag_{number:05}": uuid7() for number in range(start, min(start + 500, first + count))}
        _copy(session, DagModel, [{"dag_id": dag_id} for dag_id in ids])
        _copy(session, DagVersion, [{"dag_id": dag_id, "id": version_id} for dag_id, version_id in ids.items()])
        _copy(
            session,
            SerializedDagModel,
            [{"dag_id": dag_id, "id": uuid7(), "dag_version_id": version_id} for dag_id, version_id in ids.items()],
        )
    session.commit()


def _copy(session: Session, model: type, changes: list[dict[str, object]]) -> None:
    table = model.__table__
    row = dict(session.execute(select(table).where(table.c.dag_id == "pattern")).mappings().one())
    rows = [{**row, **change} for change in changes]
    if model is SerializedDagModel:
        rows = [
            {**each, "data": {**row["data"], "dag": {**row["data"]["dag"], "dag_id": each["dag_id"]}}} for each in rows
        ]
    session.execute(insert(table), rows)
