"""The monitor's part of replenishments: start what is next, see what has ended (requirements 6).

Each workflow's runs go in their order. Cycles without a run become backfills of Airflow's
(``replenishments.make_runs``); in a run that is there already the chosen instances are cleared, wave after wave
(``replenishments.clear_runs``). What is started and that it is started are written in one transaction, so a killed
process neither loses a cell nor starts one twice.

Replenishments take turns. A turn is a few short transactions, each of which waits for the writers before it: people who
operate on tasks come in between. What goes wrong in one replenishment, or in one workflow of it, is noted with it, and
the others go on.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from itertools import islice
from threading import local
from time import monotonic

from sqlalchemy import exists, func, or_, select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from taskops_provider.adapter import backfills, dag_state, waiting
from taskops_provider.adapter.graphs import load_graph
from taskops_provider.adapter.runs import Run
from taskops_provider.domain.progress import ReplenishmentState, state_when_over
from taskops_provider.domain.replenishment import WaitFor
from taskops_provider.domain.replenishment_run import RunState
from taskops_provider.domain.windows.kinds import WindowKind
from taskops_provider.models import Replenishment, ReplenishmentRun, Workflow
from taskops_provider.services.replenishments.clear_runs import clear_next
from taskops_provider.services.replenishments.make_runs import make_next
from taskops_provider.services.replenishments.outside import may_start
from taskops_provider.services.replenishments.past import end_those_without_past
from taskops_provider.services.replenishments.progress import cell_counts
from taskops_provider.services.replenishments.run_rows import (
    TURN,
    WAITS,
    note_wait,
    open_replenishments,
    runs_in,
    runs_that_execute,
)
from taskops_provider.services.replenishments.schedule import is_held, opened_at, problem_of_window
from taskops_provider.services.replenishments.settle_runs import parts_to_settle, settle_runs
from taskops_provider.services.replenishments.waking import ensure_unpaused, repause_idle_dags, sync_user_pauses
from taskops_provider.services.shared.actor import MONITOR
from taskops_provider.services.shared.in_whose_name import Askers
from taskops_provider.services.shared.locks import take_writer_lock
from taskops_provider.services.shared.public_errors import public_cause
from taskops_provider.services.windows.in_force import stopped_by

log = logging.getLogger(__name__)

#: seconds after which a round ends, so that the monitor's other steps have their turn and its lease is renewed
ROUND_SECONDS = 3.0
#: waiting runs that are looked at together
_WINDOW = 60
#: so many times that many are looked through for one that need not wait
_WINDOWS = 5

#: the replenishment that had the last turn, and who was looked up in this round
_of_thread = local()


def advance_replenishments(session: Session, now: datetime) -> bool:
    """Bring replenishments forward for some seconds; tell whether anything changed. Commits many times."""
    numbers = [one.id for one in session.scalars(open_replenishments())]
    woken = session.scalar(select(func.count()).where(Workflow.woken_at.is_not(None)))
    if not numbers and not woken:
        return False
    did = bool(_in_transaction(session, None, lambda: sync_user_pauses(session, now)))
    _of_thread.askers = Askers()
    until = monotonic() + ROUND_SECONDS
    # who had no turn in the last round comes first in this one
    last = getattr(_of_thread, "last", 0)
    turns = deque([*(number for number in numbers if number > last), *(number for number in numbers if number <= last)])
    looked_at: set[int] = set()
    while turns and monotonic() < until:
        number = turns.popleft()
        if _take_turn(session, number, now, settles=number not in looked_at):
            did = True
            turns.append(number)
        looked_at.add(number)
        _of_thread.last = number
    return bool(_in_transaction(session, None, lambda: repause_idle_dags(session, now))) or did


def _take_turn(session: Session, number: int, now: datetime, *, settles: bool) -> bool:
    """Bring one replenishment forward by a little; tell whether anything changed.

    :param settles: whether to look first at what has ended, as in the first turn of a round
    """
    waits: list[str] = []
    did = settles and _settle(session, number, waits, now)
    for dag_id in _dags_at_work(session, number):

        def feed(dag_id: str = dag_id) -> bool:
            replenishment = _get(session, number)
            return replenishment is not None and _feed(session, replenishment, dag_id, waits, now)

        did |= bool(_in_transaction(session, waits, feed))

    def end() -> bool:
        replenishment = _get(session, number)
        return replenishment is not None and _end(session, replenishment, waits, now)

    return bool(_in_transaction(session, waits, end)) or did


def _settle(session: Session, number: int, waits: list[str], now: datetime) -> bool:
    """Write down what of a replenishment has ended, a few runs at a time; tell whether anything has."""
    parts = parts_to_settle(session, number)
    session.rollback()
    did = False
    for part in parts:

        def settle(part: list[int] = part) -> bool:
            return settle_runs(session, part, now)

        did |= bool(_in_transaction(session, waits, settle))
    return did


def _in_transaction(session: Session, waits: list[str] | None, act: Callable[[], bool]) -> bool | None:
    """Do something in a transaction of its own, as the only writer; return None if it failed.

    :param waits: gets what went wrong
    """
    try:
        take_writer_lock(session, MONITOR.name)
        did = act()
        session.commit()
    except OperationalError as error:
        session.rollback()
        # somebody else was at the same rows, or the database is away: the next round tries again
        log.info("A transaction for replenishments is tried again: %s", error.orig)
        return None
    except Exception as error:
        session.rollback()
        log.warning("A replenishment cannot go on: %s: %s", type(error).__name__, " ".join(str(error).split())[:500])
        if waits is not None:
            waits.append(public_cause(error))
        return None
    return did


def _get(session: Session, number: int) -> Replenishment | None:
    """Return a replenishment if it still goes on."""
    return session.scalars(open_replenishments().where(Replenishment.id == number)).one_or_none()


def _dags_at_work(session: Session, number: int) -> list[str]:
    """Return the workflows of a replenishment whose turn it is."""
    of = (ReplenishmentRun.replenishment_id == number, ReplenishmentRun.state.in_((RunState.WAITING, RunState.ACTIVE)))
    stage = select(func.min(ReplenishmentRun.stage)).where(*of).scalar_subquery()
    query = select(ReplenishmentRun.dag_id).where(*of, ReplenishmentRun.stage == stage).distinct()
    dag_ids = sorted(session.scalars(query))
    session.rollback()
    return dag_ids


def _feed(session: Session, replenishment: Replenishment, dag_id: str, waits: list[str], now: datetime) -> bool:
    """Start what is next of one workflow; tell whether anything was."""
    active = [run for run in runs_in(session, replenishment.id, RunState.ACTIVE) if run.dag_id == dag_id]
    made = sorted({run.backfill_id for run in active if run.backfill_id is not None})
    if is_held(replenishment, now):
        backfills.pause_backfills(session, made, True)
        unreadable = problem_of_window(replenishment)
        waits += [unreadable] if unreadable else []
        return False
    if lost := _right_lost(session, replenishment, dag_id):
        waits.append(lost)
        return False
    if active and (dag_state.paused_dags(session, [dag_id]) or dag_state.is_stale(session, dag_id)):
        # in a transaction of its own: what comes next locks runs, and those come before Dags
        waits_for = ensure_unpaused(session, replenishment, dag_id, now)
        waits += [waits_for] if waits_for else []
        return waits_for is None
    if made and (paused := _paused_by_people(session, replenishment, made, now)):
        waits.append(f"backfill {paused[0]} of {dag_id} was paused in Airflow; unpause it to go on")
        return False
    if end_those_without_past(session, replenishment, dag_id, active, waits, now):
        return True
    if not _has_turn(session, replenishment, dag_id, waits, now):
        return False
    did, waits_for = _start(session, replenishment, dag_id, active, now)
    if not did and waits_for is None:
        waits_for = _taken_by_others(session, dag_id, active)
    if waits_for is not None:
        waits.append(waits_for)
    if did and replenishment.started_at is None:
        replenishment.started_at = now
        replenishment.state = ReplenishmentState.RUNNING.value
    return did


def _has_turn(session: Session, replenishment: Replenishment, dag_id: str, waits: list[str], now: datetime) -> bool:
    if replenishment.state == ReplenishmentState.CANCELLED:
        return False
    older = _older_at_work(session, replenishment, dag_id)
    if older is not None:
        waits.append(f"{TURN}replenishment {older} has {dag_id} first")
        return False
    window = stopped_by(session, WindowKind.NO_REPLENISH, [(dag_id, "")], now).get((dag_id, ""))
    if window is not None:
        waits.append(f"{dag_id} is in {window.words}")
    return window is None


def _right_lost(session: Session, replenishment: Replenishment, dag_id: str) -> str | None:
    """Return why nothing more may start in the name of who asked for it. What Airflow has goes on, as backfills do."""
    if replenishment.state == ReplenishmentState.CANCELLED:
        return None
    askers: Askers = _of_thread.askers
    return askers.why_not_replenish(session, replenishment.operation_id, dag_id)


def _taken_by_others(session: Session, dag_id: str, active: Sequence[ReplenishmentRun]) -> str | None:
    """Return what keeps runs queued in which cells were cleared.

    Their backfill is paused, or as many others as Airflow allows are running.
    """
    cleared = [Run(dag_id, run.run_id) for run in active if run.backfill_id is None and run.run_id is not None]
    if "queued" not in backfills.run_states(session, cleared).values():
        return None
    paused = backfills.paused_backfill_of(session, cleared)
    if paused is not None:
        return f"backfill {paused} of {dag_id} is paused in Airflow; unpause it to go on"
    dag, running = waiting.dag_facts(session, dag_id), waiting.running_runs(session, dag_id)
    if dag is None or running < dag.max_active_runs:
        return None
    return f"{dag_id} has as many running runs as it may have ({running}); one of them has to end"


def _paused_by_people(session: Session, replenishment: Replenishment, made: Sequence[int], now: datetime) -> list[int]:
    """Return the backfills of a replenishment that somebody paused in Airflow: no automatic act lifts that.

    We pause them when the window closes and when people pause the replenishment; resuming it lets them go on.
    """
    opened = opened_at(replenishment, now)
    if opened is not None:
        backfills.unpause_backfills(session, made, paused_before=opened)
    return backfills.paused_backfills(session, made)


def _older_at_work(session: Session, replenishment: Replenishment, dag_id: str) -> int | None:
    """Return the older replenishment that has the workflow, None if none has; one that waits for somebody does not."""
    query = (
        open_replenishments()
        .with_only_columns(Replenishment.id)
        .where(
            Replenishment.id < replenishment.id,
            exists().where(
                ReplenishmentRun.replenishment_id == Replenishment.id,
                ReplenishmentRun.dag_id == dag_id,
                or_(
                    ReplenishmentRun.state == RunState.ACTIVE,
                    (ReplenishmentRun.state == RunState.WAITING)
                    & (Replenishment.state != ReplenishmentState.PAUSED)
                    & or_(Replenishment.problem.is_(None), Replenishment.problem.not_like(f"{WAITS}%")),
                ),
            ),
        )
        .limit(1)
    )
    return session.scalar(query)


def _start(
    session: Session, replenishment: Replenishment, dag_id: str, active: Sequence[ReplenishmentRun], now: datetime
) -> tuple[bool, str | None]:
    """Start the next runs of one workflow; return whether any was, and what it waits for."""
    # a run in which only others' instances are left keeps nobody waiting
    executing = runs_that_execute(session, replenishment.id) if active else set()
    busy = [run for run in active if run.id in executing]
    cleared = sum(run.backfill_id is None for run in busy)
    room = replenishment.max_active_runs - cleared
    ready = _ready(session, replenishment.id, dag_id)
    outside: str | None = None
    if replenishment.wait_for == WaitFor.ALL:
        ready, outside = _free(session, replenishment, dag_id, ready)
    first = next(ready, None)
    if first is None:
        return False, outside or (None if busy else _unended(session, replenishment.id, dag_id))
    if first.run_id is not None:
        made = min(len(busy) - cleared, replenishment.max_active_runs)
        return clear_next(session, replenishment, first, now) if room - made > 0 else (False, None)
    chunk = [first]
    for run in ready:
        if run.run_id is not None or len(chunk) >= _WINDOW:
            break
        chunk.append(run)
    return make_next(session, replenishment, chunk, room, now)


def _unended(session: Session, number: int, dag_id: str) -> str | None:
    """Return what a workflow waits for of which Airflow has no cell, while the runs that are left go on.

    It may be for ever: something else is held in one, or cannot be settled.
    """
    query = (
        select(ReplenishmentRun.run_id)
        .where(
            ReplenishmentRun.replenishment_id == number,
            ReplenishmentRun.dag_id == dag_id,
            ReplenishmentRun.state.in_((RunState.WAITING, RunState.ACTIVE)),
        )
        .order_by(ReplenishmentRun.ordinal)
    )
    run_id = session.scalar(query.limit(1))
    if run_id is None:
        return None
    paused = ", and its Dag is paused" if dag_state.paused_dags(session, [dag_id]) else ""
    return f"{dag_id} {run_id} has not ended{paused}"


def _free(
    session: Session, replenishment: Replenishment, dag_id: str, ready: Iterator[ReplenishmentRun]
) -> tuple[Iterator[ReplenishmentRun], str | None]:
    """Keep the runs that need not wait for what the replenishment does not execute, and say what the others wait for.

    A few windows are looked at: who waits is looked at again in each round.
    """
    outside: str | None = None
    for _ in range(_WINDOWS):
        window = list(islice(ready, _WINDOW))
        graph = load_graph(session, dag_id) if window else None
        if graph is None:
            return iter(window), outside
        free, why = may_start(session, replenishment, graph.downstream, window)
        outside = outside or why
        if free:
            return iter(free), outside
    return iter(()), outside


def _ready(session: Session, number: int, dag_id: str) -> Iterator[ReplenishmentRun]:
    """Yield the waiting runs of a workflow in their order, without those that Airflow has not ended yet."""
    after = -1
    while True:
        query = (
            select(ReplenishmentRun)
            .where(
                ReplenishmentRun.replenishment_id == number,
                ReplenishmentRun.dag_id == dag_id,
                ReplenishmentRun.state == RunState.WAITING,
                ReplenishmentRun.ordinal > after,
            )
            .order_by(ReplenishmentRun.ordinal)
            .limit(_WINDOW)
        )
        window = list(session.scalars(query))
        if not window:
            return
        states = backfills.run_states(session, [Run(dag_id, run.run_id) for run in window if run.run_id is not None])
        for run in window:
            if run.run_id is None or states.get(Run(dag_id, run.run_id)) not in ("queued", "running"):
                yield run
        after = window[-1].ordinal


def _end(session: Session, replenishment: Replenishment, waits: Sequence[str], now: datetime) -> bool:
    """Note what a replenishment waits for, or end it; tell whether it has ended."""
    note_wait(replenishment, waits)
    if _is_in_progress(session, replenishment.id):
        return False
    if replenishment.state != ReplenishmentState.CANCELLED:
        counts = cell_counts(session, [replenishment.id]).get(replenishment.id, {})
        replenishment.state = state_when_over(counts).value
    replenishment.ended_at = now
    return True


def _is_in_progress(session: Session, number: int) -> bool:
    """Whether a run of a replenishment waits or is active."""
    query = select(ReplenishmentRun.id).where(
        ReplenishmentRun.replenishment_id == number, ReplenishmentRun.state.in_((RunState.WAITING, RunState.ACTIVE))
    )
    return session.scalar(query.limit(1)) is not None
