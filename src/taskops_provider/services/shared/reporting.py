"""What is logged and counted once a transaction is committed, and forgotten if it is rolled back."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from typing import Any

from sqlalchemy import event
from sqlalchemy.orm import Session, object_session

from taskops_provider import metrics
from taskops_provider.domain.metrics import OPERATION, OPERATIONS
from taskops_provider.models import Operation

log = logging.getLogger(__name__)

#: in ``Session.info``: what is called after the commit; when the use case of the session began
_CALLS, _BEGAN = "taskops_after_commit", "taskops_began"
#: and what its operations are about, by their number
_TARGETS = "taskops_targets"
#: Dags that a log line names
_NAMED = 10


def after_commit(session: Session, call: Callable[[], object]) -> None:
    """Have something called once the present transaction is committed. It must not use the session.

    What it raises is logged: nobody's work fails because of a report about it.
    """
    if _CALLS not in session.info:
        session.info[_CALLS] = []
        event.listen(session, "after_commit", _committed)
        event.listen(session, "after_soft_rollback", _rolled_back)
    session.info[_CALLS].append(call)


def _committed(session: Session) -> None:
    if session.in_nested_transaction():  # a savepoint that was released: the whole may yet be rolled back
        return
    calls, session.info[_CALLS] = session.info[_CALLS], []
    for call in calls:
        try:
            call()
        except Exception:
            log.exception("TaskOps could not report what was done; it was done all the same")


def _rolled_back(session: Session, transaction: Any) -> None:
    if not transaction.nested:
        session.info[_CALLS] = []
        session.info.pop(_TARGETS, None)


def begin(session: Session) -> None:
    """Note that a use case begins, for the duration of the operations that it records."""
    session.info[_BEGAN] = time.perf_counter()


def count_failed(*, refused: bool) -> None:
    """Count a use case that ended without doing anything."""
    metrics.count(OPERATIONS, "refused" if refused else "error")


@event.listens_for(Operation, "after_insert")
def _recorded(_mapper: Any, _connection: Any, operation: Operation) -> None:
    """Whatever kind of operation it is: there is one row for each."""
    session = object_session(operation)
    if session is None:
        return
    number, verb, outcome = operation.id, operation.verb, operation.outcome
    counts = f"applied {operation.applied}, left alone {operation.left_alone}, blocked {operation.blocked}"
    who = f"{operation.actor} ({operation.source})"
    began = session.info.pop(_BEGAN, None) or time.perf_counter()
    targets = session.info.setdefault(_TARGETS, {})

    def report() -> None:
        metrics.duration(OPERATION, time.perf_counter() - began, verb)
        metrics.count(OPERATIONS, outcome)
        log.info("TaskOps operation %s: %s by %s: %s%s", number, verb, who, counts, targets.pop(number, ""))

    after_commit(session, report)


def name_targets(session: Session, operation_id: int, dag_ids: Iterable[str]) -> None:
    """Have the log line of an operation name its Dags."""
    names = sorted(set(filter(None, dag_ids)))
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    if names:
        session.info.setdefault(_TARGETS, {})[operation_id] = f"; Dags {', '.join(names[:_NAMED])}{more}"
