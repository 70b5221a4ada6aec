"""Some hundred hostile requests (issue 12); ``make fuzz`` sends thousands.

The seed is fixed, so that this test says the same each time. ``FUZZ_REQUESTS`` sets how many there are.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection
from typing import Any

import pytest

from taskops_provider.services.catalog import filters
from tests.contract.fuzz.fuzzer import Fuzzer, Report
from tests.support.airflow_db import empty_tables, new_session

REQUESTS = int(os.environ.get("FUZZ_REQUESTS", "200"))
SEED = 20261129
LISTS = ("GET /v1/tasks", "GET /tasks")


def played(requests: int, routes: Collection[str] = (), plant: Callable[[], None] = lambda: None) -> Report:
    """What comes of some requests, with the tables as they were afterwards.

    :param plant: called once the world is made
    """
    empty_tables()
    try:
        with new_session() as session:
            fuzzer = Fuzzer(session, routes=routes)
            try:
                plant()
                return fuzzer.play(requests, SEED)
            finally:
                fuzzer.close()
    finally:
        empty_tables()


def test_hostile_requests_break_nothing() -> None:
    """No 5xx, nothing of the code in an answer, nothing changed by what is refused, and lists work afterwards."""
    report = played(REQUESTS)
    assert report.failures == []
    assert {line.partition(" ")[0] for line in report.statuses} == {"REST", "pages"}


def test_a_fault_that_is_planted_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    """By REST, where the error comes through, and by pages, which answer 500: otherwise no failures mean nothing."""

    def broken(*_: Any) -> Any:
        raise RuntimeError("planted")

    failures = "\n".join(played(12, LISTS, lambda: monkeypatch.setattr(filters, "_filter_tasks", broken)).failures)
    assert "RuntimeError: planted" in failures
    assert "answer 500" in failures


def test_a_hole_that_is_planted_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    def everything(query: Any, _column: Any, _actor: Any) -> Any:
        return query

    failures = "\n".join(played(12, LISTS, lambda: monkeypatch.setattr(filters, "readable_only", everything)).failures)
    assert "tells of what may not be read" in failures
