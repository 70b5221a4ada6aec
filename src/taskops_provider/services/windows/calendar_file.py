"""Windows as iCalendar files (RFC 5545): what other calendars show, and what they bring.

What a calendar does not know, kinds, effect, scope, and times by a cron expression, stands in properties of our own,
which other programs keep or leave out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice
from typing import Any

from sqlalchemy.orm import Session

from taskops_provider.domain.answers import Json
from taskops_provider.domain.windows.kinds import WindowPurpose
from taskops_provider.domain.windows.times import Recurrence, Times, merged
from taskops_provider.domain.zones import parse_zone
from taskops_provider.exceptions import BadInput
from taskops_provider.inputs.free_text import read_object
from taskops_provider.inputs.windows.window import WindowCreate, WindowDefinition
from taskops_provider.models import Window
from taskops_provider.services.shared.actor import Actor
from taskops_provider.services.shared.large_work import large_work
from taskops_provider.services.windows.listing import visible_windows
from taskops_provider.services.windows.stored import scope_data

#: characters of a file, and events in it
MAX_LENGTH = 1_000_000
MAX_EVENTS = 200
#: characters of a file, and windows of one that is written, beyond which it takes a turn
_LARGE, _MANY = 100_000, 50
#: occurrences of a cron expression that a file lists, for other calendars
_LISTED = 60
_KINDS, _EFFECT, _SCOPE, _TIMES = "X-TASKOPS-KINDS", "X-TASKOPS-DOWNSTREAM", "X-TASKOPS-SCOPE", "X-TASKOPS-TIMES"
#: what is read of an event
_TOLD = frozenset(
    {"SUMMARY", "DESCRIPTION", "DTSTART", "DTEND", "DURATION", "RRULE", "EXDATE", _KINDS, _EFFECT, _SCOPE, _TIMES}
)
_FOLD, _LINE_END = re.compile(r"\r?\n[ \t]"), re.compile(r"\r?\n")
#: what ends a line for others
_OTHER_ENDS = re.compile("[\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")


def export_windows(session: Session, actor: Actor, now: datetime) -> str:
    """Return the windows that the actor may see as one iCalendar file; those that are over are left out."""
    from icalendar import Calendar

    calendar = Calendar()
    calendar.add("prodid", "-//TaskOps//Windows//EN")
    calendar.add("version", "2.0")
    visible = visible_windows(session, actor)
    with large_work("the file", actor.name) as slot:
        if len(visible) > _MANY:
            slot.take()
        for row, window in visible:
            if row.purpose == WindowPurpose.WINDOW.value and window.times is not None and window.enabled:
                event = _event(row, window, window.times, now)
                if event is not None:
                    calendar.add_component(event)
    return str(calendar.to_ical().decode())


def _event(row: Window, window: WindowDefinition, times: Times, now: datetime) -> Any:
    from icalendar import Event

    listed = list(islice(merged(times.occurrences(now)), _LISTED))
    if not listed:
        return None
    event = Event()
    event.add("uid", f"taskops-window-{row.id}")
    event.add("dtstamp", row.changed_at.astimezone(UTC))
    event.add("summary", window.name)
    if window.reason:
        event.add("description", window.reason)
    if isinstance(times, Recurrence) and times.rule is not None:
        first = next(
            iter(times.occurrences(datetime.combine(times.starts, time(), UTC) - timedelta(days=2))), listed[0]
        )
        event.add("dtstart", times.starts.replace(tzinfo=times.zone))
        event.add("duration", first.end - first.begin)
        event.add("rrule", _rule(times))
        for moment in sorted(times.except_times):
            event.add("exdate", moment)
    else:
        event.add("dtstart", listed[0].begin)
        event.add("duration", listed[0].end - listed[0].begin)
        if listed[1:]:
            event.add("rdate", [one.begin for one in listed[1:]])
    event.add(_KINDS, ",".join(kind.value for kind in window.kinds))
    if window.downstream is not None:
        event.add(_EFFECT, window.downstream.value)
    event.add(_SCOPE, json.dumps(scope_data(window.scope), sort_keys=True))
    event.add(_TIMES, json.dumps(window.written, sort_keys=True))
    return event


def _rule(times: Recurrence) -> dict[str, list[str]]:
    parts = dict(part.partition("=")[::2] for part in (times.rule or "").split(";"))
    found: dict[str, Any] = {name: value.split(",") for name, value in parts.items()}
    if times.last is not None:
        found["UNTIL"] = times.last
    return found


def read_windows(text: str, defaults: Mapping[str, Any], *, who: str = "") -> list[WindowCreate]:
    """Return the windows of an iCalendar file.

    :param defaults: kinds, downstream and scope of events that do not say
    :param who: the name of who brings it
    :raises BadInput: one line, naming the event
    :raises Conflict: for a large one while other large requests are under way
    """
    if len(text) > MAX_LENGTH:
        raise BadInput(f"the file has {len(text):,} characters; at most {MAX_LENGTH:,} are taken")
    with large_work("the import", who) as slot:
        if len(text) > _LARGE:
            slot.take()
        return [_window(_parsed(lines), defaults) for lines in _events(text)]


def _events(text: str) -> list[list[str]]:
    """The lines of each event that say something to us.

    The rest of a file is not handed on: zones that it defines itself are rules that recur each second since 1900, and
    the library keeps them for the files of others.
    """
    found: list[list[str]] = []
    inside: list[str] = []
    text = text.lstrip("\ufeff \r\n")
    if not text[:6].upper().startswith("BEGIN:"):
        raise BadInput("the file is no iCalendar file: it does not begin with BEGIN:VCALENDAR")
    for line in _LINE_END.split(_FOLD.sub("", text)):
        name, _, value = line.partition(":")
        name, value = name.partition(";")[0].strip().upper(), value.strip().upper()
        if name == "BEGIN":
            inside.append(value)
            if value == "VEVENT":
                found.append([])
        elif name == "END":
            if not inside or inside.pop() != value:
                raise BadInput(f"the file is no iCalendar file: END:{value[:40]} ends nothing")
        elif name in _TOLD and inside and inside[-1] == "VEVENT":
            found[-1].append(_OTHER_ENDS.sub(" ", line))
    if inside or not found:
        raise BadInput("the file has no events" if not inside else f"the file ends within {inside[-1][:40]}")
    if len(found) > MAX_EVENTS:
        raise BadInput(f"the file has {len(found):,} events; at most {MAX_EVENTS} are taken")
    return found


def _parsed(lines: Sequence[str]) -> Any:
    from icalendar import Event

    try:
        return Event.from_ical("\r\n".join(["BEGIN:VEVENT", *lines, "END:VEVENT", ""]))
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, OverflowError) as error:
        told = " ".join(str(error).split())[:100]
        raise BadInput(f"the file is no iCalendar file: {told}") from None


def _window(event: Any, defaults: Mapping[str, Any]) -> WindowCreate:
    name = str(event.get("summary", "")).strip()[:250] or "unnamed"
    try:
        written = _own(event, _TIMES)
        values: Json = {
            "name": name,
            "reason": str(event.get("description", "")).strip() or None,
            "kinds": str(event[_KINDS]).split(",") if _KINDS in event else defaults.get("kinds"),
            "downstream": str(event[_EFFECT]) if _EFFECT in event else defaults.get("downstream"),
            "scope": _own(event, _SCOPE) or defaults.get("scope"),
            "times": written or dict(_times(event)),
        }
        return WindowCreate.read({key: value for key, value in values.items() if value is not None})
    except BadInput as error:
        raise BadInput(f"event {name[:60]!r}: {error}") from None
    except (ValueError, KeyError, AttributeError, TypeError, OverflowError) as error:
        told = " ".join(str(error).split())[:100]
        raise BadInput(f"event {name[:60]!r} cannot be read: {told}") from None


def _own(event: Any, name: str) -> Json | None:
    return read_object(str(event[name]), name) if name in event else None


def _times(event: Any) -> Iterator[tuple[str, Any]]:
    for name in ("dtstart", "dtend"):
        if name in event:
            _check_zone(event[name], event.decoded(name))
    begin = _moment(event.decoded("dtstart"))
    length = _length(event, begin)
    if "rrule" not in event:
        yield "begin", begin.isoformat()
        yield "end", (begin + length).isoformat()
        return
    zone = getattr(begin.tzinfo, "key", None) or "UTC"
    parse_zone(zone)
    yield "rrule", event["rrule"].to_ical().decode()
    yield "zone", zone
    yield "starts", begin.replace(tzinfo=None).isoformat()
    yield "duration", f"{round(length.total_seconds() / 60)}m"
    if left_out := list(_left_out(event)):
        yield "exceptions", left_out


def _check_zone(written: Any, value: date | datetime) -> None:
    """Refuse a zone that only the file itself knows: its times would be taken for those of another."""
    named = written.params.get("TZID")
    if named is not None and getattr(value, "tzinfo", None) is None:
        raise BadInput(f"TZID is {str(named)[:60]!r}; allowed are names of time zones, as Europe/Berlin")


def _moment(value: date | datetime) -> datetime:
    """A moment of a calendar; one without a zone, and a day, are in UTC."""
    if not isinstance(value, datetime):
        return datetime.combine(value, time(), UTC)
    return value if value.tzinfo is not None else value.replace(tzinfo=UTC)


def _length(event: Any, begin: datetime) -> timedelta:
    if "duration" in event:
        length: timedelta = event.decoded("duration")
        return length
    if "dtend" in event:
        return _moment(event.decoded("dtend")).astimezone(UTC) - begin.astimezone(UTC)
    return timedelta(days=1)


def _left_out(event: Any) -> Iterator[str]:
    found = event.get("exdate", [])
    for group in found if isinstance(found, Sequence) else [found]:
        for one in group.dts:
            value = one.dt
            _check_zone(group, value)
            yield _moment(value).isoformat() if isinstance(value, datetime) else value.isoformat()
