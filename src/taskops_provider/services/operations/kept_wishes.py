"""What was asked for with a pause and happens at its end, also if an undo brought the pause back."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from sqlalchemy import select
from sqlalchemy.orm import Session

from taskops_provider.models import Operation, OperationItem
from taskops_provider.services.shared.task_keys import TaskKey, chunks, is_one_of


def fill_their_gap(session: Session, paused_by: Mapping[TaskKey, int | None]) -> set[TaskKey]:
    """Return the tasks of which the operation that paused them asked for their gap to be filled.

    An undo restores what another operation had asked for, which may have been an undo itself: one query for each
    operation on the way, and one for the tasks of an undo.

    :param paused_by: the number of the operation for each task
    """
    filling: set[TaskKey] = set()
    waiting: dict[int, set[TaskKey]] = defaultdict(set)
    for pair, number in paused_by.items():
        if number is not None:
            waiting[number].add(pair)
    while waiting:
        # an undo is newer than what it restores: the newest first, so that each is asked for once
        newest = max(waiting)
        pairs = waiting.pop(newest)
        operation = session.get(Operation, newest)
        if operation is None:
            continue
        if operation.verb != "undo":
            filling |= pairs if operation.options.get("fill_gap") else set()
            continue
        for pair, restored in _restored_by(session, newest, pairs).items():
            if restored is not None and restored < newest:
                waiting[restored].add(pair)
    return filling


def _restored_by(session: Session, undo: int, pairs: set[TaskKey]) -> dict[TaskKey, int | None]:
    """Return the operations whose states an undo restored."""
    found: dict[TaskKey, int | None] = {}
    for chunk in chunks(pairs):
        query = select(OperationItem.dag_id, OperationItem.task_id, OperationItem.restore).where(
            OperationItem.operation_id == undo, is_one_of(OperationItem.dag_id, OperationItem.task_id, chunk)
        )
        for dag_id, task_id, kept in session.execute(query):
            found[dag_id, task_id] = ((kept or {}).get("to") or {}).get("operation_id")
    return found
