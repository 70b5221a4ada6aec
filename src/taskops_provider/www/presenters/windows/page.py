"""The page of windows: a list, or a month."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from taskops_provider.domain.windows.times import UNTIL_RELEASED
from taskops_provider.domain.zones import parse_zone
from taskops_provider.exceptions import BadInput
from taskops_provider.services.windows.answers import CalendarEntry, WindowAnswer
from taskops_provider.services.windows.calendar import calendar
from taskops_provider.services.windows.listing import WindowFilter, list_windows
from taskops_provider.www.page_request import PageRequest
from taskops_provider.www.presenters import text
from taskops_provider.www.presenters.text import Badge, Time
from taskops_provider.www.presenters.windows.words import EFFECTS, KINDS, PURPOSES, scope_words, times_words

PAGE = "windows"
NEW, EDIT, DELETE = "windows/new", "windows/edit", "windows/delete"
#: rows of a page, lines of a day, places that a row names
ROWS = 50
LINES = 6
NAMED = 5
_FIRST, _LAST = date(2000, 2, 1), date(2199, 11, 30)


@dataclass(frozen=True, slots=True)
class WindowRow:
    """A window in the list.

    :param badge: open, off, set aside; None: none of these
    :param covers: what it covers, ``more_covered`` further ones
    """

    number: int
    name: str
    purpose: str
    kinds: Sequence[str]
    effect: str
    covers: Sequence[str]
    more_covered: int
    times: Sequence[str]
    badge: Badge | None
    open_until: Time | None
    until_released: bool
    next_begin: Time | None
    next_end: Time | None
    reason: str
    changed: Time | None
    changed_by: str
    may_edit: bool


@dataclass(frozen=True, slots=True)
class DayLine:
    """Something on a day."""

    text: str
    title: str
    tone: str


@dataclass(frozen=True, slots=True)
class Day:
    """A day of the month.

    :param is_of_month: False: it fills the week
    """

    number: int
    iso: str
    is_of_month: bool
    is_today: bool
    lines: Sequence[DayLine]
    more: int


@dataclass(frozen=True, slots=True)
class MonthGrid:
    """A month, as weeks of seven days."""

    label: str
    zone: str
    weeks: Sequence[Sequence[Day]]
    before_url: str
    after_url: str


@dataclass(frozen=True, slots=True)
class WindowsPage:
    """What ``windows/page.html`` shows.

    :param views: label, address, whether it is shown
    :param month: None: the list is shown
    """

    views: Sequence[tuple[str, str, bool]]
    new_url: str
    edit_url: str
    delete_url: str
    rows: Sequence[WindowRow]
    total: int
    first: int
    before_url: str
    after_url: str
    search: str
    dag_id: str
    month: MonthGrid | None
    reads_all: bool
    page: str = PAGE
    title: str = "Windows"


def present_windows(asked: PageRequest) -> WindowsPage:
    """Return the list of windows, or a month of them."""
    view = asked.one("view") or "list"
    if view not in ("list", "month"):
        raise BadInput(f"view is {view[:60]!r}; allowed are list, month")
    where = WindowFilter(dag_id=asked.one("dag_id")[:250], search=asked.one("search")[:250])
    offset = _offset(asked) if view == "list" else 0
    found = list_windows(asked.session, asked.actor, where, asked.now, limit=ROWS, offset=offset)
    rows = found.rows if view == "list" else []
    may_all = asked.actor.permissions.may_change_settings()
    editable = _editable(asked, rows)
    query = {name: value for name, value in (("dag_id", where.dag_id), ("search", where.search)) if value}
    before, after = max(offset - ROWS, 0), offset + ROWS
    return WindowsPage(
        views=[
            ("List", asked.urls.page(PAGE, query), view == "list"),
            ("Month", asked.urls.page(PAGE, {**query, "view": "month"}), view == "month"),
        ],
        new_url=asked.urls.page(NEW) if may_all or editable or _may_edit_any(asked) else "",
        edit_url=asked.urls.page(EDIT),
        delete_url=asked.urls.page(DELETE),
        rows=[_row(row, asked, may_edit=_may_edit(row, editable, may_all=may_all)) for row in rows],
        total=found.total_entries,
        first=offset + 1,
        before_url=asked.urls.page(PAGE, {**query, "offset": str(before)}) if offset else "",
        after_url=asked.urls.page(PAGE, {**query, "offset": str(after)}) if after < found.total_entries else "",
        search=where.search,
        dag_id=where.dag_id,
        month=_month(asked, query) if view == "month" else None,
        reads_all=asked.actor.permissions.readable() is None,
    )


def _offset(asked: PageRequest) -> int:
    given = asked.one("offset") or "0"
    if not (given.isascii() and given.isdigit() and len(given) < 7):
        raise BadInput(f"offset is {given[:20]!r}; allowed are 0 and more")
    return int(given)


def _editable(asked: PageRequest, rows: Sequence[WindowAnswer]) -> set[str]:
    return asked.actor.permissions.editable({dag_id for row in rows for dag_id in _named(row)})


def _may_edit_any(asked: PageRequest) -> bool:
    readable = asked.actor.permissions.readable()
    return bool(asked.actor.permissions.editable(readable)) if readable else False


def _named(row: WindowAnswer) -> set[str]:
    return {*row.scope["workflows"], *(one["dag_id"] for one in row.scope["tasks"])}


def _may_edit(row: WindowAnswer, editable: set[str], *, may_all: bool) -> bool:
    is_open = row.scope["everything"] or any(row.scope[name] for name in ("folders", "projects", "tags"))
    return may_all or (not is_open and row.problem is None and _named(row) <= editable)


def _row(row: WindowAnswer, asked: PageRequest, *, may_edit: bool) -> WindowRow:
    badge = None
    if row.problem is not None:
        badge = Badge("Set aside", "red")
    elif not row.enabled:
        badge = Badge("Off", "grey")
    elif row.open_until is not None:
        badge = Badge("Open", "amber")
    covers = scope_words(row.scope)
    released = row.open_until is not None and row.open_until >= UNTIL_RELEASED
    return WindowRow(
        number=row.window_id,
        name=row.name,
        purpose="" if row.purpose == "window" else PURPOSES[row.purpose],
        kinds=[KINDS[kind] for kind in row.kinds],
        effect=EFFECTS[row.downstream] if row.downstream else "",
        covers=covers[:NAMED],
        more_covered=max(len(covers) - NAMED, 0),
        times=times_words(row.times),
        badge=badge,
        open_until=None if released else text.time(row.open_until),
        until_released=released,
        next_begin=text.time(row.next_begin),
        next_end=text.time(row.next_end),
        reason=row.problem or row.reason or "",
        changed=text.time(row.changed_at),
        changed_by=row.changed_by,
        may_edit=may_edit,
    )


def _month(asked: PageRequest, query: dict[str, str]) -> MonthGrid:
    zone = _zone(asked.one("zone"))
    today = asked.now.astimezone(zone).date()
    first = _first_of_month(asked.one("month"), today)
    after = (first + timedelta(days=32)).replace(day=1)
    begin = first - timedelta(days=first.weekday())
    weeks = ((after - begin).days + 6) // 7
    days = [begin + timedelta(days=number) for number in range(weeks * 7)]
    lines = _lines(asked, days, zone)

    def url(day: date) -> str:
        return asked.urls.page(PAGE, {**query, "view": "month", "month": f"{day:%Y-%m}", "zone": zone.key})

    cells = [
        Day(
            day.day, day.isoformat(), day.month == first.month, day == today, lines[day][:LINES],
            max(len(lines[day]) - LINES, 0),
        )
        for day in days
    ]  # fmt: skip
    return MonthGrid(
        label=f"{first:%B %Y}",
        zone=zone.key,
        weeks=[cells[number : number + 7] for number in range(0, len(cells), 7)],
        before_url=url(first - timedelta(days=1)),
        after_url=url(after),
    )


def _zone(name: str) -> ZoneInfo:
    try:
        return parse_zone(name or "UTC")
    except ValueError as error:
        raise BadInput(f"zone {error}") from None


def _first_of_month(given: str, today: date) -> date:
    try:
        first = datetime.strptime(given, "%Y-%m").date() if given else today.replace(day=1)
    except ValueError:
        first = date.min
    if not _FIRST <= first <= _LAST:
        raise BadInput(f"month is {given[:20]!r}; allowed are a year and a month, as 2026-12")
    return first


def _lines(asked: PageRequest, days: Sequence[date], zone: ZoneInfo) -> dict[date, list[DayLine]]:
    """What lies on each day; what lasts over several days is on each of them."""
    begin = datetime.combine(days[0], time(), zone).astimezone(UTC)
    end = datetime.combine(days[-1] + timedelta(days=1), time(), zone).astimezone(UTC)
    found: dict[date, list[DayLine]] = defaultdict(list)
    for entry in calendar(asked.session, asked.actor, begin, end):
        first = max(entry.begin.astimezone(zone).date(), days[0])
        # what ends at midnight is not on the day that begins then
        last_moment = max(entry.begin, entry.end - timedelta(microseconds=1)) if entry.end < end else end
        last = min(last_moment.astimezone(zone).date(), days[-1])
        for number in range((last - first).days + 1):
            day = first + timedelta(days=number)
            found[day].append(_line(entry, day, zone))
    return found


def _line(entry: CalendarEntry, day: date, zone: ZoneInfo) -> DayLine:
    begin = entry.begin.astimezone(zone)
    clock = f"{begin:%H:%M} " if begin.date() == day else ""
    until = f" to {entry.end.astimezone(zone):%Y-%m-%d %H:%M}" if entry.begin < entry.end < UNTIL_RELEASED else ""
    kinds = f" ({', '.join(KINDS[kind].lower() for kind in entry.kinds)})" if entry.kinds else ""
    tone = "blue" if entry.what == "resume" else "amber"
    return DayLine(f"{clock}{entry.title}", f"{entry.title}{kinds}: {begin:%Y-%m-%d %H:%M}{until} {zone.key}", tone)
