"""Calendar files of other people: bounded, and never handed to the library whole."""

from __future__ import annotations

import time
from typing import Any

import pytest

from taskops_provider.exceptions import BadInput, Conflict
from taskops_provider.services.shared.large_work import large_work
from taskops_provider.services.windows import calendar_file
from taskops_provider.services.windows.calendar_file import read_windows

DEFAULTS: dict[str, Any] = {"kinds": ["pause"], "scope": {"workflows": ["orders"]}}


def event(start: str = "DTSTART:20261224T220000Z", *more: str) -> str:
    return "\r\n".join(["BEGIN:VEVENT", "SUMMARY:x", start, "DURATION:PT1H", *more, "END:VEVENT", ""])


def calendar(*parts: str) -> str:
    return "".join(["BEGIN:VCALENDAR\r\nVERSION:2.0\r\n", *parts, "END:VCALENDAR\r\n"])


def zone(name: str, rule: str, offset: str = "+0100") -> str:
    """A zone of the file's own, with two parts: the library then looks for the last change of the clocks."""
    lines = ["BEGIN:VTIMEZONE", f"TZID:{name}"]
    for part in ("STANDARD", "DAYLIGHT"):
        lines += [f"BEGIN:{part}", "DTSTART:19000101T000000", f"RRULE:{rule}", "TZOFFSETFROM:+0000"]
        lines += [f"TZOFFSETTO:{offset}", f"END:{part}"]
    return "\r\n".join([*lines, "END:VTIMEZONE", ""])


@pytest.mark.parametrize("rule", ["FREQ=YEARLY", "FREQ=HOURLY"])
def test_zones_that_a_file_defines_are_not_counted(rule):
    """Changes of the clocks each hour since 1900 took 20 s, each second for ever."""
    began = time.monotonic()
    with pytest.raises(BadInput, match="TZID is 'Own'; allowed are names of time zones"):
        read_windows(calendar(zone("Own", rule), event("DTSTART;TZID=Own:20261224T220000")), DEFAULTS)
    assert time.monotonic() - began < 5


def test_a_zone_that_a_file_defines_is_not_kept_for_other_files():
    """It would be taken for that of the next file, of somebody else, with another offset."""
    with pytest.raises(BadInput, match="TZID"):
        read_windows(calendar(zone("Office", "FREQ=YEARLY"), event("DTSTART;TZID=Office:20261224T220000")), DEFAULTS)
    from icalendar.timezone import tzp

    assert tzp.timezone("Office") is None


def test_a_zone_that_is_known_by_its_name_counts_as_that():
    found = read_windows(
        calendar(zone("Europe/Berlin", "FREQ=SECONDLY"), event("DTSTART;TZID=Europe/Berlin:20261224T220000")), DEFAULTS
    )
    assert found[0].times.begin.isoformat() == "2026-12-24T21:00:00+00:00"


@pytest.mark.parametrize("name", ["DTSTART", "EXDATE"])
def test_a_recurring_event_in_a_zone_of_its_own_is_refused(name):
    """Its clock was taken for that of UTC."""
    start = "DTSTART;TZID=Some/Where:20261224T220000" if name == "DTSTART" else "DTSTART:20261224T220000Z"
    more = ["EXDATE;TZID=Some/Where:20261225T220000"] if name == "EXDATE" else []
    with pytest.raises(BadInput, match="TZID is 'Some/Where'"):
        read_windows(calendar(event(start, "RRULE:FREQ=DAILY", *more)), DEFAULTS)


@pytest.mark.parametrize(
    "part",
    [
        "BEGIN:A\r\n" * 20_000 + "END:A\r\n" * 20_000,
        "X" + ";A=b" * 100_000 + ":1\r\n",
        'X;A="' + '"' * 300_000 + "\r\n",
        "ATTACH;ENCODING=BASE64;VALUE=BINARY:!!!!\r\n",
        event("DTSTART:20261224T220000Z", "BEGIN:VALARM", "TRIGGER:x", "SUMMARY:y", "END:VALARM"),
        "BEGIN:VTODO\r\nSUMMARY:z\r\nEND:VTODO\r\n",
    ],
    ids=["nested", "parameters", "quotes", "binary", "alarm", "todo"],
)
def test_what_says_nothing_to_us_is_not_read(part):
    began = time.monotonic()
    assert {window.name for window in read_windows(calendar(part, event()), DEFAULTS)} == {"x"}
    assert time.monotonic() - began < 2


@pytest.mark.parametrize("end", ["\r", "\x0b", "\x0c", "\x1c", "\x85", "\u2028"])
def test_a_line_ends_where_every_reader_ends_it(end):
    text = calendar(event().replace("SUMMARY:x", f"SUMMARY:x{end}RRULE:FREQ=DAILY"))
    (window,) = read_windows(text, DEFAULTS)
    assert (window.name, window.times.rrule) == ("x RRULE:FREQ=DAILY", None)


@pytest.mark.parametrize("text", ["END:VEVENT", "BEGIN:VEVENT\nEND:VCALENDAR", "BEGIN:VEVENT", "", "\ud800"])
def test_what_is_no_calendar_is_one_line(text):
    with pytest.raises(BadInput):
        read_windows(text, DEFAULTS)


def test_a_mark_of_the_encoding_says_nothing():
    assert read_windows("\ufeff" + calendar(event()), DEFAULTS)


def test_a_large_file_takes_a_turn(monkeypatch):
    monkeypatch.setattr(calendar_file, "_LARGE", 100)
    with large_work("another file", "ann") as slot:
        slot.take()
        with pytest.raises(Conflict, match="another large request of yours"):
            read_windows(calendar(event()), DEFAULTS, who="ann")
    assert read_windows(calendar(event()), DEFAULTS, who="ann")
