"""What people ordered for single instances and whole runs (``models.instance_order``): the part of the scheduler.

A held instance waits as a gated one does (``domain.gate``). It becomes so when people hold it; here is what has it stay
so when Airflow makes it anew: when it is cleared, expanded, brought by a later Dag version, or about to be tried again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import event, select
from sqlalchemy.orm import object_session
from sqlalchemy.orm.attributes import instance_state

from taskops_provider.domain.gate import GATE_POOLS, WAITING_STATE, WAITS_FOR, force_mark, held_mark
from taskops_provider.domain.states import Downstream

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement
    from sqlalchemy.orm import Session

#: (task_id, map_index) of what is held in a run; an empty task id: the whole run, an index of -1: all that the task has
Holds = frozenset[tuple[str, int]]

#: where a session keeps the held instances that are being cleared in it
_CLEARED = "taskops_held_cleared"


def of_run(dag_run: Any) -> tuple[ColumnElement[bool], ...]:
    """The conditions on what people hold in a run."""
    from taskops_provider.models import InstanceOrder as Order

    return (
        Order.kind == "hold",
        Order.dag_id == dag_run.dag_id,
        Order.run_id == dag_run.run_id,
        Order.run_created_at == (dag_run.created_at or dag_run.run_after),
    )


def read_holds(dag_run: Any, session: Session) -> Holds:
    """Return what people hold in a run: one query."""
    from taskops_provider.models import InstanceOrder as Order

    query = select(Order.task_id, Order.map_index).where(*of_run(dag_run))
    with session.no_autoflush:
        return frozenset((row.task_id, row.map_index) for row in session.execute(query))


def is_among(holds: Holds, task_id: str, map_index: int) -> bool:
    """Tell whether an instance is held."""
    return bool(holds) and not holds.isdisjoint({("", -1), (task_id, -1), (task_id, map_index)})


def have_wait(ti: Any, before: str | None = None) -> None:
    """Have an instance wait that people hold.

    :param before: the mark of what it goes back to when it is released; None: it runs
    """
    ti.pool = GATE_POOLS[Downstream.HOLD]
    ti.state = WAITING_STATE
    ti.retry_delay_override = WAITS_FOR
    ti.retry_reason = held_mark(before)


def keep_when_cleared(ti: Any, dag_run: Any) -> None:
    """Have a held instance wait again if it is being cleared.

    Airflow asks the hook in the middle of clearing, and takes the state away afterwards. So it is looked at when that
    is about to be written: what has no state then was cleared.
    """
    session = object_session(ti) or object_session(dag_run)
    if session is None:
        return
    if _CLEARED not in session.info:
        session.info[_CLEARED] = []
        event.listen(session, "before_flush", _hold_cleared)
    session.info[_CLEARED].append(ti)


def _hold_cleared(session: Session, *_: object) -> None:
    found: list[Any] = session.info[_CLEARED]
    for ti in found:
        # what a rollback took back is not loaded: nothing is asked for here
        loaded = ti.__dict__
        was_cleared = "state" in loaded and loaded["state"] is None and instance_state(ti).session is session
        if was_cleared and loaded.get("retry_reason") != force_mark(loaded.get("max_tries", "")):
            have_wait(ti)
            ti.end_date = None
    found.clear()
