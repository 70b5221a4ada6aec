"""The texts of a JSON list as rows, which each database has under a name of its own."""

from __future__ import annotations

from typing import Any

from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement


class json_texts(FunctionElement[str]):  # it is written like a function of SQL
    """``json_texts(column["names"]).table_valued("value")``: a row for each text of a list; none where it is NULL."""

    name = "json_texts"
    inherit_cache = True


@compiles(json_texts)
def _as_elements(element: json_texts, compiler: SQLCompiler, **given: Any) -> str:
    return f"json_array_elements_text({compiler.process(element.clauses, **given)})"


@compiles(json_texts, "sqlite")
def _as_each(element: json_texts, compiler: SQLCompiler, **given: Any) -> str:
    return f"json_each({compiler.process(element.clauses, **given)})"


@compiles(json_texts, "mysql", "mariadb")
def _as_table(element: json_texts, compiler: SQLCompiler, **given: Any) -> str:
    return f"JSON_TABLE({compiler.process(element.clauses, **given)}, '$[*]' COLUMNS (value TEXT PATH '$'))"
