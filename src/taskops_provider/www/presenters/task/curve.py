"""Execution curve of a task: how long its last instances took, when they started and ended (requirements C3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from taskops_provider.domain.periods import Period
from taskops_provider.services.catalog.curve import LAST, Point, curve
from taskops_provider.www.presenters import text
from taskops_provider.www.presenters.instances.badges import name_of, state_badge
from taskops_provider.www.presenters.task.page import TaskPage

#: cycles shorter than a day: their clock times would be all over the day
_WITHIN_HOUR = (Period.MINUTE, Period.HOUR)


@dataclass(frozen=True)
class CurvePoint:
    """An instance that executed.

    :param seconds: its duration for the script; ``took``: for people. Empty where Airflow has none
    """

    name: str
    url: str
    data_time: text.Time | None
    badge: text.Badge
    state: str
    started: text.Time | None
    ended: text.Time | None
    seconds: str
    took: str


@dataclass(frozen=True)
class CurveView:
    """What the template ``task/curve.html`` shows.

    :param last: how many instances; ``choices``: how many there could be, with the addresses
    :param summary: label, value
    :param clock: what the clock chart goes round in: ``hour`` or ``day``
    """

    refresh_url: str
    last: int
    choices: Sequence[tuple[int, str]]
    points: Sequence[CurvePoint]
    is_mapped: bool
    summary: Sequence[tuple[str, str]]
    clock: str


def curve_view(page: TaskPage) -> CurveView:
    """Return the execution curve.

    :raises Forbidden: when the instances of the Dag may not be seen
    """
    asked, row = page.asked, page.row
    given = asked.one("last") or str(LAST[0])
    last = int(given) if page.problems.only("Number of instances", [given], map(str, LAST)) else LAST[0]
    points = curve(asked.session, asked.actor, row.dag_id, row.task_id, asked.now, last=last)
    return CurveView(
        refresh_url=page.url(view=page.view, last=str(last)),
        last=last,
        choices=[(number, page.url(view=page.view, last=str(number))) for number in LAST],
        points=[_point(point, page) for point in points],
        is_mapped=page.facts.is_mapped or any(point.map_index >= 0 for point in points),
        summary=_summary(points),
        clock="hour" if row.period in _WITHIN_HOUR else "day",
    )


def _point(point: Point, page: TaskPage) -> CurvePoint:
    row = page.row
    return CurvePoint(
        name=name_of(point.run_id, point.map_index),
        url=page.asked.urls.instance(row.dag_id, point.run_id, row.task_id, point.map_index),
        data_time=text.time(point.logical_date),
        badge=state_badge(point.state),
        state=point.state,
        started=text.time(point.start_date),
        ended=text.time(point.end_date),
        seconds="" if point.duration is None else f"{point.duration:.3f}",
        took="" if point.duration is None else text.duration(point.duration),
    )


def _summary(points: list[Point]) -> list[tuple[str, str]]:
    """Shortest, usual and longest duration, and how many failed."""
    took = sorted(point.duration for point in points if point.duration is not None)
    if not took:
        return []
    failed = sum(point.state == "failed" for point in points)
    return [
        ("Shortest", text.duration(took[0])),
        ("Median", text.duration(took[len(took) // 2])),
        ("Longest", text.duration(took[-1])),
        ("Average", text.duration(sum(took) / len(took))),
        ("Failed", str(failed)),
    ]
