"""The newest runs of a Dag, for reading."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

from airflow.models.dagrun import DagRun
from airflow.utils.types import DagRunType
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from taskops_provider.adapter.instance_orders import run_is_held


def recent_runs(session: Session, dag_id: str, limit: int) -> list[Any]:
    """Return rows of a Dag's newest runs, the newest first: one query."""
    query = (
        select(
            DagRun.run_id,
            DagRun.run_type,
            DagRun.state,
            DagRun.logical_date,
            DagRun.data_interval_start,
            DagRun.data_interval_end,
            DagRun.run_after,
            DagRun.start_date,
            DagRun.end_date,
            run_is_held().label("held"),
        )
        .where(DagRun.dag_id == dag_id)
        .order_by(DagRun.run_after.desc(), DagRun.id.desc())
        .limit(limit)
    )
    return list(session.execute(query))


def first_logical_date(session: Session, dag_ids: Collection[str]) -> datetime | None:
    """Return the earliest logical date of the runs of some Dags that people did not create by hand: one query."""
    is_theirs = DagRun.dag_id.in_(sorted(dag_ids))
    query = select(func.min(DagRun.logical_date)).where(is_theirs, DagRun.run_type != DagRunType.MANUAL)
    return session.scalar(query)
