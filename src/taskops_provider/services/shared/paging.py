"""Pages of lists."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy import Select, SQLColumnExpression

from taskops_provider.exceptions import BadInput, NotAllowed

Row = TypeVar("Row")

MAX_LIMIT = 1000


@dataclass(frozen=True)
class Page(Generic[Row]):
    """Some rows of a list and how many there are in all."""

    rows: list[Row]
    total_entries: int
    limit: int
    offset: int


def check_page(limit: int, offset: int) -> None:
    """Refuse a page that cannot be.

    :raises BadInput: for a limit outside 1..1000 or a negative offset
    """
    if not 1 <= limit <= MAX_LIMIT:
        raise BadInput(f"limit is {limit}; allowed are 1 to {MAX_LIMIT}")
    if offset < 0:
        raise BadInput(f"offset is {offset}; it cannot be negative")


def order(
    query: Select[*tuple[Any, ...]],
    order_by: str,
    columns: Mapping[str, SQLColumnExpression[Any]],
    tie_breakers: Sequence[SQLColumnExpression[Any]],
) -> Select[*tuple[Any, ...]]:
    """Sort by a column's name, descending with a ``-`` in front, ties always the same way.

    :raises BadInput: for a column that the list does not have
    """
    name = order_by.removeprefix("-")
    if name not in columns:
        raise NotAllowed("order_by", order_by, f"{', '.join(columns)} (with a - in front: descending)")
    column = columns[name]
    return query.order_by(column.desc() if order_by.startswith("-") else column.asc(), *tie_breakers)
