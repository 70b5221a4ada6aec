"""What an operation does to instances that exist already: release held ones, end or gate unfinished ones."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from datetime import UTC, datetime
from typing import Literal
from uuid import UUID

from sqlalchemy.orm import Session

from taskops_provider.adapter import instance_orders, notes, pools, runs
from taskops_provider.adapter.runs import Instance, Run
from taskops_provider.domain.gate import ENDED_STATE, ended_note, foreign_note, gated_note
from taskops_provider.domain.states import Downstream
from taskops_provider.services.gate.whose_pause import own_pools, woken_since
from taskops_provider.services.gate.why_gated import GateMoment, replenishments_of, why_gated
from taskops_provider.services.gate.window_holds import without_held_by_windows
from taskops_provider.services.shared.task_keys import TaskKey


def release(
    session: Session,
    pairs: Collection[TaskKey],
    held: Literal["run", "skip"] | str,
    *,
    stays_paused: Collection[str] = (),
    only: Collection[UUID] | None = None,
) -> int:
    """Let the held instances of tasks run, or have them skipped once their turn comes; return how many.

    Those that run get back the pool of their task and lose our note.

    :param pairs: (dag_id, task_id) of tasks that are being started
    :param stays_paused: Dags whose pause a person's start does not lift; while such a one is awake for a replenishment,
        what is held in its other new runs waits from now on for the Dag, as the rest of those runs does
    :param only: these instances alone; None: all but those that a window holds now
    :raises ValueError: when ``held`` is neither ``run`` nor ``skip``
    """
    if held == "skip":
        return regate_held(session, pairs, Downstream.SKIP, only=only, by_windows=False)
    if held != "run":
        raise ValueError(f"held is {held!r}; allowed are run, skip")
    held_ones = _held(session, pairs, only)
    if only is None:
        held_ones = without_held_by_windows(session, held_ones, datetime.now(UTC))
    waiting = _without_foreign(session, held_ones, stays_paused)
    if not waiting:
        return 0
    pool_of = own_pools(session, {(ti.dag_id, ti.task_id) for ti in waiting})
    by_pool: dict[str, list[UUID]] = defaultdict(list)
    for ti in waiting:
        by_pool[pool_of.get((ti.dag_id, ti.task_id)) or pools.DEFAULT_POOL].append(ti.id)
    now = datetime.now(UTC)
    released = sum(runs.release_to_scheduler(session, ids, pool, now) for pool, ids in by_pool.items())
    notes.remove(session, [ti.id for ti in waiting])
    return released


def _without_foreign(session: Session, held: list[Instance], stays_paused: Collection[str]) -> list[Instance]:
    """Have held instances of foreign runs (``policies.foreign``) wait for their Dag; return the others."""
    awake = woken_since(session, stays_paused) if stays_paused else {}
    new = [ti for ti in held if ti.dag_id in awake and ti.created_at >= awake[ti.dag_id]]
    if not new:
        return held
    created_by_us = replenishments_of(session, {Run(ti.dag_id, ti.run_id) for ti in new})
    foreign = {ti.id for ti in new if Run(ti.dag_id, ti.run_id) not in created_by_us}
    now = datetime.now(UTC)
    runs.hold_for_dag(session, foreign, now)
    notes.put(session, dict.fromkeys(foreign, foreign_note()), now)
    return [ti for ti in held if ti.id not in foreign]


def regate_held(
    session: Session,
    pairs: Collection[TaskKey],
    downstream: Downstream,
    *,
    only: Collection[UUID] | None = None,
    by_windows: bool = True,
) -> int:
    """Give the held instances of tasks another effect, for their tasks went offline, say; return how many.

    :param only: these instances alone
    :param by_windows: also those that a window holds now
    """
    waiting = _held(session, pairs, only)
    now = datetime.now(UTC)
    if only is None and not by_windows:
        waiting = without_held_by_windows(session, waiting, now)
    if not waiting or downstream is Downstream.HOLD:
        return 0
    moved = runs.gate_instances(session, [ti.id for ti in waiting], downstream, now)
    _put_gated_notes(session, waiting, downstream, now)
    return moved


def count_unfinished(session: Session, pairs: Collection[TaskKey]) -> int:
    """Count the instances that :func:`gate_unstarted_and_end_started` would gate or end now. Changes nothing."""
    return _count(session, pairs, held=False)


def count_held(session: Session, pairs: Collection[TaskKey]) -> int:
    """Count the held instances that :func:`release` would let run or have skipped now. Changes nothing."""
    return _count(session, pairs, held=True)


def with_held(session: Session, pairs: Collection[TaskKey]) -> set[TaskKey]:
    """Return those of some tasks to whose held instances :func:`regate_held` would do something now."""
    return set(_counts(session, pairs, held=True))


def _count(session: Session, pairs: Collection[TaskKey], *, held: bool) -> int:
    return sum(_counts(session, pairs, held=held).values())


def _counts(session: Session, pairs: Collection[TaskKey], *, held: bool) -> dict[TaskKey, int]:
    unfinished = runs.unfinished_runs(session, {dag_id for dag_id, _ in pairs})
    counts = runs.count_unfinished(session, unfinished, held=held)
    return {pair: counts[pair] for pair in set(pairs) if pair in counts}


def gate_unstarted_and_end_started(
    session: Session, pairs: Collection[TaskKey], downstream: Downstream, now: datetime
) -> int:
    """End the unfinished instances of tasks in unfinished runs at once; return how many.

    Those that have not started wait for their turn in the effect's pool as those of later runs do, so that order
    and failure stay true. Those that are queued or have started end now, as the effect says (``hold``: failed).
    Call it when the tasks' new state and gate intervals are written: the notes name them.
    """
    wanted = set(pairs)
    unfinished = runs.unfinished_runs(session, {dag_id for dag_id, _ in wanted}, lock=True)
    instances = [ti for ti in runs.unfinished(session, unfinished, held=False) if (ti.dag_id, ti.task_id) in wanted]
    # what people hold is gated once they release it
    instance_orders.gate_under_hold(session, unfinished, wanted, downstream, now)
    return gate_and_end(session, instances, downstream, now)


def gate_and_end(session: Session, instances: Collection[Instance], downstream: Downstream, now: datetime) -> int:
    """Have instances that have not started wait, and end those that have; return how many. Their runs are locked."""
    begun = [ti for ti in instances if ti.has_begun]
    changed = gate_unstarted(session, instances, downstream, now)
    changed += runs.end(session, [ti.id for ti in begun], ENDED_STATE[downstream], now)
    known = why_gated(session, (GateMoment(ti.dag_id, ti.task_id, now) for ti in begun))
    texts = {ti.id: ended_note(known[GateMoment(ti.dag_id, ti.task_id, now)], downstream) for ti in begun}
    notes.put(session, texts, now)
    return changed


def gate_unstarted(session: Session, instances: Collection[Instance], downstream: Downstream, now: datetime) -> int:
    """Have those of the instances wait that have not started; return how many. Their runs are locked."""
    waiting = [ti for ti in instances if not ti.has_begun]
    changed = runs.gate_instances(session, [ti.id for ti in waiting], downstream, now)
    _put_gated_notes(session, waiting, downstream, now)
    return changed


def gate_before_execution(
    session: Session, instances: Collection[Instance], downstream: Downstream, now: datetime
) -> int:
    """Have instances wait that no worker has begun, queued ones too; return how many. Their runs are locked."""
    changed = runs.gate_unexecuted(session, [ti.id for ti in instances], downstream, now)
    _put_gated_notes(session, instances, downstream, now)
    return changed


def _held(session: Session, pairs: Collection[TaskKey], only: Collection[UUID] | None = None) -> list[Instance]:
    wanted = set(pairs)
    unfinished = runs.unfinished_runs(session, {dag_id for dag_id, _ in wanted}, lock=True)
    found = [ti for ti in runs.unfinished(session, unfinished, held=True) if (ti.dag_id, ti.task_id) in wanted]
    return found if only is None else [ti for ti in found if ti.id in only]


def _put_gated_notes(session: Session, instances: Iterable[Instance], downstream: Downstream, now: datetime) -> None:
    """Say the present reason: these are gated by an operation of now, not by what held when their run was made."""
    moments = {ti.id: GateMoment(ti.dag_id, ti.task_id, now) for ti in instances}
    known = why_gated(session, moments.values())
    notes.put(session, {ti_id: gated_note(known[moment], downstream) for ti_id, moment in moments.items()}, now)
