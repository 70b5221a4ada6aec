"""Times of windows at the ends of the calendar: refused, or taken for what is meant, never a fault."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from taskops_provider.domain.states import Downstream
from taskops_provider.exceptions import BadInput
from taskops_provider.inputs.windows.window import WindowCreate, check_times

NOW = datetime(2026, 10, 23, 12, tzinfo=UTC)


def check(**times: Any) -> Any:
    scope = {"workflows": ["orders"]}
    window = WindowCreate.read({"name": "n", "kinds": ["pause"], "scope": scope, "times": {"duration": "1h", **times}})
    made = window.window(default=Downstream.SKIP)
    check_times(window.times, NOW)
    return made.times


@pytest.mark.parametrize("zone", ["Asia/Tokyo", "America/New_York"])
@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00", "9999-12-31T23:59:59"])
def test_moments_that_other_zones_do_not_have(moment, zone):
    with pytest.raises(BadInput, match=r"starts is .* allowed are the years 2000 to 2200"):
        check(rrule="FREQ=DAILY", zone=zone, starts=moment)
    for written in (moment, f"{moment}+14:00", f"{moment}-14:00", moment[:10]):
        with pytest.raises(BadInput, match=r"exceptions\[0\] is .* allowed are the years 2000 to 2200"):
            check(cron="0 22 * * *", zone=zone, exceptions=[written])
    for until in ("00010101T000000", "00010101", "00010101T000000Z"):
        with pytest.raises(BadInput, match="it never occurs"):
            check(rrule=f"FREQ=DAILY;UNTIL={until}", zone=zone, starts="2026-12-01T00:00")
    for until in ("99991231T235959", "99991231", "99991231T235959Z"):
        times = check(rrule=f"FREQ=DAILY;UNTIL={until}", zone=zone, starts="2026-12-01T00:00")
        assert times.last is not None


@pytest.mark.parametrize("count", ["1001", "1000000000", "9" * 400, "0", "-1", "+5"])
def test_what_is_counted_from_its_start_each_time_is_bounded(count):
    with pytest.raises(BadInput, match=r"COUNT .*; allowed are 1 to 1000"):
        check(rrule=f"FREQ=DAILY;COUNT={count}", starts="2026-12-01T00:00")
    assert check(rrule="FREQ=DAILY;COUNT=1000", starts="2026-12-01T00:00")
