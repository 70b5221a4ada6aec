"""When alarms are due: quiet hours, deadlines of data days."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from taskops_provider.domain.clock import is_between, is_over_midnight


@dataclass(frozen=True, slots=True)
class Quiet:
    """The part of each day in which nothing is sent; one that ends before it begins goes over midnight.

    :param except_level: alarms of this level and above are sent all the same; None: nothing is
    """

    opens: time
    closes: time
    zone: ZoneInfo
    except_level: int | None = None

    def until(self, now: datetime, level: int) -> datetime | None:
        """Return when the quiet hours that ``now`` lies in end (UTC); None where it lies in none."""
        if self.except_level is not None and level >= self.except_level:
            return None
        local = now.astimezone(self.zone)
        at = local.time().replace(tzinfo=None)
        if not is_between(at, self.opens, self.closes):
            return None
        ends_tomorrow = is_over_midnight(self.opens, self.closes) and at >= self.opens
        day = local.date() + timedelta(days=1 if ends_tomorrow else 0)
        return moment(day, self.closes, self.zone)


def moment(day: date, at: time, zone: ZoneInfo) -> datetime:
    """Return a wall clock time of a day in UTC. One that clocks skip is as if they had not been changed yet."""
    return datetime.combine(day, at, tzinfo=zone).astimezone(UTC)


@dataclass(frozen=True, slots=True)
class Deadline:
    """A clock time in a zone, so many days after the data day."""

    at: time
    zone: ZoneInfo
    days: int

    def of(self, day: date) -> datetime:
        """The deadline (UTC) of a data day."""
        return moment(day + timedelta(days=self.days), self.at, self.zone)

    def after(self, now: datetime) -> datetime:
        """The first deadline (UTC) that is later than ``now``."""
        day = now.astimezone(self.zone).date() - timedelta(days=self.days + 1)
        while self.of(day) <= now:
            day += timedelta(days=1)
        return self.of(day)

    def data_day(self, deadline: datetime) -> date:
        """The data day that a deadline is of."""
        return deadline.astimezone(self.zone).date() - timedelta(days=self.days)

    def span(self, day: date) -> tuple[datetime, datetime]:
        """The data day from its first moment to that of the next day (UTC)."""
        return moment(day, time(), self.zone), moment(day + timedelta(days=1), time(), self.zone)
