"""What a replenishment is asked for, and how far it is (D5)."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from taskops_provider.domain.cells import CellFacts
from taskops_provider.domain.progress import (
    CellState,
    Percentages,
    ReplenishmentState,
    cell_outcome,
    percentages,
    state_when_over,
)
from taskops_provider.domain.replenishment import DailyWindow, Range, clamp, end_of_range, merge

DAY = timedelta(days=1)
FIRST = datetime(2026, 1, 1, tzinfo=UTC)


def span(first: int, last: int) -> Range:
    return Range(FIRST + first * DAY, FIRST + last * DAY)


def test_ranges_that_overlap_are_one():
    assert merge([span(5, 6), span(0, 2), span(1, 3), span(3, 4)]) == [span(0, 4), span(5, 6)]


def test_ranges_are_cut():
    assert clamp([span(0, 4), span(6, 8)], FIRST + DAY, FIRST + 7 * DAY) == [span(1, 4), span(6, 7)]
    assert clamp([span(0, 1)], FIRST + 2 * DAY, None) == []


def in_zone(name: str):
    """Read as the surfaces do, where this is Airflow's zone."""
    zone = ZoneInfo(name)

    def read(text: str) -> datetime:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)

    return read


def test_a_date_without_a_time_means_all_of_that_day():
    assert end_of_range("2026-01-01", in_zone("UTC")) == FIRST + DAY - timedelta(microseconds=1)
    assert end_of_range("2026-01-01T00:00", in_zone("UTC")) == FIRST
    assert end_of_range("9999-12-31", in_zone("UTC")) == datetime(9999, 12, 31, tzinfo=UTC)
    with pytest.raises(ValueError, match="someday"):
        end_of_range("someday", in_zone("UTC"))


@pytest.mark.parametrize(
    ("day", "hours"), [("2026-03-29", 23), ("2026-03-30", 24), ("2026-10-25", 25), ("2026-10-26", 24)]
)
def test_days_on_which_clocks_change_are_shorter_or_longer(day, hours):
    read = in_zone("Europe/Berlin")
    assert end_of_range(day, read) == read(day) + timedelta(hours=hours) - timedelta(microseconds=1)


def test_windows_may_go_over_midnight():
    night = DailyWindow.parse("22:00-06:00")
    assert str(night) == "22:00-06:00"
    open_at = {hour: night.is_open(FIRST.replace(hour=hour)) for hour in (0, 5, 6, 12, 21, 22, 23)}
    assert [hour for hour, is_open in open_at.items() if is_open] == [0, 5, 22, 23]
    assert DailyWindow(time(8), time(9)).is_open(FIRST.replace(hour=8)) is True


@pytest.mark.parametrize(
    "text",
    [
        *("", "22:00", "22-6", "25:00-06:00", "22:00-06:60", "a:b-c:d", "22:0-06:00"),
        # what an alarm's clock refuses, a window does too
        *("022:00-06:00", "\u0662\u0662:00-06:00", "22:00-006:00"),
    ],
)
def test_other_windows_are_refused(text):
    with pytest.raises(ValueError, match="allowed is HH:MM-HH:MM"):
        DailyWindow.parse(text)


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        (["success"], CellState.SUCCESS),
        (["success", "running"], None),
        (["success", "skipped"], CellState.SUCCESS),
        (["success", "failed"], CellState.FAILED),
        (["upstream_failed"], CellState.FAILED),
        (["skipped"], CellState.SKIPPED),
        ([None], None),
    ],
)
def test_what_came_of_a_cell(states, expected):
    assert cell_outcome([CellFacts(state, False) for state in states]) is expected


def test_what_came_of_the_whole():
    assert state_when_over({"success": 3, "skipped": 1}) is ReplenishmentState.SUCCESS
    assert state_when_over({"success": 3, "failed": 1}) is ReplenishmentState.PART_SUCCESS
    assert state_when_over({"failed": 1}) is ReplenishmentState.FAILED


def test_percentages_reach_100_only_at_the_end():
    assert percentages({"success": 99_999, "waiting": 1}) == Percentages(99.9, 99.9)
    assert percentages({"success": 1, "failed": 1}) == Percentages(100.0, 50.0)
    assert percentages({}) == Percentages(100.0, 100.0)
