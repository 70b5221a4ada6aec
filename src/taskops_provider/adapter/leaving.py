"""What of ours is in Airflow's tables, and has to go before the package does."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple
from uuid import UUID

from airflow.models.connection import Connection
from airflow.models.pool import Pool
from airflow.models.taskinstance import TaskInstance as TI
from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from taskops_provider.adapter.runs import GATED_POOLS, unfinished_instance
from taskops_provider.domain.gate import FOREIGN_MARK


class WaitingInstance(NamedTuple):
    """An unfinished instance in a pool of the gate."""

    id: UUID
    dag_id: str
    task_id: str
    pool: str
    #: it waits for its Dag to be unpaused for everybody
    for_dag: bool


def waiting(session: Session) -> list[WaitingInstance]:
    """Return all unfinished instances in the gate's pools. One query."""
    columns = (TI.id, TI.dag_id, TI.task_id, TI.pool, TI.retry_reason)
    query = select(*columns).where(TI.pool.in_(GATED_POOLS), unfinished_instance()).order_by(TI.id)
    return [WaitingInstance(row[0], row[1], row[2], row[3], row[4] == FOREIGN_MARK) for row in session.execute(query)]


def count_waiting(session: Session) -> dict[str, int]:
    """Count them by pool."""
    query = select(TI.pool, func.count()).where(TI.pool.in_(GATED_POOLS), unfinished_instance()).group_by(TI.pool)
    return {row[0]: row[1] for row in session.execute(query)}


def pools(session: Session) -> list[str]:
    """Return those of the gate's pools that exist."""
    return sorted(session.scalars(select(Pool.pool).where(Pool.pool.in_(GATED_POOLS))))


def delete_pools(session: Session, names: Collection[str]) -> None:
    """Delete pools."""
    session.execute(delete(Pool).where(Pool.pool.in_(names)).execution_options(synchronize_session=False))


def connections(session: Session) -> list[str]:
    """Return the ids of connections that only this package can use."""
    return sorted(session.scalars(select(Connection.conn_id).where(Connection.conn_type == "taskops")))
