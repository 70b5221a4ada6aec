"""What lies ahead, or lay behind, on a calendar: windows, and pauses that end by themselves."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import islice, takewhile

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from taskops_provider.domain.states import TaskState
from taskops_provider.domain.windows.times import UNTIL_RELEASED, merged
from taskops_provider.exceptions import BadInput
from taskops_provider.models import Task
from taskops_provider.services.shared.actor import Actor
from taskops_provider.services.shared.large_work import large_work
from taskops_provider.services.windows.answers import CalendarEntry
from taskops_provider.services.windows.listing import visible_windows

LONGEST = timedelta(days=62)
#: entries of one calendar, occurrences of one window
MAX_ENTRIES = 2000
MAX_OF_ONE = 500
#: windows beyond which it takes a turn
MANY = 100


def calendar(session: Session, actor: Actor, begin: datetime, end: datetime) -> list[CalendarEntry]:
    """Return what overlaps a time, in the order of begin: at most five queries.

    :raises BadInput: for a time that is too long, or ends before it begins
    :raises Conflict: for many windows while other large requests are under way
    """
    if not begin < end <= begin + LONGEST:
        raise BadInput(f"a calendar reaches from one moment to a later one, at most {LONGEST.days} days")
    visible = visible_windows(session, actor)
    with large_work("the calendar", actor.name) as slot:
        if len(visible) > MANY:
            slot.take()
        found = [
            CalendarEntry("window", one.begin, one.end, window.name, row.id, window.kinds)
            for row, window in visible
            if window.enabled and window.times is not None
            for one in merged(
                islice(takewhile(lambda one: one.begin < end, window.times.occurrences(begin)), MAX_OF_ONE)
            )
        ]
    found += _resumes(session, actor, begin, end)
    return sorted(found, key=lambda entry: (entry.begin, entry.title))[:MAX_ENTRIES]


def _resumes(session: Session, actor: Actor, begin: datetime, end: datetime) -> list[CalendarEntry]:
    query = (
        select(Task.dag_id, Task.resume_at, func.count())
        .where(Task.state == TaskState.PAUSED.value, Task.resume_at >= begin, Task.resume_at < end)
        .group_by(Task.dag_id, Task.resume_at)
        .order_by(Task.resume_at, Task.dag_id)
        .limit(MAX_ENTRIES)
    )
    readable = actor.permissions.readable()
    if readable is not None:
        query = query.where(Task.dag_id.in_(sorted(readable)))
    return [
        CalendarEntry("resume", at, at, f"{dag_id}: {count} task{'' if count == 1 else 's'} start again", dag_id=dag_id)
        for dag_id, at, count in session.execute(query)
        if at is not None and at < UNTIL_RELEASED
    ]
