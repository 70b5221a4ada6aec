"""Keys of tasks, and conditions on many of them that every database answers from an index."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from sqlalchemy import ColumnElement, CompoundSelect, Select, and_, or_, union_all

from taskops_provider.domain.chunks import chunks as chunked

#: (dag_id, task_id); an empty ``task_id`` stands for the workflow
TaskKey = tuple[str, str]

#: pairs in one statement; SQLite nests one level of expression for each Dag among them, and takes 1000
CHUNK = 400
#: pairs in one query, which is a union of such statements: more than the rows of a page
PAIRS_A_QUERY = 2000


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


def queries_by_key(
    query: Select[*tuple[Any, ...]], dag_id: Any, task_id: Any, pairs: Collection[TaskKey], *, order_by: str
) -> Iterator[CompoundSelect[*tuple[Any, ...]]]:
    """Yield queries for the rows in which two columns hold one of the pairs: one for each 2000 pairs.

    :param order_by: the name of the column that the rows of each are sorted by
    """
    for some in chunks(pairs, PAIRS_A_QUERY):
        parts = [query.where(is_one_of(dag_id, task_id, chunk)) for chunk in chunks(some)]
        yield union_all(*parts).order_by(order_by)
