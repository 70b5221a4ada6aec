"""Quiet hours and deadlines in any zone, also where clocks change (requirements B16)."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from hypothesis import assume, given
from hypothesis import strategies as st

from taskops_provider.domain.alarms.deliveries import LONGEST_WAIT, wait_after
from taskops_provider.domain.alarms.times import Deadline, Quiet

ZONES = st.sampled_from([ZoneInfo(name) for name in ("UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata")])
CLOCKS = st.builds(time, st.integers(0, 23), st.integers(0, 59))
MOMENTS = st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))


@given(CLOCKS, CLOCKS, ZONES, MOMENTS)
def test_quiet_hours_end_at_their_end_and_soon(opens, closes, zone, now):
    assume(opens != closes)
    until = Quiet(opens, closes, zone).until(now, 1)
    if until is None:
        return
    # an hour more where clocks are put back
    assert now < until <= now + timedelta(hours=25)
    shown = until.astimezone(zone).time()
    skipped = until.astimezone(zone).utcoffset() != (until - timedelta(hours=1)).astimezone(zone).utcoffset()
    assert shown == closes or skipped


@given(CLOCKS, CLOCKS, ZONES, MOMENTS, st.integers(1, 3), st.integers(1, 3))
def test_levels_that_quiet_hours_let_through(opens, closes, zone, now, level, except_level):
    assume(opens != closes)
    held = Quiet(opens, closes, zone).until(now, level)
    assert Quiet(opens, closes, zone, except_level).until(now, level) == (None if level >= except_level else held)


@given(CLOCKS, ZONES, st.integers(0, 31), MOMENTS)
def test_the_next_deadline_is_the_first_one_after(at, zone, days, now):
    deadline = Deadline(at, zone, days)
    found = deadline.after(now)
    assert now < found <= now + timedelta(hours=25)
    day = deadline.data_day(found)
    first, last = deadline.span(day)
    assert first < last <= first + timedelta(hours=25)
    assert deadline.of(day) == found
    assert deadline.of(day - timedelta(days=1)) <= now


@given(st.integers(1, 1000))
def test_waits_grow_and_have_an_end(attempts):
    assert wait_after(attempts) <= wait_after(attempts + 1) <= timedelta(seconds=LONGEST_WAIT)
