"""What a window would do: when it is open next, and which cycles of Airflow's schedules it would stop."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import islice

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from taskops_provider.adapter import dag_state
from taskops_provider.adapter.next_cycles import ScheduledDag, due_between, scheduled_dag
from taskops_provider.domain.windows.times import Occurrence, merged
from taskops_provider.exceptions import BadInput
from taskops_provider.inputs.windows.window import WindowCreate, WindowDefinition
from taskops_provider.models import Task
from taskops_provider.services.shared.actor import Actor
from taskops_provider.services.shared.large_work import large_work
from taskops_provider.services.shared.task_keys import chunks
from taskops_provider.services.windows.answers import OccurrenceAnswer, StoppedCycle, WindowPreview
from taskops_provider.services.windows.changes import checked
from taskops_provider.services.windows.listing import seen_window
from taskops_provider.services.windows.places import dag_places

#: Dags whose cycles are looked at, cycles that are named of an occurrence, occurrences that may be asked for
MAX_DAGS = 50
MAX_CYCLES = 50
MAX_OCCURRENCES = 50
#: how far ahead the cycles of a workflow are soon counted
_NEAR = timedelta(days=366)


def preview_window(
    session: Session, actor: Actor, window: WindowCreate, now: datetime, *, occurrences: int = 5
) -> WindowPreview:
    """Tell what a window would do that the actor may make. Changes nothing.

    :raises TaskOpsError: as making it would be refused
    """
    return _preview(session, actor, checked(session, actor, window, now), now, occurrences)


def preview_kept(
    session: Session, actor: Actor, window_id: int, now: datetime, *, occurrences: int = 5
) -> WindowPreview:
    """Tell the same of a window that there is, as far as the actor may see it. Changes nothing.

    :raises ResourceNotFound: when there is none, or none that the actor may see
    """
    _, window = seen_window(session, actor, window_id)
    return _preview(session, actor, window, now, occurrences)


def _preview(
    session: Session, actor: Actor, window: WindowDefinition, now: datetime, occurrences: int
) -> WindowPreview:
    if not 1 <= occurrences <= MAX_OCCURRENCES:
        raise BadInput(f"occurrences is {occurrences}; allowed are 1 to {MAX_OCCURRENCES}")
    times = list(islice(merged(window.times.occurrences(now)), occurrences)) if window.times is not None else []
    named = None if window.scope.is_open else window.scope.named_dags
    places = dag_places(session, [window.scope], named)
    dag_ids = sorted(p.dag_id for p in places if window.scope.covers(p, "") and actor.may_read(p.dag_id))
    with large_work("the preview", actor.name) as slot:
        # a custom timetable is asked for each run until then
        if len(dag_ids) > 1 or any(one.begin > now + _NEAR for one in times):
            slot.take()
        looked_at = dag_ids[:MAX_DAGS] if window.pauses else []
        paused = dag_state.paused_dags(session, looked_at)
        dags = {one: scheduled_dag(session, one) for one in looked_at if one not in paused}
        found = [
            _occurrence(session, one, {k: dag for k, dag in dags.items() if dag is not None}, now) for one in times
        ]
    return WindowPreview(
        occurrences=found,
        workflows=len(dag_ids),
        tasks=_count_tasks(session, window, dag_ids),
        not_looked_at=max(len(dag_ids) - MAX_DAGS, 0) if window.pauses else 0,
        without_cycles=[one for one in looked_at if dags.get(one) is None],
    )


def _occurrence(session: Session, one: Occurrence, dags: dict[str, ScheduledDag], now: datetime) -> OccurrenceAnswer:
    cycles = [
        StoppedCycle(dag_id, cycle.logical_date, cycle.run_after)
        for dag_id, dag in dags.items()
        for cycle in due_between(session, dag, max(one.begin, now), one.end, MAX_CYCLES + 1)
    ]
    cycles.sort(key=lambda cycle: (cycle.run_after, cycle.dag_id))
    return OccurrenceAnswer(one.begin, one.end, cycles[:MAX_CYCLES], max(len(cycles) - MAX_CYCLES, 0))


def _count_tasks(session: Session, window: WindowDefinition, dag_ids: Sequence[str]) -> int:
    """How many tasks there are in its scope: one query for each 400 Dags."""
    places = {place.dag_id: place for place in dag_places(session, [window.scope], dag_ids)}
    whole = [dag_id for dag_id in dag_ids if window.scope.covers_dag(places[dag_id])]
    named: dict[str, int] = defaultdict(int)
    for dag_id, _ in window.scope.tasks:
        named[dag_id] += 1
    count = sum(named[dag_id] for dag_id in set(dag_ids) - set(whole))
    for some in chunks([(dag_id, "") for dag_id in whole]):
        query = select(func.count()).where(Task.dag_id.in_([dag_id for dag_id, _ in some]), Task.is_present.is_(True))
        count += session.scalar(query) or 0
    return count
