"""The tags of Dags."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection

from airflow.models.dag import DagTag
from sqlalchemy import select
from sqlalchemy.orm import Session


def dags_by_tag(session: Session, tags: Collection[str]) -> dict[str, frozenset[str]]:
    """Return those of some tags that each Dag has; Dags without any are missing. One query, none for no tags."""
    found: dict[str, set[str]] = defaultdict(set)
    if tags:
        query = select(DagTag.dag_id, DagTag.name).where(DagTag.name.in_(sorted(tags)))
        for dag_id, name in session.execute(query):
            found[dag_id].add(name)
    return {dag_id: frozenset(names) for dag_id, names in found.items()}
