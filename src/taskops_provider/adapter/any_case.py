"""Searching in any case: SQLite's ``lower`` knows the letters of ASCII only, other databases know theirs."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Boolean, ColumnElement, literal
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from taskops_provider.domain.any_case import glob_in_any_case


class _Holds(FunctionElement[bool]):
    """Whether a column has a part in it; only for parts that are not all ASCII."""

    type = Boolean()
    name = "holds"
    # the pattern is made for each database when the statement is
    inherit_cache = False

    def __init__(self, column: Any, part: str):
        super().__init__(column)
        self.column_searched = column
        self.part = part


@compiles(_Holds)
def _by_lower(element: _Holds, compiler: Any, **how: Any) -> str:
    found: str = compiler.process(element.column_searched.icontains(element.part, autoescape=True), **how)
    return found


@compiles(_Holds, "sqlite")
def _by_glob(element: _Holds, compiler: Any, **how: Any) -> str:
    pattern = literal(glob_in_any_case(element.part))
    found: str = compiler.process(element.column_searched.op("GLOB")(pattern), **how)
    return f"({found})"


def holds(column: Any, part: str) -> ColumnElement[bool]:
    """Return whether a text has a part in it, in any case; % and _ mean themselves."""
    found: ColumnElement[bool] = column.icontains(part, autoescape=True) if part.isascii() else _Holds(column, part)
    return found
