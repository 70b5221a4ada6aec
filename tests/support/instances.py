"""Runs and instances written straight into Airflow's tables, many at once."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.models.dagrun import DagRun
from airflow.models.taskinstance import TaskInstance as TI
from sqlalchemy import insert
from sqlalchemy.orm import Session

START = datetime(2026, 1, 1, tzinfo=UTC)


def write_runs(
    session: Session, dag_id: str, task_ids: Iterable[str], numbers: Iterable[int], state: str | None = "success"
) -> None:
    """Write daily runs ``run_0000``, ... in which every task is in one state, and commit.

    Instances that have started did so an hour into the day and took ``number`` seconds.
    """
    numbers, task_ids = list(numbers), list(task_ids)
    session.execute(insert(DagRun.__table__), [_run(dag_id, number) for number in numbers])
    session.execute(
        insert(TI.__table__), [_instance(dag_id, task_id, number, state) for number in numbers for task_id in task_ids]
    )
    session.commit()


def run_id_of(number: int) -> str:
    """The id of a run of :func:`write_runs`."""
    return f"run_{number:04}"


def _run(dag_id: str, number: int) -> dict[str, Any]:
    day = START + timedelta(days=number)
    return {
        "dag_id": dag_id,
        "run_id": run_id_of(number),
        "logical_date": day,
        "data_interval_start": day,
        "data_interval_end": day + timedelta(days=1),
        "run_after": day + timedelta(days=1),
        "state": "success",
        "run_type": "scheduled",
        "clear_number": 0,
        "created_at": day,
        "updated_at": day,
    }


def _instance(dag_id: str, task_id: str, number: int, state: str | None) -> dict[str, Any]:
    started = START + timedelta(days=number, hours=1) if state in ("success", "failed", "running") else None
    ended = started + timedelta(seconds=number) if started and state != "running" else None
    return {
        "id": uuid.uuid4(),
        "dag_id": dag_id,
        "task_id": task_id,
        "run_id": run_id_of(number),
        "map_index": -1,
        "state": state,
        "start_date": started,
        "end_date": ended,
        "duration": float(number) if ended else None,
        "pool": "default_pool",
        "pool_slots": 1,
        "queue": "default",
        "priority_weight": 1,
        "try_number": 1 if started else 0,
        "max_tries": 0,
        "executor_config": {},
        "span_status": "not_started",
    }
