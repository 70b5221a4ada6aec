"""Two places in Airflow that have no plug-in point: the end of a try, and its dependency checks.

They are taken when Airflow's models are mapped, in every process that has them, so that nothing is imported here that
would not be there anyway. Both ask only for instances that are far from the common case:

- When a try has ended and another may follow, Airflow keeps the ended one (3.3: in a table of its own; 3.4: as a row
  beside the next one). If people hold the instance, it moves to the pool without slots in the same transaction, and the
  next try waits there.
- An instance that people force passes the checks on what is upstream of it and on earlier runs. Without that the
  scheduler would not start it, and would end it while it runs as soon as nothing else in its run moves.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from functools import wraps
from typing import Any

from sqlalchemy import and_, event, or_, select, update
from sqlalchemy.orm import Mapper
from sqlalchemy.orm.attributes import get_history, set_committed_value

from taskops_provider.airflow_versions import MISSING_NAME, is_tried, log_unavailable
from taskops_provider.domain.gate import GATE_POOLS, TASKOPS_MARK, force_mark
from taskops_provider.domain.states import Downstream

log = logging.getLogger(__name__)

#: the attribute of a run object that holds its forced instances: Airflow makes new objects for each look
_MEMO = "_taskops_forced"
#: the checks that a forced instance passes; those on pools, limits of the task, and times stay
_PASSED = frozenset({"TriggerRuleDep", "PrevDagrunDep", "NotPreviouslySkippedDep", "MappedTaskUpstreamDep"})
_PATCHED = "_taskops_original"
_FORCING = "forcing task instances"
#: states in which the mark of an instance has gone, because it has started or ended a try
_LOST_MARK = frozenset(
    {"running", "restarting", "deferred", "awaiting_input", "scheduled", "queued", "up_for_retry", "up_for_reschedule"}
)


@event.listens_for(Mapper, "mapper_configured")
def _on_mapper(mapper: Mapper[Any], class_: type) -> None:
    if class_.__module__ == "airflow.models.taskinstancehistory" and class_.__name__ == "TaskInstanceHistory":
        event.listen(class_, "after_insert", _hold_next_try)
    elif class_.__module__ == "airflow.models.taskinstance" and class_.__name__ == "TaskInstance":
        if "working_set" in class_.__table__.c:  # type: ignore[attr-defined]
            event.listen(class_, "after_update", _hold_successor)
        try:
            pass_checks()
        except MISSING_NAME as error:
            log_unavailable(log, _FORCING, error)


def _hold_next_try(mapper: Any, connection: Any, ended: Any) -> None:
    """What has ended is a row of Airflow's history, and the instance keeps its row (Airflow 3.3)."""
    from airflow.models.taskinstance import TaskInstance as TI

    if not _is_held(connection, ended):
        return
    table = TI.__table__
    connection.execute(
        update(table)
        .where(
            table.c.dag_id == ended.dag_id,
            table.c.run_id == ended.run_id,
            table.c.task_id == ended.task_id,
            table.c.map_index == ended.map_index,
        )
        .values(pool=GATE_POOLS[Downstream.HOLD])
    )


def _hold_successor(mapper: Any, connection: Any, ended: Any) -> None:
    """What has ended keeps its row, and Airflow is about to copy it for the next try (Airflow 3.4)."""
    is_archived = ended.working_set is None and bool(get_history(ended, "working_set").added)
    if is_archived and ended.archived_reason == "retry" and _is_held(connection, ended):
        # for the copy alone: this row is written, and keeps the pool in which it ran
        set_committed_value(ended, "pool", GATE_POOLS[Downstream.HOLD])


def _is_held(connection: Any, ended: Any) -> bool:
    from airflow.models.dagrun import DagRun

    from taskops_provider.models import InstanceOrder as Order
    from taskops_provider.policies.tables import has_orders

    if not has_orders(connection):
        return False
    of_run = and_(DagRun.dag_id == Order.dag_id, DagRun.run_id == Order.run_id)
    query = (
        select(Order.id)
        .join(DagRun, of_run)
        .where(
            Order.kind == "hold",
            Order.dag_id == ended.dag_id,
            Order.run_id == ended.run_id,
            Order.task_id.in_(("", ended.task_id)),
            Order.map_index.in_((-1, ended.map_index)),
            created_with_run(),
        )
        .limit(1)
    )
    return connection.execute(query).first() is not None


def created_with_run() -> Any:
    """The condition that an order is of this run, not of one of the same id that was there before."""
    from airflow.models.dagrun import DagRun

    from taskops_provider.models import InstanceOrder as Order

    return or_(
        Order.run_created_at == DagRun.created_at,
        and_(DagRun.created_at.is_(None), Order.run_created_at == DagRun.run_after),
    )


def pass_checks() -> None:
    """Have forced instances pass the checks on what comes before them. Doing it twice does it once."""
    from airflow.ti_deps.deps.base_ti_dep import BaseTIDep

    original = BaseTIDep.get_dep_statuses
    if hasattr(original, _PATCHED):
        return

    @wraps(original)
    def get_dep_statuses(self: Any, ti: Any, dep_context: Any = None, **more: Any) -> Iterator[Any]:
        if type(self).__name__ in _PASSED and _is_forced(ti, more.get("session")):
            yield self._passing_status(reason="TaskOps: somebody forces the task instance.")
            return
        yield from original(self, ti, dep_context, **more)

    setattr(get_dep_statuses, _PATCHED, original)
    BaseTIDep.get_dep_statuses = get_dep_statuses  # type: ignore[method-assign]


def _is_forced(ti: Any, session: Any) -> bool:
    try:
        return is_forced(ti, session)
    except MISSING_NAME as error:
        # as of the gate: with a version that was tried, that is a fault of ours
        if is_tried() and not isinstance(error, ImportError):
            raise
        log_unavailable(log, _FORCING, error)
        return False


def is_forced(ti: Any, session: Any) -> bool:
    """Tell whether people force an instance. No query for one that has neither started nor ended a try."""
    mark = ti.retry_reason or ""
    if mark.startswith(TASKOPS_MARK):
        # what waits in the gate has another mark there, and is none
        return bool(mark == force_mark(ti.max_tries))
    if ti.state is None or str(getattr(ti.state, "value", ti.state)) not in _LOST_MARK:
        return False
    run = ti.get_dagrun(session=session) if session is not None else ti.dag_run
    memo: dict[tuple[str, int], int] | None = run.__dict__.get(_MEMO)
    if memo is None:
        memo = run.__dict__[_MEMO] = _forced(run, session)
    return bool(memo.get((ti.task_id, ti.map_index), -1) == ti.max_tries)


def _forced(run: Any, session: Any) -> dict[tuple[str, int], int]:
    from taskops_provider.models import InstanceOrder as Order
    from taskops_provider.policies.tables import has_orders

    if session is None:
        return {}
    with session.no_autoflush:
        if not has_orders(session.connection()):
            return {}
        query = select(Order.task_id, Order.map_index, Order.max_tries).where(
            Order.kind == "force",
            Order.dag_id == run.dag_id,
            Order.run_id == run.run_id,
            Order.run_created_at == (run.created_at or run.run_after),
        )
        return {(row.task_id, row.map_index): row.max_tries for row in session.execute(query)}
