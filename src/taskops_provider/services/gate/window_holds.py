"""What windows hold: instances of runs that were created in one, until it ends."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from taskops_provider.adapter.runs import Instance
from taskops_provider.domain.chunks import chunks
from taskops_provider.domain.gate import ANY_TASK
from taskops_provider.domain.states import Downstream
from taskops_provider.domain.windows.scope import ANY_DAG
from taskops_provider.models import GateInterval


class _Span(NamedTuple):
    from_at: datetime
    to_at: datetime


def held_until(session: Session, instances: Collection[Instance]) -> dict[UUID, datetime]:
    """Return until when windows hold instances, or held them, by when their runs were created; others are missing.

    One query for each 500 Dags.
    """
    if not instances:
        return {}
    first = min(ti.created_at for ti in instances)
    spans: dict[tuple[str, str], list[_Span]] = defaultdict(list)
    for some in chunks(sorted({ti.dag_id for ti in instances})):
        query = select(GateInterval.dag_id, GateInterval.task_id, GateInterval.from_at, GateInterval.to_at).where(
            GateInterval.dag_id.in_([*some, ANY_DAG]),
            GateInterval.window_id.is_not(None),
            GateInterval.by_cycle.is_(False),
            GateInterval.downstream == Downstream.HOLD.value,
            GateInterval.to_at > first,
        )
        for dag_id, task_id, from_at, to_at in session.execute(query):
            if to_at is not None:
                spans[dag_id, task_id].append(_Span(from_at, to_at))
    found: dict[UUID, datetime] = {}
    for ti in instances:
        ends = [
            span.to_at
            for key in ((ti.dag_id, ti.task_id), (ti.dag_id, ANY_TASK), (ANY_DAG, ANY_TASK))
            for span in spans.get(key, ())
            if span.from_at <= ti.created_at < span.to_at
        ]
        if ends:
            found[ti.id] = max(ends)
    return found


def without_held_by_windows(session: Session, instances: list[Instance], now: datetime) -> list[Instance]:
    """Return the instances that no window holds now."""
    until = held_until(session, instances)
    return [ti for ti in instances if ti.id not in until or until[ti.id] <= now]
