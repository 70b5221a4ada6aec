"""Airflow is configured when it is first imported: give it a home and a database of its own before that."""

from __future__ import annotations

import gc
import os

import hypothesis
import pytest

from tests.support import database

# what Airflow and its web stack make lives as long as the process: looking through it took a tenth of the time
gc.set_threshold(100_000, 50, 100)
database.prepare()
# no test is about time: a machine that others use is slow now and then
_PATIENT = hypothesis.settings(deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.register_profile("patient", _PATIENT)
hypothesis.settings.load_profile("patient")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--quick``, and what ``make golden`` says."""
    quick = (
        "leave out slow tests, and take the first parameters alone of each that asks a database or Airflow's timetables"
    )
    parser.addoption("--quick", action="store_true", help=quick)
    parser.addoption("--update-golden", action="store_true", help="record the answers of tests/contract/golden anew")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what the other run of the database tests, on PostgreSQL, is for; and what is not quick, if asked."""
    kept = items
    if os.environ.get("TASKOPS_TEST_DB") != "postgresql":
        kept = [item for item in kept if not item.get_closest_marker("postgres")]
    if config.getoption("quick"):
        kept = quick_ones(kept)
    if left_out := set(items) - set(kept):
        config.hook.pytest_deselected(items=list(left_out))
        items[:] = kept


def quick_ones(items: list[pytest.Item]) -> list[pytest.Item]:
    """Tests that give an answer in minutes, and that are of every sort."""
    seen: set[str] = set()
    kept = []
    for item in items:
        name = item.nodeid.partition("[")[0]
        is_repetition = name in seen and name.startswith(("tests/integration/", "tests/unit/adapter/"))
        seen.add(name)
        if not is_repetition and not item.get_closest_marker("slow"):
            kept.append(item)
    return kept
