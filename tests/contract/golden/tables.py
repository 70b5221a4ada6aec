"""What a request changed in the database: rows that came, went or differ."""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import closing
from typing import Any

#: Airflow's tables that TaskOps writes -> the columns that it writes
_AIRFLOW = {
    "dag": ("dag_id", "is_paused"),
    "dag_run": ("dag_id", "run_id", "state", "run_type", "conf"),
    "task_instance": ("dag_id", "run_id", "task_id", "map_index", "state", "pool"),
    "task_instance_note": ("content",),
    "log": ("event", "owner", "dag_id", "task_id", "run_id"),
    "backfill": ("dag_id", "from_date", "to_date", "is_paused", "completed_at", "max_active_runs"),
}
_NAMES = ("name", "id", "dag_id", "run_id", "task_id", "map_index")

#: column -> value
Row = dict[str, Any]
#: table -> primary key -> row
Rows = dict[str, dict[tuple[Any, ...], Row]]


def read_rows(path: str) -> Rows:
    """Return all rows of TaskOps' tables, and of Airflow's what TaskOps writes."""
    with closing(sqlite3.connect(path)) as connection:
        connection.row_factory = sqlite3.Row
        query = "SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE 'taskops%' ORDER BY name"
        chosen = {row["name"]: () for row in connection.execute(query)} | _AIRFLOW
        return {table: _rows(connection, table, columns) for table, columns in chosen.items()}


def _rows(connection: sqlite3.Connection, table: str, columns: tuple[str, ...]) -> dict[tuple[Any, ...], Row]:
    keys = [row["name"] for row in connection.execute(f"PRAGMA table_info({table})") if row["pk"]]
    assert keys, table
    return {
        tuple(row[key] for key in keys): {name: _value(row[name]) for name in columns or row.keys()}
        for row in connection.execute(f"SELECT * FROM {table}")
    }


def _value(stored: Any) -> Any:
    # parts of downloads
    return zlib.decompress(stored).decode() if isinstance(stored, bytes) and stored[:1] == b"x" else stored


def changes(before: Rows, after: Rows) -> list[str]:
    """One line for each row that came, went or differs."""
    return [line for table in after for line in sorted(_of_table(table, before[table], after[table]))]


def _of_table(table: str, before: dict[tuple[Any, ...], Row], after: dict[tuple[Any, ...], Row]) -> Iterator[str]:
    for key in before.keys() | after.keys():
        old, new = before.get(key), after.get(key)
        if old == new:
            continue
        if old is None or new is None:
            values = ", ".join(f"{name}={value!r}" for name, value in (new or old or {}).items() if value is not None)
            yield f"{'-' if new is None else '+'} {table} {values}"
            continue
        named = " ".join(str(old[name]) for name in _NAMES if old.get(name) not in (None, ""))
        differing = "; ".join(f"{name}: {old[name]!r} -> {new[name]!r}" for name in new if old[name] != new[name])
        yield f"~ {table} {named}: {differing}"
