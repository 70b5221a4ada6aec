"""The SQL statements that this process sends."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from airflow import settings
from sqlalchemy import event


@contextmanager
def counted_queries(*, savepoints: bool = True) -> Iterator[list[str]]:
    """Collect the statements that Airflow's engine is sent meanwhile.

    :param savepoints: with those that begin and end savepoints
    """
    statements: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if savepoints or not statement.startswith(("SAVEPOINT", "RELEASE")):
            statements.append(statement)

    event.listen(settings.engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(settings.engine, "before_cursor_execute", note)


@dataclass
class WriterTransaction:
    """A transaction that had the writer's lock: what it was sent, how many rows it wrote, how long it had the lock."""

    since: float
    statements: list[str] = field(default_factory=list)
    rows: int = 0
    seconds: float = 0.0


@contextmanager
def writer_transactions() -> Iterator[list[WriterTransaction]]:
    """Collect the transactions of this thread that had the writer's lock."""
    thread = threading.current_thread()
    found: list[WriterTransaction] = []
    going_on: dict[int, WriterTransaction] = {}

    def sent(connection: Any, cursor: Any, statement: str, parameters: Any, _context: Any, executemany: bool) -> None:
        if threading.current_thread() is not thread:
            return
        key = id(connection.connection.dbapi_connection)
        if statement.startswith("UPDATE taskops_lease") and key not in going_on:
            going_on[key] = WriterTransaction(time.perf_counter())
        elif key in going_on and not statement.startswith(("SAVEPOINT", "RELEASE")):
            going_on[key].statements.append(statement)
            if not statement.startswith("SELECT"):
                # what many rows are sent as is one dictionary of all their values, or a list: the driver counts rows
                rows = cursor.rowcount if cursor.rowcount >= 0 else len(parameters) if executemany else 0
                going_on[key].rows += rows

    def ended(connection: Any) -> None:
        transaction = going_on.pop(id(connection.connection.dbapi_connection), None)
        if transaction is not None:
            transaction.seconds = time.perf_counter() - transaction.since
            found.append(transaction)

    listeners = (("after_cursor_execute", sent), ("commit", ended), ("rollback", ended))
    for name, listener in listeners:
        event.listen(settings.engine, name, listener)
    try:
        yield found
    finally:
        for name, listener in listeners:
            event.remove(settings.engine, name, listener)
