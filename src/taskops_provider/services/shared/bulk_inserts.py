"""Inserting many rows with few statements.

``session.add_all`` reads back the key of each row, which on SQLite takes a statement a row.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from sqlalchemy import insert, inspect
from sqlalchemy.orm import Session

from taskops_provider.domain.answers import Json
from taskops_provider.models.base import Base

AnyRow = TypeVar("AnyRow", bound=Base)


def insert_rows(session: Session, rows: Sequence[Base]) -> None:
    """Insert rows of one table whose keys nobody needs."""
    if rows:
        session.execute(insert(type(rows[0])), [_values(row) for row in rows])


def insert_returning(session: Session, rows: Sequence[AnyRow]) -> list[AnyRow]:
    """Insert rows of one table and return them as they are then, with their keys, in the order of these."""
    if not rows:
        return []
    kind = type(rows[0])
    found = session.scalars(insert(kind).returning(kind), [_values(row) for row in rows])
    return sorted(found, key=lambda row: inspect(row).identity)  # type: ignore[return-value,arg-type]


def _values(row: Base) -> Json:
    """The columns that were set."""
    return {name: value for name, value in vars(row).items() if not name.startswith("_")}
