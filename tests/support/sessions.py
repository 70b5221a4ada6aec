"""Fixtures of tests on the migrated database, for the ``conftest.py`` of their folder to import."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy.orm import Session

from tests.support.airflow_db import empty_tables, new_session


@pytest.fixture
def session() -> Iterator[Session]:
    """A session of the test's own; what it and others committed is deleted afterwards."""
    with new_session() as opened:
        yield opened
        opened.rollback()
    empty_tables()
