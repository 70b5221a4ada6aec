"""When a window is open, as people and programs write it."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Self

from pydantic import ConfigDict, Field, model_validator

from taskops_provider.domain.clock import parse_clock
from taskops_provider.domain.iso_times import read_iso_time
from taskops_provider.domain.windows import times as domain
from taskops_provider.domain.windows.times import (
    Once,
    Recurrence,
    Times,
    check_cron,
    check_rule,
    parse_duration,
    to_utc,
)
from taskops_provider.domain.zones import parse_zone
from taskops_provider.inputs.alarms.fields import Clock, Zone, reading_on
from taskops_provider.inputs.fields import TIME_EXAMPLE, Input, Moment, Text
from taskops_provider.inputs.problems import sentence

MAX_EXCEPTIONS = 200


def _rule(text: str) -> str:
    rule, until = check_rule(text)
    if until is not None:
        _until_of_rule(until, "UTC")
    return rule if until is None else f"{rule};UNTIL={until}"


def _duration(text: str) -> str:
    parse_duration(text)
    return text.strip().lower()


def _local(text: str) -> str:
    try:
        shown = read_iso_time(text)
    except ValueError:
        shown = None
    if shown is None or shown.tzinfo is not None:
        raise ValueError(f"is {text[:40]!r}; allowed are a date and time without a zone, as 2026-12-24T22:00")
    _check_year(shown, text)
    return shown.isoformat()


def _exception(text: str) -> str:
    try:
        found = read_iso_time(text)
    except ValueError:
        raise ValueError(f"is {text[:40]!r}; allowed are dates and times in ISO 8601, as 2026-12-24") from None
    _check_year(found, text)
    return text.strip().upper()


def _check_year(moment: datetime, text: str) -> None:
    """Refuse what has no moment in another zone: calendars end with the year 1 and the year 9999."""
    if not domain.EARLIEST.year <= moment.year <= domain.LATEST.year:
        raise ValueError(f"is {text[:40]!r}; allowed are the years {domain.EARLIEST.year} to {domain.LATEST.year}")


class WindowTimes(Input):
    """When a window is open: once, from ``begin`` to ``end``; or by a rule or a cron expression on a zone's clock."""

    model_config = ConfigDict(
        frozen=True,
        json_schema_extra={
            "examples": [
                {"cron": "0 22 * * 5", "zone": "Europe/Berlin", "until": "06:00", "exceptions": ["2026-12-25"]}
            ]
        },
    )

    begin: Moment | None = Field(None, description="Once: from then.", examples=[TIME_EXAMPLE])
    end: Moment | None = Field(None, description="Once: until then.", examples=[TIME_EXAMPLE])
    rrule: Annotated[Text, reading_on(_rule)] | None = Field(
        None, description="A rule of iCalendar (RFC 5545), daily at most.", examples=["FREQ=WEEKLY;BYDAY=SA,SU"]
    )
    cron: Annotated[Text, reading_on(check_cron)] | None = Field(
        None, description="A cron expression of five fields: when it begins.", examples=["0 22 * * 5"]
    )
    zone: Zone = Field("UTC", description="The zone on whose clock it recurs.", examples=["Europe/Berlin"])
    starts: Annotated[Text, reading_on(_local)] | None = Field(
        None,
        description="What the zone's clock shows at the first begin. A rule needs it and counts from there.",
        examples=["2026-12-04T22:00"],
    )
    duration: Annotated[Text, reading_on(_duration)] | None = Field(
        None, description="How long each lasts, in time that passes.", examples=["8h"]
    )
    until: Clock | None = Field(
        None, description="In place of `duration`: until the zone's clock shows this time.", examples=["06:00"]
    )
    last: Moment | None = Field(None, description="Nothing begins after this moment.")
    exceptions: tuple[Annotated[Text, reading_on(_exception)], ...] = Field(
        default=(),
        max_length=MAX_EXCEPTIONS,
        description="What would begin on these days of the zone, or at these times, is left out.",
        examples=[["2026-12-25"]],
    )

    @model_validator(mode="after")
    def _goes_together(self) -> Self:
        ways = [self.begin is not None or self.end is not None, self.rrule is not None, self.cron is not None]
        if sum(ways) != 1:
            raise sentence("a window needs times: begin and end, or one of rrule and cron")
        if ways[0]:
            self._check_once()
        elif (self.duration is None) is (self.until is None):
            raise sentence("a window that recurs needs one of duration and until")
        elif self.rrule is not None and self.starts is None:
            raise sentence("a window with an rrule needs starts: what the clock shows at its first begin")
        return self

    def _check_once(self) -> None:
        if self.begin is None or self.end is None:
            raise sentence("a window that is open once needs begin and end")
        if self.end <= self.begin:
            raise sentence(f"its end {self.end.isoformat()} is not after its begin")
        given = [name for name in ("starts", "duration", "until", "last") if getattr(self, name) is not None]
        if given or self.exceptions:
            raise sentence(f"{(given or ['exceptions'])[0]} goes with a window that recurs, not with begin and end")

    def times(self) -> Times:
        """When it is open."""
        if self.begin is not None and self.end is not None:
            return Once(self.begin, self.end)
        zone = parse_zone(self.zone)
        rule, until = check_rule(self.rrule) if self.rrule is not None else (None, None)
        ends = [moment for moment in (self.last, _until_of_rule(until, self.zone) if until else None) if moment]
        days, moments = _read_exceptions(self.exceptions, self.zone)
        starts = datetime.fromisoformat(self.starts) if self.starts else domain.EARLIEST.replace(tzinfo=None)
        return Recurrence(
            zone=zone,
            starts=starts,
            rule=rule,
            cron=self.cron,
            duration=parse_duration(self.duration) if self.duration else None,
            until=parse_clock(self.until) if self.until else None,
            last=min(ends, default=None),
            except_days=days,
            except_times=moments,
        )

    def problem(self, now: datetime) -> str | None:
        """Return why the times cannot be, None if all is well."""
        times = self.times()
        if isinstance(times, Once):
            if times.begin < domain.EARLIEST or times.end > domain.LATEST:
                return "its begin and end have to lie in the years 2000 to 2199"
            return f"its end {times.end.isoformat()} has passed" if times.end <= now else None
        oldest = now - timedelta(days=366 * 5)
        if self.starts is not None and not oldest < to_utc(times.starts, times.zone) < domain.LATEST:
            return f"starts is {self.starts}; allowed are the last five years, and times to come until 2199"
        return domain.problem_of(times, now)


def _until_of_rule(text: str, zone: str) -> datetime:
    """Read UNTIL of a rule: a moment, what the clock shows, or the whole of a day."""
    for form in ("%Y%m%dT%H%M%SZ", "%Y%m%dT%H%M%S", "%Y%m%d"):
        try:
            shown = datetime.strptime(text, form)
        except ValueError:
            continue
        if "T" not in text:
            shown = datetime.combine(shown, time(23, 59, 59))
        # for ever is often written as a date that has no moment in another zone
        shown = min(max(shown, domain.EARLIEST.replace(tzinfo=None)), domain.LATEST.replace(tzinfo=None))
        return shown.replace(tzinfo=UTC) if text.endswith("Z") else to_utc(shown, parse_zone(zone))
    raise ValueError(f"has the UNTIL {text[:20]!r}; allowed are 20261224, 20261224T060000Z")


def _read_exceptions(texts: tuple[str, ...], zone: str) -> tuple[frozenset[date], frozenset[datetime]]:
    days, moments = set(), set()
    for text in texts:
        found = read_iso_time(text)
        if "T" not in text and " " not in text:
            days.add(found.date())
        else:
            moments.add(found.astimezone(UTC) if found.tzinfo else to_utc(found, parse_zone(zone)))
    return frozenset(days), frozenset(moments)
