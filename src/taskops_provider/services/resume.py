"""Starting tasks again at their ``resume_at`` (the monitor's step)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from taskops_provider.domain.operations import Options, Request, Scope
from taskops_provider.domain.states import TaskState, Verb
from taskops_provider.exceptions import BadInput
from taskops_provider.models import Operation, Task
from taskops_provider.services.actor import MONITOR
from taskops_provider.services.operations import apply
from taskops_provider.services.pairs import Pair
from taskops_provider.services.planning import targets_of

REASON = "resume_at has come"


def step(session: Session, now: datetime) -> bool:
    """Start the tasks whose time has come, as one operation, or two where some fill their gap. The caller commits.

    :return: whether there were any
    """
    query = (
        select(Task.dag_id, Task.task_id, Operation.options)
        .outerjoin(Operation, Operation.id == Task.state_operation_id)
        .where(Task.resume_at <= now, Task.state == TaskState.PAUSED.value, Task.is_present.is_(True))
        .order_by(Task.dag_id, Task.task_id)
    )
    due: dict[bool, list[Pair]] = {True: [], False: []}
    for row in session.execute(query):
        due[bool((row.options or {}).get("fill_gap"))].append((row.dag_id, row.task_id))
    for fills, pairs in due.items():
        if pairs:
            _start(session, pairs, fills=fills)
    return any(due.values())


def _start(session: Session, pairs: list[Pair], *, fills: bool) -> None:
    request = Request(Verb.START, Scope.TASK, targets_of(pairs), Options(reason=REASON, fill_gap=fills))
    try:
        apply(session, MONITOR, request)
    except BadInput as error:
        if not fills:
            raise
        # nothing was done yet; a gap that is too large is no reason to stay paused
        reason = f"{REASON}; {error}".replace("the gap is not filled, and nothing was started", "the gap is not filled")
        apply(session, MONITOR, Request(Verb.START, Scope.TASK, request.targets, Options(reason=reason)))
