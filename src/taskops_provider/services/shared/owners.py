"""Owners of tasks and workflows, by key."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection

from sqlalchemy import select
from sqlalchemy.orm import Session

from taskops_provider.models import Owner
from taskops_provider.services.shared.bulk_reads import read_in_bulk
from taskops_provider.services.shared.task_keys import TaskKey, queries_by_key

_COLUMNS = (Owner.dag_id, Owner.task_id, Owner.owner)


def owners_by_key(session: Session, keys: Collection[TaskKey]) -> dict[TaskKey, list[str]]:
    """Return the owners of tasks, and of workflows (``task_id`` empty), sorted. A key without owners has an empty list.

    One query for each 2000 keys; it reads the rows of these keys alone.
    """
    owners: dict[TaskKey, list[str]] = defaultdict(list)
    for query in queries_by_key(select(*_COLUMNS), Owner.dag_id, Owner.task_id, set(keys), order_by="owner"):
        for dag_id, task_id, owner in session.execute(query):
            owners[dag_id, task_id].append(owner)
    return owners


def owners_of_all_tasks(session: Session, dag_ids: Collection[str] | None) -> dict[TaskKey, list[str]]:
    """Return the owners of every task of some Dags (None: of all Dags), sorted. One query, for very many tasks."""
    query = select(*_COLUMNS).where(Owner.task_id != "")
    if dag_ids is not None:
        query = query.where(Owner.dag_id.in_(dag_ids))
    owners: dict[TaskKey, list[str]] = defaultdict(list)
    # by the whole key: an order that the table has already
    for dag_id, task_id, owner in read_in_bulk(session, query.order_by(*Owner.__table__.primary_key)):
        owners[dag_id, task_id].append(owner)
    return owners
