"""Schedules that have no cycles, and where those of others begin; all others are compared with the scheduler."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from taskops_provider.adapter.cycles import cycles_between, first_and_last, why_no_cycles
from tests.support.timetables import schedules, serialized_dag
from tests.support.warehouse import START


@pytest.mark.parametrize(("schedule", "words"), [(None, "is not periodic"), ("@once", "is not periodic")])
def test_schedules_without_cycles(schedule, words):
    assert words in str(why_no_cycles(serialized_dag(schedule, START)))


def test_the_first_date_lies_before_the_start_if_the_interval_does():
    dag = serialized_dag(schedules("UTC")["cron trigger daily"], START)
    assert first_and_last(dag) == (datetime(2025, 12, 31, 2, 30, tzinfo=UTC), None)
    (first, *_) = cycles_between(dag, START - timedelta(days=9), START, lambda *_: [])
    assert first.run_after == datetime(2026, 1, 1, 2, 30, tzinfo=UTC)
