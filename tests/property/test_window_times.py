"""Recurrences of windows (SPEC of windows): to the second, over every change of clocks, against a slow reference."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from itertools import islice, pairwise
from time import process_time
from zoneinfo import ZoneInfo

import pytest
from dateutil.rrule import rrulestr
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from taskops_provider.domain.windows.times import (
    Occurrence,
    Once,
    Recurrence,
    at,
    check_cron,
    check_rule,
    counted_from,
    is_shown_twice,
    merged,
    parse_duration,
    problem_of,
    to_utc,
)

ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "America/Sao_Paulo")
BERLIN = ZoneInfo("Europe/Berlin")
#: days around which the clocks of these zones change, and others
DAYS = st.sampled_from(
    [date(2026, 3, 8), date(2026, 3, 29), date(2026, 4, 5), date(2026, 10, 4), date(2026, 10, 25), date(2026, 11, 1)]
) | st.dates(date(2026, 1, 1), date(2027, 12, 31))
NOON = time(12)


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)


def recurrence(**given) -> Recurrence:
    return Recurrence(**{"zone": BERLIN, "starts": datetime(2026, 1, 1), "duration": timedelta(hours=1), **given})


def first(times: Once | Recurrence, since: datetime, number: int) -> list[Occurrence]:
    return list(islice(times.occurrences(since), number))


def shows(moment: datetime, zone: ZoneInfo) -> datetime:
    return moment.astimezone(zone).replace(tzinfo=None)


@settings(max_examples=60, deadline=None)
@given(
    frequency=st.sampled_from(["DAILY", "WEEKLY", "MONTHLY", "YEARLY"]),
    every=st.integers(1, 5),
    days=st.sampled_from(
        [
            {},
            {"BYDAY": "MO"},
            {"BYDAY": "SA,SU", "BYMONTH": "1,6,12"},
            {"BYDAY": "MO,TU,WE,TH,FR,SA,SU"},
            {"BYMONTHDAY": "1,-1"},
            {"BYMONTHDAY": "29,30,31"},
            {"BYYEARDAY": "1,366,-1"},
            {"BYWEEKNO": "1,20,53,-1"},
        ]
    ),
    parts=st.fixed_dictionaries(
        {},
        optional={
            "BYSETPOS": st.sampled_from(["1", "-1"]),
            "BYHOUR": st.sampled_from(["6", "0,12"]),
            "WKST": st.sampled_from(["MO", "SU", "WE"]),
            "COUNT": st.integers(1, 1000).map(str),
        },
    ),
    starts=st.datetimes(datetime(2015, 1, 1), datetime(2021, 1, 1)),
    earliest=st.datetimes(datetime(2014, 1, 1), datetime(2024, 1, 1)),
)
def test_a_rule_counts_the_same_from_later_on(frequency, every, days, parts, starts, earliest):
    """Reference: counted from its start. What has passed is left out, or each look would count through years."""
    assume("BYWEEKNO" not in days or frequency == "YEARLY")
    parts = {**days, **parts}
    rule = ";".join([f"FREQ={frequency}", f"INTERVAL={every}", *(f"{name}={value}" for name, value in parts.items())])
    starts = starts.replace(microsecond=0)
    earliest = max(earliest, starts)
    latest = earliest + timedelta(days=800)
    try:
        expected = list(rrulestr(rule, dtstart=starts).replace(until=latest))
    except ValueError:  # a position without anything that it could count
        assume(False)
    assert starts <= counted_from(rule, starts, earliest)
    found = list(recurrence(rule=rule, starts=starts)._ticks(earliest, latest))
    assert found == [one for one in expected if one >= earliest]


def test_each_look_at_a_rule_that_began_years_ago_is_short():
    """An hourly one of five years took 40 ms for each look, and each operation looks at every freeze."""
    hours = ",".join(map(str, range(24)))
    for rule in (f"FREQ=DAILY;BYHOUR={hours}", f"FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR,SA,SU;BYHOUR={hours}"):
        begin = counted_from(rule, datetime(2021, 10, 23), datetime(2026, 10, 23))
        assert begin >= datetime(2026, 8, 1)


@pytest.mark.parametrize("rule", ["FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30", "FREQ=DAILY;BYSETPOS=2,3"])
def test_a_rule_that_never_occurs_is_not_looked_for_until_the_year_9999(rule):
    """It took 4 to 8 s, in each preview."""
    began = process_time()
    assert "never occurs" in (problem_of(recurrence(rule=rule), utc(2026, 6, 1)) or "")
    assert process_time() - began < 2


@settings(max_examples=150, deadline=None)
@given(
    zone=st.sampled_from(ZONES).map(ZoneInfo),
    day=DAYS,
    clock=st.times().map(lambda one: one.replace(microsecond=0)),
    hours=st.integers(1, 20),
    every=st.sampled_from(["rule", "cron"]),
)
def test_a_daily_window_begins_when_the_clock_shows_its_time(zone, day, clock, hours, every):
    """Reference: the first moment of each day, minute by minute of real time, at which the clock shows it."""
    clock = clock.replace(second=0) if every == "cron" else clock
    how = {"rule": "FREQ=DAILY"} if every == "rule" else {"cron": f"{clock.minute} {clock.hour} * * *"}
    times = recurrence(
        zone=zone,
        starts=datetime.combine(date(2025, 12, 1), clock),
        duration=timedelta(hours=hours),
        **how,
    )
    since = datetime.combine(day, NOON, UTC) - timedelta(days=2)
    found = [one for one in first(times, since, 6) if one.begin > since]
    for one in found:
        shown = one.begin.astimezone(zone)
        begins = to_utc(datetime.combine(shown.date(), clock), zone)
        assert one.end - one.begin == timedelta(hours=hours)
        if shown.time() == clock:  # the clock shows it, and has not shown it before on that day
            earlier = one.begin - timedelta(hours=2)
            assert not any(
                shows(earlier + timedelta(minutes=minute), zone) == shown.replace(tzinfo=None) for minute in range(120)
            )
        else:  # left out: as much later as the clock jumped
            assert begins == one.begin
            assert (one.begin - timedelta(hours=3)).astimezone(zone).utcoffset() != shown.utcoffset()
    days = [one.begin.astimezone(zone).date() for one in found]
    assert [b - a for a, b in pairwise(days)] == [timedelta(days=1)] * (len(days) - 1)


@settings(max_examples=100, deadline=None)
@given(zone=st.sampled_from(ZONES).map(ZoneInfo), day=DAYS, minute=st.integers(0, 59))
def test_an_hourly_cron_counts_each_hour_that_passes(zone, day, minute):
    # it starts on an earlier day in each zone
    started = datetime(2025, 12, 1)
    times = recurrence(zone=zone, starts=started, cron=f"{minute} * * * *", duration=timedelta(minutes=10))
    since = datetime.combine(day, time(), UTC)
    begins = [one.begin for one in first(times, since, 48)]
    starts = times.starts.replace(tzinfo=zone)
    reference = [
        moment
        for moment in (since - timedelta(minutes=10) + timedelta(minutes=number) for number in range(60 * 60))
        if moment.astimezone(zone).minute == minute and moment + timedelta(minutes=10) > since and moment >= starts
    ]
    # a zone whose clocks jump by half an hour shows a minute twice, or never, in an hour
    assert begins == sorted(begins)
    if zone.key != "Australia/Lord_Howe":
        assert begins == reference[:48]


@settings(max_examples=100, deadline=None)
@given(
    rule=st.sampled_from(
        ["FREQ=DAILY", "FREQ=WEEKLY;BYDAY=MO,WE", "FREQ=MONTHLY;BYMONTHDAY=-1", "FREQ=DAILY;INTERVAL=3"]
    ),
    zone=st.sampled_from(ZONES).map(ZoneInfo),
    day=DAYS,
    hours=st.integers(1, 20),
    asked=st.timedeltas(timedelta(), timedelta(days=10)),
)
def test_what_is_open_is_the_same_whoever_asks_from_when(rule, zone, day, hours, asked):
    """``at`` agrees with the list from any earlier moment; the list goes on from any moment as from the first."""
    times = recurrence(rule=rule, zone=zone, starts=datetime(2026, 1, 1, 23), duration=timedelta(hours=hours))
    since = datetime.combine(day, time(), UTC)
    moment = since + asked
    listed = first(times, since, 40)
    open_now = [one for one in listed if one.covers(moment)]
    assert at(times, moment) == (open_now[0] if open_now else None)
    assert first(times, moment, 5) == [one for one in listed if one.end > moment][:5]
    for one in listed:
        assert at(times, one.begin) == one
        assert at(times, one.end - timedelta(seconds=1)) == one
        assert at(times, one.begin - timedelta(seconds=1)) != one
        assert at(times, one.end) != one


@given(st.lists(st.tuples(st.integers(0, 100), st.integers(1, 30))))
def test_what_meets_is_one(pairs):
    base = utc(2026, 1, 1)
    found = sorted(
        Occurrence(base + timedelta(hours=begin), base + timedelta(hours=begin + length)) for begin, length in pairs
    )
    joined = list(merged(found))
    for hour in range(140):
        moment = base + timedelta(hours=hour)
        assert any(one.covers(moment) for one in found) == any(one.covers(moment) for one in joined)
    assert all(a.end < b.begin for a, b in pairwise(joined))


class TestClocks:
    def test_spring(self):
        """Berlin, 29 March 2026: 02:00 becomes 03:00."""
        night = recurrence(rule="FREQ=DAILY", starts=datetime(2026, 3, 27, 22), duration=None, until=time(6))
        assert first(night, utc(2026, 3, 27), 3) == [
            (utc(2026, 3, 27, 21), utc(2026, 3, 28, 5)),
            (utc(2026, 3, 28, 21), utc(2026, 3, 29, 4)),  # seven hours
            (utc(2026, 3, 29, 20), utc(2026, 3, 30, 4)),
        ]
        left_out = recurrence(rule="FREQ=DAILY", starts=datetime(2026, 3, 28, 2, 30))
        assert [one.begin for one in first(left_out, utc(2026, 3, 28), 3)] == [
            utc(2026, 3, 28, 1, 30),
            utc(2026, 3, 29, 1, 30),  # 03:30 on the clock
            utc(2026, 3, 30, 0, 30),
        ]

    def test_autumn(self):
        """Berlin, 25 October 2026: 03:00 becomes 02:00."""
        night = recurrence(rule="FREQ=DAILY", starts=datetime(2026, 10, 24, 22), duration=timedelta(hours=8))
        assert first(night, utc(2026, 10, 24), 1) == [(utc(2026, 10, 24, 20), utc(2026, 10, 25, 4))]
        twice = recurrence(rule="FREQ=DAILY", starts=datetime(2026, 10, 24, 2, 30))
        assert [one.begin for one in first(twice, utc(2026, 10, 24), 3)] == [
            utc(2026, 10, 24, 0, 30),
            utc(2026, 10, 25, 0, 30),  # the first of the two
            utc(2026, 10, 26, 1, 30),
        ]
        assert is_shown_twice(datetime(2026, 10, 25, 2, 30), BERLIN)
        assert not is_shown_twice(datetime(2026, 3, 29, 2, 30), BERLIN)

    def test_exceptions_and_the_last_one(self):
        times = recurrence(
            cron="0 22 * * *",
            except_days=frozenset({date(2026, 1, 2)}),
            except_times=frozenset({utc(2026, 1, 4, 21)}),
            last=utc(2026, 1, 5, 21),
        )
        assert [one.begin.day for one in first(times, utc(2026, 1, 1), 9)] == [1, 3, 5]


class TestInput:
    @pytest.mark.parametrize(
        "text",
        [
            "",
            "FREQ=HOURLY",
            "FREQ=MINUTELY",
            "DAILY",
            "FREQ=DAILY;BYDAY=XX",
            "FREQ=DAILY;INTERVAL=0",
            "FREQ=DAILY\nX=1",
        ],
    )
    def test_rules_that_are_none(self, text):
        with pytest.raises(ValueError, match=r"allowed|one of|no rule|times a day"):
            check_rule(text)

    def test_easter_is_not_of_icalendar(self):
        with pytest.raises(ValueError, match="BYEASTER"):
            check_rule("FREQ=YEARLY;BYEASTER=0")

    def test_until_is_read_apart(self):
        assert check_rule("rrule:freq=daily;until=20261224T060000Z") == ("FREQ=DAILY", "20261224T060000Z")

    @pytest.mark.parametrize("text", ["", "* * *", "@daily", "61 * * * *", "0 22 * * 5 0", "R * * * *"])
    def test_cron_expressions_that_are_none(self, text):
        with pytest.raises(ValueError, match="cron expression"):
            check_cron(text)

    @pytest.mark.parametrize("text", ["", "8", "0h", "-1h", "400d", "1h30"])
    def test_durations_that_are_none(self, text):
        with pytest.raises(ValueError, match="allowed"):
            parse_duration(text)

    def test_durations(self):
        assert parse_duration("1d12h") == timedelta(hours=36)
        assert parse_duration("90m") == timedelta(minutes=90)

    @pytest.mark.parametrize(
        ("given", "told"),
        [
            ({"cron": "* * * * *", "duration": timedelta(seconds=30)}, "begins again after"),
            ({"cron": "0 * * * *", "duration": timedelta(hours=2)}, "overlap"),
            ({"rule": "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"}, "never occurs"),
            ({"cron": "0 0 30 2 *"}, "never occurs"),
        ],
    )
    def test_recurrences_that_cannot_be(self, given, told):
        assert told in (problem_of(recurrence(**given), utc(2026, 6, 1)) or "")
