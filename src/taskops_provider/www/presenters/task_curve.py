"""Execution curve of a task: how long its last instances took, when they started and ended (C3)."""

from __future__ import annotations

from typing import Any

from taskops_provider.domain.periods import Period
from taskops_provider.services.curve import LAST, Point, curve
from taskops_provider.www.presenters import text
from taskops_provider.www.presenters.task_instances import name_of, state_badge
from taskops_provider.www.presenters.task_page import TaskPage

#: cycles shorter than a day: their clock times would be all over the day
_WITHIN_HOUR = (Period.MINUTE, Period.HOUR)


def present(page: TaskPage) -> dict[str, Any]:
    """Return what the template ``task_curve.html`` shows.

    :raises Forbidden: when the instances of the Dag may not be seen
    """
    asked, row = page.asked, page.row
    given = asked.one("last") or str(LAST[0])
    last = int(given) if page.problems.only("Number of instances", [given], map(str, LAST)) else LAST[0]
    points = curve(asked.session, asked.actor, row.dag_id, row.task_id, asked.now, last=last)
    return {
        "refresh_url": page.url(view=page.view, last=str(last)),
        "last": last,
        "choices": [(number, page.url(view=page.view, last=str(number))) for number in LAST],
        "points": [_point(point, page) for point in points],
        "is_mapped": page.facts.is_mapped or any(point.map_index >= 0 for point in points),
        "summary": _summary(points),
        "clock": "hour" if row.period in _WITHIN_HOUR else "day",
    }


def _point(point: Point, page: TaskPage) -> dict[str, Any]:
    row = page.row
    return {
        "name": name_of(point.run_id, point.map_index),
        "url": page.asked.urls.instance(row.dag_id, point.run_id, row.task_id, point.map_index),
        "data_time": text.time(point.logical_date),
        "badge": state_badge(point.state),
        "state": point.state,
        "started": text.time(point.start_date),
        "ended": text.time(point.end_date),
        "seconds": "" if point.duration is None else f"{point.duration:.3f}",
        "took": "" if point.duration is None else text.duration(point.duration),
    }


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
