"""The one reader of dates and times."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from taskops_provider.domain.iso_times import read_iso_time


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-12-24", datetime(2026, 12, 24)),
        (" 2026-12-24T06:00 ", datetime(2026, 12, 24, 6)),
        ("2026-12-24 06:00:30.5", datetime(2026, 12, 24, 6, 0, 30, 500_000)),
        ("2026-12-24t06:00z", datetime(2026, 12, 24, 6, tzinfo=UTC)),
        ("20261224", datetime(2026, 12, 24)),
        ("20261224T060000+0100", datetime(2026, 12, 24, 6, tzinfo=timezone(timedelta(hours=1)))),
    ],
)
def test_dates_in_iso_8601_are_read(text, moment):
    assert read_iso_time(text) == moment


@pytest.mark.parametrize(
    "text",
    [
        "-9.3e-244", "1e9", "1786000000", "20261324", "20261224006", "1_000", "nan", "inf", "+5", "0x10", "",
        "2026", "2026-12", "2026-13-01", "2026-12-24x06:00", "2026-12-24T", "2026-12-24T25:00", "tomorrow",
        "٢٠٢٦-12-24", "2026-12-24\x00",
    ],
)  # fmt: skip
def test_nothing_else_is(text):
    with pytest.raises(ValueError, match=r"ISO 8601|month|hour|day"):
        read_iso_time(text)
