"""What an operation does to instances that exist already: release held ones, end or gate unfinished ones."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from datetime import UTC, datetime
from typing import Literal
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from taskops_provider.adapter import notes, parked, pools, runs
from taskops_provider.adapter.runs import Instance
from taskops_provider.domain.gate import ENDED_STATE, GATE_POOLS, ended_note, gated_note
from taskops_provider.domain.states import Downstream
from taskops_provider.models import Task
from taskops_provider.services.causes import Moment, causes
from taskops_provider.services.pairs import Pair, chunks, matches


def release(session: Session, pairs: Collection[Pair], held: Literal["run", "skip"] | str) -> int:
    """Let the held instances of tasks run, or have them skipped once their turn comes; return how many.

    Those that run get back the pool of their task and lose our note.

    :param pairs: (dag_id, task_id) of tasks that are being started
    :raises ValueError: when ``held`` is neither ``run`` nor ``skip``
    """
    if held == "skip":
        return regate_held(session, pairs, Downstream.SKIP)
    if held != "run":
        raise ValueError(f"held is {held!r}; allowed are run, skip")
    waiting = _held(session, pairs)
    if not waiting:
        return 0
    own_pools = _own_pools(session, {(ti.dag_id, ti.task_id) for ti in waiting})
    stopped: dict[str, list[UUID]] = defaultdict(list)
    parked_ones: dict[str, list[UUID]] = defaultdict(list)
    for ti in waiting:
        pool = own_pools.get((ti.dag_id, ti.task_id)) or pools.DEFAULT_POOL
        (parked_ones if ti.is_parked else stopped)[pool].append(ti.id)
    now = datetime.now(UTC)
    released = sum(runs.move_to_pool(session, ids, pool, now) for pool, ids in stopped.items())
    released += sum(runs.unpark(session, ids, pool, now) for pool, ids in parked_ones.items())
    notes.remove(session, [ti.id for ti in waiting])
    return released


def regate_held(session: Session, pairs: Collection[Pair], downstream: Downstream) -> int:
    """Give the held instances of tasks another effect, for their tasks went offline, say; return how many."""
    waiting = _held(session, pairs)
    if not waiting or downstream is Downstream.HOLD:
        return 0
    now = datetime.now(UTC)
    moved = runs.move_to_pool(session, [ti.id for ti in waiting], GATE_POOLS[downstream], now)
    _put_gated_notes(session, waiting, downstream, now)
    return moved


def count_unfinished(session: Session, pairs: Collection[Pair]) -> int:
    """Count the instances that :func:`gate_unstarted_and_end_started` would gate or end now. Changes nothing."""
    return _count(session, pairs, held=False)


def count_held(session: Session, pairs: Collection[Pair]) -> int:
    """Count the held instances that :func:`release` would let run or have skipped now. Changes nothing."""
    return _count(session, pairs, held=True)


def _count(session: Session, pairs: Collection[Pair], *, held: bool) -> int:
    unfinished = runs.unfinished_runs(session, {dag_id for dag_id, _ in pairs})
    counts = runs.count_unfinished(session, unfinished, held=held)
    return sum(counts.get(pair, 0) for pair in set(pairs))


def gate_unstarted_and_end_started(
    session: Session, pairs: Collection[Pair], downstream: Downstream, now: datetime
) -> int:
    """End the unfinished instances of tasks in unfinished runs at once; return how many.

    Those that have not started wait for their turn in the effect's pool as those of later runs do, so that order
    and failure stay true. Those that are queued or have started end now, as the effect says (``hold``: failed).
    Call it when the tasks' new state and gate intervals are written: the notes name them.
    """
    wanted = set(pairs)
    unfinished = runs.unfinished_runs(session, {dag_id for dag_id, _ in wanted}, lock=True)
    instances = [ti for ti in runs.unfinished(session, unfinished, held=False) if (ti.dag_id, ti.task_id) in wanted]
    waiting = [ti for ti in instances if not ti.has_begun]
    begun = [ti for ti in instances if ti.has_begun]
    changed = _gate(session, waiting, wanted, downstream, now)
    changed += runs.end(session, [ti.id for ti in begun], ENDED_STATE[downstream], now)
    _put_gated_notes(session, waiting, downstream, now)
    known = causes(session, (Moment(ti.dag_id, ti.task_id, now) for ti in begun))
    texts = {ti.id: ended_note(known[Moment(ti.dag_id, ti.task_id, now)], downstream) for ti in begun}
    notes.put(session, texts, now)
    return changed


def _gate(
    session: Session, waiting: Iterable[Instance], pairs: set[Pair], downstream: Downstream, now: datetime
) -> int:
    without_result = pairs if downstream is Downstream.RUN else set()
    unscheduled = [ti for ti in waiting if ti.state is None]
    to_park = parked.to_be_parked(session, unscheduled, without_result) if unscheduled else set()
    pool = GATE_POOLS[downstream]
    changed = runs.park(session, to_park, pool, now)
    return changed + runs.move_to_pool(session, [ti.id for ti in waiting if ti.id not in to_park], pool, now)


def _held(session: Session, pairs: Collection[Pair]) -> list[Instance]:
    wanted = set(pairs)
    unfinished = runs.unfinished_runs(session, {dag_id for dag_id, _ in wanted}, lock=True)
    return [ti for ti in runs.unfinished(session, unfinished, held=True) if (ti.dag_id, ti.task_id) in wanted]


def _own_pools(session: Session, pairs: Collection[Pair]) -> dict[Pair, str | None]:
    found: dict[Pair, str | None] = {}
    for chunk in chunks(pairs):
        query = select(Task.dag_id, Task.task_id, Task.pool).where(matches(Task.dag_id, Task.task_id, chunk))
        found.update({(row.dag_id, row.task_id): row.pool for row in session.execute(query)})
    return found


def _put_gated_notes(session: Session, instances: Iterable[Instance], downstream: Downstream, now: datetime) -> None:
    """Say the present reason: these are gated by an operation of now, not by what held when their run was made."""
    moments = {ti.id: Moment(ti.dag_id, ti.task_id, now) for ti in instances}
    known = causes(session, moments.values())
    notes.put(session, {ti_id: gated_note(known[moment], downstream) for ti_id, moment in moments.items()}, now)
