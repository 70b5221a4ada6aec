"""Keys of tasks, and conditions on many of them that every database answers from an index."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from sqlalchemy import ColumnElement, and_, or_

from taskops_provider.domain.chunks import chunks as chunked

#: (dag_id, task_id); an empty ``task_id`` stands for the workflow
TaskKey = tuple[str, str]

#: pairs in one statement; SQLite nests one level of expression for each Dag among them, and takes 1000
CHUNK = 400


def chunks(pairs: Collection[TaskKey], size: int = CHUNK) -> Iterator[list[TaskKey]]:
    """Cut pairs, sorted, into lists of at most ``size``."""
    return chunked(sorted(pairs), size)


def is_one_of(dag_id: Any, task_id: Any, pairs: Collection[TaskKey]) -> ColumnElement[bool]:
    """Return the condition that two columns hold one of the pairs.

    Spelled out by Dag: SQLite scans the whole table for a row value ``IN`` a list.
    """
    by_dag: dict[str, list[str]] = {}
    for dag, task in pairs:
        by_dag.setdefault(dag, []).append(task)
    return or_(*(and_(dag_id == dag, task_id.in_(tasks)) for dag, tasks in by_dag.items()))
