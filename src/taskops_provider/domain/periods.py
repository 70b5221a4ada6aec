"""How often a workflow runs, in one word: the period of its timetable.

The rule for a cron expression: the period is the smallest unit at which it fires *repeatedly*. A field repeats
when it is ``*``, a step (``*/6``) or a range (``1-5``); a single value or a plain list of values (``3,15``) is a
fixed point inside the next larger unit. So ``*/5 * * * *`` is minute, ``0 */6 * * *`` hour, ``0 3,15 * * *`` and
``0 3 * * 1-5`` day, ``0 3 * * 1`` and ``0 3 * * 1,4`` week, ``0 3 1 * *`` and ``0 0 1 */3 *`` month, ``0 3 1 1,7 *``
year. The n-th weekday of a month (``5#2``, ``L5``) counts as a day of the month. Where both the day of the month
and the weekday are given, cron fires on either: the smaller period holds. Seconds count as minute.

The rule for an interval: the largest unit that fits into it (36 hours are day, 14 days week, 90 days month).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import Enum, StrEnum, auto
from typing import Any

_MINUTE, _HOUR, _DAY = 60, 3600, 86400


class Period(StrEnum):
    """What is shown as the period of a workflow, smallest first."""

    MINUTE = "minute"
    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    YEAR = "year"
    ONCE = "once"
    #: scheduled by assets, alone or beside a time
    EVENT = "event"
    CONTINUOUS = "continuous"
    #: no schedule: only runs that somebody triggers
    MANUAL = "manual"
    CUSTOM = "custom"


_FIXED_KINDS: Mapping[str, Period] = {
    "NullTimetable": Period.MANUAL,
    "PartitionedAtRuntime": Period.MANUAL,
    "OnceTimetable": Period.ONCE,
    "ContinuousTimetable": Period.CONTINUOUS,
    "AssetTriggeredTimetable": Period.EVENT,
    "PartitionedAssetTimetable": Period.EVENT,
    "AssetOrTimeSchedule": Period.EVENT,
}
_CRON_KINDS = frozenset(
    {"CronDataIntervalTimetable", "CronTriggerTimetable", "CronPartitionTimetable", "MultipleCronTriggerTimetable"}
)
_DELTA_KINDS = frozenset({"DeltaDataIntervalTimetable", "DeltaTriggerTimetable"})

_PRESETS: Mapping[str, str] = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@quarterly": "0 0 1 */3 *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
_MONTH_NAMES = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTHS = {name: number for number, name in enumerate(_MONTH_NAMES, start=1)}
_WEEKDAYS = {name: number for number, name in enumerate(("sun", "mon", "tue", "wed", "thu", "fri", "sat"))}
_NO_NAMES: Mapping[str, int] = {}
#: the highest weekday: Sunday is 0 and 7
_SUNDAY_AGAIN = 7

#: seconds of the units of a ``relativedelta``, as Airflow encodes one
_UNIT_SECONDS: Mapping[str, float] = {
    "years": 365 * _DAY,
    "leapdays": _DAY,
    "months": 30 * _DAY,
    "days": _DAY,
    "hours": _HOUR,
    "minutes": _MINUTE,
    "seconds": 1,
    "microseconds": 1e-6,
}
#: the shortest interval, in seconds, of each period
_AT_LEAST: tuple[tuple[float, Period], ...] = (
    (365 * _DAY, Period.YEAR),
    (28 * _DAY, Period.MONTH),
    (7 * _DAY, Period.WEEK),
    (_DAY, Period.DAY),
    (_HOUR, Period.HOUR),
)


class _Shape(Enum):
    ANY = auto()
    REPEATS = auto()
    FIXED = auto()
    #: a fixed weekday of one week in the month
    NTH = auto()


def period_of(kind: str, parameters: Mapping[str, Any]) -> Period:
    """Return the period of a timetable.

    :param kind: the class name of the timetable, as ``CronTriggerTimetable``
    :param parameters: its fields as Airflow serializes them: ``expression`` or ``expressions`` of the cron
        timetables, ``delta`` (seconds, or a dict of relativedelta units) of the interval timetables
    """
    if kind in _FIXED_KINDS:
        return _FIXED_KINDS[kind]
    if kind in _CRON_KINDS:
        expressions = parameters.get("expressions") or [parameters.get("expression")]
        return _smallest(cron_period(expression) for expression in expressions)
    if kind in _DELTA_KINDS:
        return delta_period(parameters.get("delta"))
    return Period.CUSTOM


def cron_period(expression: Any) -> Period:
    """Return the period of a cron expression (5 fields; a sixth holds seconds, a seventh years) or preset.

    What is no such expression is ``custom``.
    """
    if not isinstance(expression, str):
        return Period.CUSTOM
    fields = _PRESETS.get(expression.strip().lower(), expression).lower().split()
    if not 5 <= len(fields) <= 7:
        return Period.CUSTOM
    try:
        return _period_of_fields(fields)
    except ValueError:
        return Period.CUSTOM


def delta_period(delta: Any) -> Period:
    """Return the period of an interval: seconds, or a dict of relativedelta units. Else, or if not positive, custom."""
    if isinstance(delta, Mapping):
        if not set(delta) <= set(_UNIT_SECONDS):  # absolute parts, as day=1 or weekday
            return Period.CUSTOM
        delta = sum(amount * _UNIT_SECONDS[unit] for unit, amount in delta.items())
    if not isinstance(delta, (int, float)) or delta <= 0:
        return Period.CUSTOM
    return next((period for at_least, period in _AT_LEAST if delta >= at_least), Period.MINUTE)


def _smallest(periods: Iterable[Period]) -> Period:
    order = list(Period)
    return min(periods, key=order.index)


def _period_of_fields(fields: list[str]) -> Period:
    minute = _shape(fields[0], 0, 59)
    hour = _shape(fields[1], 0, 23)
    day = _shape(fields[2], 1, 31)
    month = _shape(fields[3], 1, 12, _MONTHS)
    weekday = _shape(fields[4], 0, _SUNDAY_AGAIN, _WEEKDAYS)
    second = _shape(fields[5], 0, 59) if len(fields) > 5 else _Shape.FIXED
    if second is not _Shape.FIXED or minute is not _Shape.FIXED:
        return Period.MINUTE
    if hour is not _Shape.FIXED:
        return Period.HOUR
    restricted = []
    if day is not _Shape.ANY:
        restricted.append(_period_of_day(day, month))
    if weekday is not _Shape.ANY:
        restricted.append(Period.WEEK if weekday is _Shape.FIXED else _period_of_day(weekday, month))
    return _smallest(restricted) if restricted else Period.DAY


def _period_of_day(shape: _Shape, month: _Shape) -> Period:
    """Return the period of a day of the month (or n-th weekday): every so many days, once a month, once a year."""
    if shape is _Shape.REPEATS:
        return Period.DAY
    return Period.YEAR if month is _Shape.FIXED else Period.MONTH


def _shape(field: str, low: int, high: int, names: Mapping[str, int] = _NO_NAMES) -> _Shape:
    """Classify one cron field.

    :raises ValueError: when it is none
    """
    if field in ("*", "?"):
        return _Shape.ANY
    values: set[int] = set()
    for part in field.split(","):
        if _is_nth(part, high):
            return _Shape.NTH
        values |= _values(part, low, high, names)
    if len(values) == _size(low, high):
        return _Shape.ANY
    return _Shape.REPEATS if len(values) > 1 and any(sign in field for sign in "*/-") else _Shape.FIXED


def _is_nth(part: str, high: int) -> bool:
    return high == _SUNDAY_AGAIN and ("#" in part or (part.startswith("l") and part[1:].isdigit()))


def _values(part: str, low: int, high: int, names: Mapping[str, int]) -> set[int]:
    """Return the values of one part of a list: a value, a range or a step."""
    if part == "l" and high == 31:
        return {31}
    span, _, step_text = part.partition("/")
    step = int(step_text) if step_text else 1
    if step < 1:
        raise ValueError(part)
    first_text, _, last_text = span.partition("-")
    if first_text == "*":
        first, last = low, high
    else:
        first = _value(first_text, low, high, names)
        last = _value(last_text, low, high, names) if last_text else (high if step_text else first)
    size = _size(low, high)
    if last < first:  # wraps around: 22-2
        last += size
    return {low + (value - low) % size for value in range(first, last + 1, step)}


def _size(low: int, high: int) -> int:
    return 7 if high == _SUNDAY_AGAIN else high - low + 1


def _value(text: str, low: int, high: int, names: Mapping[str, int]) -> int:
    value = names[text] if text in names else int(text)
    if not low <= value <= high:
        raise ValueError(text)
    return value
