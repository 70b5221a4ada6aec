"""The gate's later part: pools, settling what stopped in them, notes. All of it can be repeated at will.

What operations do to instances that exist already is in ``services.instances``; its functions can be had from here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from threading import local
from uuid import UUID

from sqlalchemy.orm import Session

from taskops_provider.adapter import notes, pools, runs
from taskops_provider.adapter.parked import ParkedInstances
from taskops_provider.adapter.runs import Run
from taskops_provider.domain.gate import EFFECT_OF_POOL, GATE_POOLS, SETTLED_STATE, Cause, gated_note, unselected_note
from taskops_provider.domain.states import Downstream, TaskState
from taskops_provider.services.causes import Moment, causes, replenished
from taskops_provider.services.instances import (
    count_held,
    count_unfinished,
    gate_unstarted_and_end_started,
    regate_held,
    release,
)

__all__ = [
    "annotate",
    "count_held",
    "count_unfinished",
    "ensure_pools",
    "gate_unstarted_and_end_started",
    "gated_notes",
    "regate_held",
    "release",
    "settle",
]

POOL_DESCRIPTIONS: Mapping[str, str] = {
    GATE_POOLS[effect]: (
        f"TaskOps: instances of tasks that are paused, offline or deleted wait here and are {what}. "
        "Keep it at 0 slots: with slots they would execute. TaskOps restores this pool by itself."
    )
    for effect, what in {
        Downstream.SKIP: "then skipped",
        Downstream.RUN: "then counted as success",
        Downstream.FAIL: "then failed",
        Downstream.HOLD: "held until the task is started",
    }.items()
}

SETTLED_POOLS = [GATE_POOLS[effect] for effect in SETTLED_STATE]

#: how often one call follows a chain of parked instances from one to the next
_MAX_PASSES = 20

_of_thread = local()


def ensure_pools(session: Session) -> bool:
    """Create the gate's four pools, or repair them; tell whether anything was wrong. One query when all is right.

    The caller commits.
    """
    return bool(pools.ensure_closed_pools(session, POOL_DESCRIPTIONS))


def settle(session: Session, now: datetime, limit: int = 1000) -> int:
    """Turn stopped instances into skipped, success or failed, each with a note; return how many.

    A constant number of queries, and one Dag to load for each run that has parked instances. Safe to call at
    the same time from several processes. The caller commits.

    :param limit: instances at most in one call
    """
    settled = 0
    for _ in range(_MAX_PASSES):
        moved = _parked().advance(session, now)
        settled += _settle_stopped(session, now, limit - settled)
        if not moved or settled >= limit:
            break
    return settled


def _parked() -> ParkedInstances:
    """The thread's own, for the Dags it keeps."""
    if not hasattr(_of_thread, "parked"):
        _of_thread.parked = ParkedInstances()
    return _of_thread.parked


def _settle_stopped(session: Session, now: datetime, limit: int) -> int:
    by_pool: dict[str, list[UUID]] = defaultdict(list)
    for instance in runs.stopped(session, SETTLED_POOLS, limit):
        by_pool[instance.pool].append(instance.id)
    settled = 0
    for pool, ids in by_pool.items():
        settled += runs.finish_stopped(session, ids, pool, SETTLED_STATE[EFFECT_OF_POOL[pool]], now)
    if settled:
        ids = [ti_id for members in by_pool.values() for ti_id in members]
        notes.add(session, gated_notes(session, runs.settled_without_note(session, ids)), now)
    return settled


def annotate(session: Session, limit: int = 1000) -> int:
    """Write the note of gated instances that wait and have none, take it from cleared ones; return how many.

    A person's note is left as it is. A constant number of queries; looks at unfinished instances only. The
    caller commits.
    """
    removed = notes.remove_from_cleared(session)
    waiting = runs.waiting_without_note(session, limit)
    return removed + notes.add(session, gated_notes(session, waiting), datetime.now(UTC))


def gated_notes(session: Session, instances: Sequence[runs.Instance]) -> dict[UUID, str]:
    """Return what the note of each gated instance says."""
    moments = {ti.id: Moment(ti.dag_id, ti.task_id, ti.created_at) for ti in instances}
    known = causes(session, moments.values())
    made = replenished(session, {Run(ti.dag_id, ti.run_id) for ti in instances})
    return {ti.id: _note(ti, known[moments[ti.id]], made.get(Run(ti.dag_id, ti.run_id))) for ti in instances}


def _note(ti: runs.Instance, cause: Cause, made_by: tuple[int, str] | None) -> str:
    effect = EFFECT_OF_POOL[ti.pool]
    # in a run of a replenishment a paused task executes where it is selected, so being paused is not why
    if made_by is not None and cause.state in (None, TaskState.PAUSED):
        return unselected_note(*made_by, effect)
    return gated_note(cause, effect)
