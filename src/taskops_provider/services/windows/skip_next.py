"""Leaving out the next cycles of workflows and tasks, however late their runs are created."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import insert
from sqlalchemy.orm import Session

from taskops_provider.adapter.cycles import Cycle
from taskops_provider.adapter.next_cycles import next_cycles
from taskops_provider.domain.states import Downstream, TaskState
from taskops_provider.domain.windows.kinds import WindowKind, WindowPurpose
from taskops_provider.domain.windows.scope import WindowScope
from taskops_provider.domain.windows.times import Once
from taskops_provider.exceptions import BadInput
from taskops_provider.inputs.windows.holding import SkipNext
from taskops_provider.inputs.windows.window import ScopeInput, WindowDefinition
from taskops_provider.models import GateInterval, Window
from taskops_provider.services.shared.actor import Actor
from taskops_provider.services.shared.large_work import large_work
from taskops_provider.services.shared.locks import take_writer_lock
from taskops_provider.services.shared.retries import retried
from taskops_provider.services.windows.answers import WindowAnswer
from taskops_provider.services.windows.changes import check_scope, refuse_frozen, refuse_too_many
from taskops_provider.services.windows.listing import answer
from taskops_provider.services.windows.recorded import record_change
from taskops_provider.services.windows.stored import new_row

#: cycles of all workflows together, and those beyond which it takes a turn
MOST_CYCLES = 10_000
_LARGE = 1000
_JUST_AFTER = timedelta(seconds=1)


@retried
def skip_next(session: Session, actor: Actor, asked: SkipNext, now: datetime) -> list[WindowAnswer]:
    """Leave out the next cycles; a window for each workflow. The caller commits.

    Runs of the schedule count, by when they are due; what somebody triggers is not left out.

    :raises BadInput: where nothing is named, too much is, or a workflow has no further cycles
    :raises ResourceNotFound: for what does not exist, or that the actor may not see
    :raises Forbidden: for what the actor may not edit
    :raises Conflict: for many cycles while other large requests are under way, and for too many windows
    """
    scope = ScopeInput(tasks=asked.tasks, workflows=asked.workflows).scope()
    if scope == WindowScope():
        raise BadInput("nothing is selected: name at least one task or workflow")
    check_scope(session, actor, scope)
    refuse_frozen(session, actor, scope, now)
    # nobody is kept waiting meanwhile
    next_of = _next_cycles(session, actor, sorted(scope.named_dags), asked.cycles)
    take_writer_lock(session, actor.name)
    refuse_too_many(session, actor, len(next_of))
    made = [_leave_out(session, actor, _part(scope, dag_id), cycles, asked, now) for dag_id, cycles in next_of.items()]
    options = {"window_ids": [row.id for row, _ in made], "cycles": asked.cycles}
    record_change(session, actor, "skip-next", scope, now, reason=asked.reason, options=options)
    return [answer(row, window, now) for row, window in made]


def _next_cycles(session: Session, actor: Actor, dag_ids: Sequence[str], number: int) -> dict[str, list[Cycle]]:
    asked_for = number * len(dag_ids)
    if asked_for > MOST_CYCLES:
        raise BadInput(f"{asked_for:,} cycles would be left out; at most {MOST_CYCLES:,} are at once")
    found: dict[str, list[Cycle]] = {}
    with large_work("the next cycles", actor.name) as slot:
        if asked_for > _LARGE:
            slot.take()
        for dag_id in dag_ids:
            found[dag_id] = next_cycles(session, dag_id, number)
            if not found[dag_id]:
                told = "it is not scheduled by time, or drains, or has ended"
                raise BadInput(f"Dag {dag_id!r} has no next cycle: {told}")
    return found


def _part(scope: WindowScope, dag_id: str) -> WindowScope:
    if dag_id in scope.workflows:
        return WindowScope(workflows=(dag_id,))
    return WindowScope(tasks=tuple(key for key in scope.tasks if key[0] == dag_id))


def _leave_out(
    session: Session, actor: Actor, scope: WindowScope, cycles: list[Cycle], asked: SkipNext, now: datetime
) -> tuple[Window, WindowDefinition]:
    begin, end = cycles[0].run_after, cycles[-1].run_after + _JUST_AFTER
    (dag_id,) = scope.named_dags
    number = f"next {len(cycles)} cycles" if len(cycles) > 1 else "next cycle"
    definition = WindowDefinition(
        name=f"{number} of {dag_id}"[:250],
        kinds=(WindowKind.PAUSE,),
        downstream=Downstream.SKIP,
        scope=scope,
        times=Once(begin, end),
        written={"begin": begin.isoformat(), "end": end.isoformat()},
        reason=asked.reason,
        enabled=True,
    )
    row = new_row(definition, actor.recorded_name, now, WindowPurpose.SKIP_NEXT)
    session.add(row)
    session.flush()
    keys = [(dag_id, "")] if scope.workflows else list(scope.tasks)
    rows = [
        {
            "dag_id": key[0],
            "task_id": key[1],
            "state": TaskState.PAUSED.value,
            "downstream": Downstream.SKIP.value,
            "from_at": begin,
            "to_at": end,
            "window_id": row.id,
            "by_cycle": True,
        }
        for key in keys
    ]
    session.execute(insert(GateInterval.__table__), rows)  # type: ignore[arg-type]
    return row, definition
