"""Dags with loops (Airflow 3.4), and their runs."""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.models.taskinstance import TaskInstance as TI
from airflow.sdk import DAG, task, task_group
from sqlalchemy import select
from sqlalchemy.orm import Session

START = datetime(2026, 1, 1, tzinfo=UTC)


def looped(dag_id: str = "looped", iterations: int = 3) -> DAG:
    """``before >> (choose >> work[0], work[1]) x iterations >> after``."""
    with DAG(dag_id, schedule="@daily", start_date=START, catchup=False) as dag:

        @task
        def before():
            return None

        @task
        def after():
            return None

        @task_group
        def batch():
            @task
            def choose():
                return [1, 2]

            @task
            def work(value):
                return value

            work.expand(value=choose())

        before() >> batch.loop(max_iterations=iterations) >> after()
    return dag


RESULTS = {"batch.choose": [1, 2]}


def instances_of(session: Session, task_id: str) -> list[TI]:
    """The instances of a task, those of the first iteration first."""
    session.expire_all()
    return list(session.scalars(select(TI).where(TI.task_id == task_id).order_by(TI.region_id, TI.map_index)))
