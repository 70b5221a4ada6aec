"""Sessions on the migrated database, emptied after each test."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from airflow import settings
from sqlalchemy import event
from sqlalchemy.orm import Session

from tests.support.airflow_db import empty_tables, new_session


@pytest.fixture
def session() -> Iterator[Session]:
    """A session of the test's own; what it and others committed is deleted afterwards."""
    with new_session() as opened:
        yield opened
        opened.rollback()
    empty_tables()


@pytest.fixture
def count_queries():
    """``with count_queries() as statements:`` collects the SQL that Airflow's engine runs."""

    @contextmanager
    def counting() -> Iterator[list[str]]:
        statements: list[str] = []

        def note(_conn, _cursor, statement, _parameters, _context, _many):
            statements.append(statement)

        event.listen(settings.engine, "before_cursor_execute", note)
        try:
            yield statements
        finally:
            event.remove(settings.engine, "before_cursor_execute", note)

    return counting
