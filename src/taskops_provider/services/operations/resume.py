"""Starting tasks again at their ``resume_at`` (the monitor's step)."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime
from functools import cache

from sqlalchemy import ColumnElement, and_, select
from sqlalchemy.orm import Session

from taskops_provider.domain.operations.plan import Plan
from taskops_provider.domain.operations.targets import Scope
from taskops_provider.domain.states import TaskState, Verb
from taskops_provider.exceptions import GapRefused
from taskops_provider.inputs.operation import Options, Request
from taskops_provider.models import Replenishment, Task
from taskops_provider.services.operations.apply import apply_operation
from taskops_provider.services.operations.kept_wishes import fill_their_gap
from taskops_provider.services.operations.plan import targets_of
from taskops_provider.services.shared.actor import MONITOR
from taskops_provider.services.shared.in_whose_name import Asker, Askers, asker_of, note_asker
from taskops_provider.services.shared.task_keys import TaskKey

REASON = "resume_at has come"


def due_dags(session: Session, now: datetime) -> list[str]:
    """Return the Dags with tasks whose time has come. One query."""
    return list(session.scalars(select(Task.dag_id).where(_is_due(now)).distinct().order_by(Task.dag_id)))


def resume_dag(session: Session, dag_id: str, now: datetime) -> bool:
    """Start the tasks of a Dag whose time has come, as one operation, or more where some fill their gap and others not.

    Each Dag is done alone, so that what is wrong with one, or a gap that is too large, keeps no other waiting. Each is
    committed.

    :return: whether there were any
    """
    query = (
        select(Task.task_id, Task.state_operation_id).where(_is_due(now), Task.dag_id == dag_id).order_by(Task.task_id)
    )
    paused_by = {(dag_id, row.task_id): row.state_operation_id for row in session.execute(query)}
    filling = fill_their_gap(session, paused_by)
    askers = Askers()
    why_not = cache(lambda number: askers.why_not_replenish(session, number, dag_id))
    asked_by = cache(lambda number: asker_of(session, number))
    unfilled: dict[str | None, list[TaskKey]] = defaultdict(list)
    filled: dict[Asker | None, list[TaskKey]] = defaultdict(list)
    for pair, number in paused_by.items():
        refused = why_not(number) if pair in filling else None
        if pair in filling and refused is None:
            filled[asked_by(number)].append(pair)
        else:
            unfilled[refused].append(pair)
    for refused, pairs in unfilled.items():
        _apply(session, pairs, _unfilled(refused) if refused else REASON, fills=False)
        session.commit()  # an operation that is done again rolls back what was done before in its transaction
    for asker, pairs in filled.items():
        _start_and_fill(session, pairs, asker)
        session.commit()
    return bool(paused_by)


def _is_due(now: datetime) -> ColumnElement[bool]:
    # also of tasks that left their Dag: runs of older versions may hold instances of them
    return and_(Task.resume_at <= now, Task.state == TaskState.PAUSED.value)


def _start_and_fill(session: Session, pairs: list[TaskKey], asker: Asker | None) -> None:
    """Start tasks of one Dag. A gap that is too large keeps no task paused.

    :param asker: in whose name the gap is filled
    """
    try:
        done = _apply(session, pairs, REASON, fills=True)
    except GapRefused as refused:
        # nothing was done yet
        _apply(session, pairs, _unfilled(refused.why), fills=False)
        return
    if asker and done.gap and done.gap.replenishment_id:
        queued = session.get_one(Replenishment, done.gap.replenishment_id)
        note_asker(session, queued.operation_id, asker)


def _unfilled(why: str) -> str:
    return f"{REASON}; the gap is not filled: {why}"


def _apply(session: Session, pairs: list[TaskKey], reason: str, *, fills: bool) -> Plan:
    options = Options(reason=reason, fill_gap=fills)
    return apply_operation(session, MONITOR, Request(Verb.START, Scope.TASK, targets_of(pairs), options))
