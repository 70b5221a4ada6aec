"""Airflow is configured when it is first imported: give it a home and a database of its own before that."""

from __future__ import annotations

import os

import pytest

from tests.support import database

database.prepare()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what the other run of the database tests, on PostgreSQL, is for."""
    if os.environ.get("TASKOPS_TEST_DB") == "postgresql":
        return
    only_there = [item for item in items if item.get_closest_marker("postgres")]
    if only_there:
        config.hook.pytest_deselected(items=only_there)
        items[:] = [item for item in items if item not in only_there]
