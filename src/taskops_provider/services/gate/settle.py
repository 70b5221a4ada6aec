"""The gate's later part: pools, settling the instances that wait in them, notes. All of it is idempotent.

What operations do to existing instances is in ``services.gate.existing_instances``.
"""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from threading import local
from uuid import UUID

from sqlalchemy.orm import Session

from taskops_provider import metrics
from taskops_provider.adapter import notes, pools, runs
from taskops_provider.adapter.gate_turns import GateTurns
from taskops_provider.adapter.runs import Run
from taskops_provider.domain.gate import (
    EFFECT_OF_POOL,
    GATE_POOLS,
    SETTLED_STATE,
    Cause,
    foreign_note,
    gated_note,
    unselected_note,
)
from taskops_provider.domain.metrics import SETTLED
from taskops_provider.domain.states import Downstream, TaskState
from taskops_provider.services.gate.why_gated import GateMoment, replenishments_of, why_gated
from taskops_provider.services.shared.reporting import after_commit

log = logging.getLogger(__name__)

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

#: how often one call follows a chain of waiting instances from one to the next
_MAX_PASSES = 20


class _OfThread(local):
    """What each thread has of its own, for the Dags that it keeps."""

    def __init__(self) -> None:
        self.turns = GateTurns()


_of_thread = _OfThread()


def ensure_pools(session: Session) -> bool:
    """Create the gate's four pools, or repair them; tell whether anything was wrong. One query when all is right.

    The caller commits.
    """
    return bool(pools.ensure_closed_pools(session, POOL_DESCRIPTIONS))


def repair_waiting(session: Session, now: datetime) -> int:
    """Bring instances that lost a part of the waiting state back into it; return how many. The caller commits."""
    return runs.gate_unmarked_instances(session, now) + runs.repair_misplaced(session, now)


def runs_to_settle(session: Session, now: datetime) -> list[Run]:
    """Return the runs in which the turn of a waiting instance may have come. Two queries. Changes nothing."""
    return _of_thread.turns.runs(session, now)


def settle_run(session: Session, run: Run, now: datetime) -> int:
    """End the waiting instances of a run whose turn has come, each with a note; return how many.

    A run that somebody else works at is left to them. Safe to call at the same time from several processes. The caller
    commits: a run is one short transaction.
    """
    try:
        return _settle_run(session, run, now)
    except Exception:
        _of_thread.turns.forget(run)  # it is looked at again, whatever has changed
        raise


def _settle_run(session: Session, run: Run, now: datetime) -> int:
    settled: list[UUID] = []
    by_effect: Counter[str] = Counter()
    for _ in range(_MAX_PASSES):
        by_pool: dict[str, list[UUID]] = defaultdict(list)
        for ti_id, pool in _of_thread.turns.of_run(session, run):
            by_pool[pool].append(ti_id)
        for pool, ids in by_pool.items():
            if number := runs.settle(session, ids, pool, SETTLED_STATE[EFFECT_OF_POOL[pool]], now):
                settled += ids
                by_effect[EFFECT_OF_POOL[pool]] += number
        if not by_pool:
            break
    if settled:
        _of_thread.turns.forget(run)
        notes.add(session, gated_notes(session, runs.settled_without_note(session, settled)), now)
        after_commit(session, lambda: _report(run, by_effect))
    return len(settled)


def _report(run: Run, by_effect: Mapping[str, int]) -> None:
    for effect, number in by_effect.items():
        metrics.count(SETTLED, effect, number)
    told = ", ".join(f"{number} by {effect}" for effect, number in sorted(by_effect.items()))
    log.info("TaskOps settled gated instances in run %s of Dag %s: %s", run.run_id, run.dag_id, told)


def settle(session: Session, now: datetime) -> int:
    """Settle all runs, one after another; return how many instances. The caller commits."""
    return sum(settle_run(session, run, now) for run in runs_to_settle(session, now))


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
    moments = {ti.id: GateMoment(ti.dag_id, ti.task_id, ti.created_at) for ti in instances}
    known = why_gated(session, moments.values())
    made = replenishments_of(session, {Run(ti.dag_id, ti.run_id) for ti in instances})
    return {ti.id: _note(ti, known[moments[ti.id]], made.get(Run(ti.dag_id, ti.run_id))) for ti in instances}


def _note(ti: runs.Instance, cause: Cause, made_by: tuple[int, str] | None) -> str:
    effect = EFFECT_OF_POOL[ti.pool]
    # in a run of a replenishment a paused task executes where it is selected, so being paused is not why
    if made_by is not None and cause.state in (None, TaskState.PAUSED):
        return unselected_note(*made_by, effect)
    if cause.state is None and effect is Downstream.HOLD:
        return foreign_note()
    return gated_note(cause, effect)
