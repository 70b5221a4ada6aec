"""The monitor's part of replenishments: start what is next, see what has ended (SPEC 6).

Each workflow's runs go in their order. A stretch of cycles without a run becomes one backfill of Airflow's, of at
most :data:`CHUNK` runs; in a run that is there already the chosen instances are cleared, wave after wave. What is
started and that it is started are written in one transaction, so a killed process neither loses a cell nor starts
one twice.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime, time
from itertools import takewhile
from typing import Any

from sqlalchemy import Select, and_, func, or_, select, update
from sqlalchemy.orm import Session

from taskops_provider.adapter import backfills, dag_state
from taskops_provider.adapter.cycles import Cycle
from taskops_provider.adapter.graphs import load_graph
from taskops_provider.adapter.runs import Run
from taskops_provider.domain.cells import Role, reverse
from taskops_provider.domain.progress import CellState, ReplenishmentState, outcome_of, state_when_over
from taskops_provider.domain.replenishment import Window
from taskops_provider.models import Replenishment, ReplenishmentCell, ReplenishmentRole, ReplenishmentRun
from taskops_provider.services import replenishment_found
from taskops_provider.services.actor import MONITOR
from taskops_provider.services.follow import start_draining
from taskops_provider.services.locks import take_writer_lock
from taskops_provider.services.replenishment_shown import cell_counts

#: runs of one backfill, made in one transaction: more would keep SQLite's one writer too long
CHUNK = 50
#: runs that are cleared in one round
CLEARED_A_ROUND = 20

_GOING_ON = (ReplenishmentState.QUEUED.value, ReplenishmentState.RUNNING.value, ReplenishmentState.PAUSED.value)


def step(session: Session, now: datetime) -> bool:
    """Bring all replenishments forward; tell whether anything changed. The caller commits."""
    if session.scalar(_open().limit(1)) is None:
        return False
    take_writer_lock(session, MONITOR.name)
    did = False
    taken: set[str] = set()
    for replenishment in list(session.scalars(_open().order_by(Replenishment.id))):
        did |= _settle(session, replenishment, now)
        did |= _feed(session, replenishment, taken, now)
        did |= _end(session, replenishment, now)
    return did


def _open() -> Select[Replenishment]:
    """Those that go on, and cancelled ones of which something still runs."""
    cancelled = and_(Replenishment.state == ReplenishmentState.CANCELLED.value, Replenishment.ended_at.is_(None))
    return select(Replenishment).where(or_(Replenishment.state.in_(_GOING_ON), cancelled))


def _runs(session: Session, replenishment: Replenishment, state: str) -> list[ReplenishmentRun]:
    query = (
        select(ReplenishmentRun)
        .where(ReplenishmentRun.replenishment_id == replenishment.id, ReplenishmentRun.state == state)
        .order_by(ReplenishmentRun.stage, ReplenishmentRun.dag_id, ReplenishmentRun.ordinal)
    )
    return list(session.scalars(query))


def _settle(session: Session, replenishment: Replenishment, now: datetime) -> bool:
    """Write down what has ended in the runs that are going on."""
    active = _runs(session, replenishment, "active")
    if not active:
        return False
    states = backfills.run_states(session, [Run(run.dag_id, run.run_id or "") for run in active])
    cells = _cells(session, active, CellState.ACTIVE)
    seen = _seen(session, active, cells)
    did = False
    for run in active:
        ended = states.get(Run(run.dag_id, run.run_id or "")) in (None, "success", "failed")
        for cell in cells[run.id]:
            instances = seen.get((run.dag_id, run.run_id or "", cell.task_id), [])
            outcome = outcome_of(instances) if instances else (CellState.FAILED if ended else None)
            if outcome is None and ended:
                # the run was ended around it: nothing will execute it any more
                outcome = CellState.FAILED
            if outcome is not None:
                cell.state = outcome.value
                did = True
        if ended:
            did = True
            _next_wave_or_done(session, run)
    session.flush()
    _complete_backfills(session, active, now)
    return did


def _seen(
    session: Session, active: Sequence[ReplenishmentRun], cells: dict[int, list[ReplenishmentCell]]
) -> dict[tuple[str, str, str], list[Any]]:
    run_ids: dict[str, set[str]] = defaultdict(set)
    task_ids: dict[str, set[str]] = defaultdict(set)
    for run in active:
        if cells[run.id] and run.run_id:
            run_ids[run.dag_id].add(run.run_id)
            task_ids[run.dag_id].update(cell.task_id for cell in cells[run.id])
    return {
        (dag_id, run_id, task_id): found
        for dag_id, ids in run_ids.items()
        for (run_id, task_id), found in backfills.seen_in(session, dag_id, sorted(ids), task_ids[dag_id]).items()
    }


def _cells(
    session: Session, runs: Collection[ReplenishmentRun], state: CellState
) -> dict[int, list[ReplenishmentCell]]:
    found: dict[int, list[ReplenishmentCell]] = defaultdict(list)
    ids = [run.id for run in runs]
    for start in range(0, len(ids), 500):
        query = select(ReplenishmentCell).where(
            ReplenishmentCell.of_run_id.in_(ids[start : start + 500]), ReplenishmentCell.state == state.value
        )
        for cell in session.scalars(query):
            found[cell.of_run_id].append(cell)
    return found


def _next_wave_or_done(session: Session, run: ReplenishmentRun) -> None:
    following = session.scalar(
        select(func.min(ReplenishmentCell.wave)).where(
            ReplenishmentCell.of_run_id == run.id, ReplenishmentCell.state == CellState.WAITING.value
        )
    )
    if following is None:
        run.state = "done"
    else:
        run.wave, run.state = following, "waiting"


def _complete_backfills(session: Session, settled: Sequence[ReplenishmentRun], now: datetime) -> None:
    going_on = {run.backfill_id for run in settled if run.state == "active"}
    over = {run.backfill_id for run in settled if run.backfill_id is not None} - going_on
    if over:
        backfills.complete_backfills(session, [key for key in over if key is not None], now)


def _feed(session: Session, replenishment: Replenishment, taken: set[str], now: datetime) -> bool:
    """Start what is next of each workflow.

    :param taken: workflows in which an older replenishment is at work
    """
    waiting = _runs(session, replenishment, "waiting")
    active = _runs(session, replenishment, "active")
    held = replenishment.state == ReplenishmentState.PAUSED or not _is_open(replenishment, now)
    made = {run.backfill_id for run in active if run.backfill_id is not None}
    if made:
        backfills.pause_backfills(session, [key for key in made if key is not None], held)
    stage = min((run.stage for run in (*waiting, *active)), default=0)
    by_dag: dict[str, list[ReplenishmentRun]] = defaultdict(list)
    for run in waiting:
        if run.stage == stage:
            by_dag[run.dag_id].append(run)
    active_of: dict[str, list[ReplenishmentRun]] = defaultdict(list)
    for run in active:
        active_of[run.dag_id].append(run)
    did = False
    for dag_id, runs in by_dag.items():
        if not held and dag_id not in taken:
            did |= _start(session, replenishment, runs, active_of[dag_id], now)
    taken.update(by_dag, active_of)
    if did and replenishment.started_at is None:
        replenishment.started_at = now
        replenishment.state = ReplenishmentState.RUNNING.value
    return did


def _is_open(replenishment: Replenishment, now: datetime) -> bool:
    if replenishment.window is None:
        return True
    opens, closes = (time.fromisoformat(part) for part in replenishment.window.split("-"))
    return Window(opens, closes).is_open(now)


def _start(
    session: Session,
    replenishment: Replenishment,
    waiting: list[ReplenishmentRun],
    active: list[ReplenishmentRun],
    now: datetime,
) -> bool:
    """Start the next runs of one workflow, in their order; tell whether any was."""
    first = waiting[0]
    if first.run_id is None:
        # a backfill of its own: after what is going on, and after other people's
        if active or backfills.busy_dags(session, [first.dag_id]):
            return False
        chunk = list(takewhile(lambda run: run.run_id is None, waiting))[:CHUNK]
        return _make_runs(session, replenishment, chunk, now)
    room = min(replenishment.max_active_runs - len(active), CLEARED_A_ROUND)
    if any(run.backfill_id is not None and run.wave == 0 and run.state == "active" for run in active) or room <= 0:
        return False
    chunk = list(takewhile(lambda run: run.run_id is not None, waiting))[:room]
    return _clear(session, chunk, now)


def _make_runs(session: Session, replenishment: Replenishment, chunk: list[ReplenishmentRun], now: datetime) -> bool:
    dag_id = chunk[0].dag_id
    graph = load_graph(session, dag_id)
    if graph is None:
        return _give_up(session, chunk)
    chunk, passed = _alike(session, replenishment, chunk)
    _wake(session, dag_id, now)
    made = backfills.make_backfill(
        session,
        graph.dag,
        [Cycle(run.logical_date, run.interval_start, run.interval_end, run.run_after) for run in chunk],
        conf={**replenishment.conf, "taskops": {"replenishment": replenishment.id} | passed},
        max_active_runs=replenishment.max_active_runs,
        user=replenishment.actor,
    )
    for run in chunk:
        run_id = made.run_ids.get(run.logical_date)
        if run_id is None:
            replenishment_found.take_up(session, run)
            continue
        run.run_id, run.backfill_id, run.state = run_id, made.backfill_id, "active"
    _activate(session, [run for run in chunk if run.state == "active"])
    if not made.run_ids:
        backfills.complete_backfills(session, [made.backfill_id], now)
    return True


def _alike(
    session: Session, replenishment: Replenishment, chunk: list[ReplenishmentRun]
) -> tuple[list[ReplenishmentRun], dict[str, list[str]]]:
    """Return the first runs of a chunk in which the same tasks execute, and what the gate is told of them.

    The roles are those of the whole replenishment; a task that executes in others of its runs only counts as success
    when its turn comes.
    """
    cells = _cells(session, chunk, CellState.WAITING)
    chosen = {run.id: {cell.task_id for cell in cells[run.id]} for run in chunk}
    first = chosen[chunk[0].id]
    query = select(ReplenishmentRole.task_id).where(
        ReplenishmentRole.replenishment_id == replenishment.id,
        ReplenishmentRole.dag_id == chunk[0].dag_id,
        ReplenishmentRole.role == Role.EXECUTE.value,
    )
    passed = sorted(set(session.scalars(query)) - first)
    return list(takewhile(lambda run: chosen[run.id] == first, chunk)), {"pass": passed} if passed else {}


def _clear(session: Session, chunk: list[ReplenishmentRun], now: datetime) -> bool:
    dag_id = chunk[0].dag_id
    graph = load_graph(session, dag_id)
    if graph is None:
        return _give_up(session, chunk)
    states = backfills.run_states(session, [Run(dag_id, run.run_id or "") for run in chunk])
    cells = _cells(session, chunk, CellState.WAITING)
    upstream = reverse(graph.downstream)
    did = False
    for run in chunk:
        state = states.get(Run(dag_id, run.run_id or ""))
        if state in ("queued", "running"):
            continue  # what goes on in it ends first
        now_due = [cell for cell in cells[run.id] if cell.wave == run.wave]
        if state is not None and replenishment_found.is_to_be_looked_at(now_due):
            did = True
            now_due = replenishment_found.look(session, graph, run, now_due)
            if not now_due:
                _next_wave_or_done(session, run)
                continue
        present = [cell for cell in now_due if cell.task_id in graph.downstream]
        if state is None or not present:
            did |= _give_up(session, [run])
            continue
        _wake(session, dag_id, now)
        chosen = {cell.task_id for cell in present}
        passed = {task_id for cell in present for task_id in upstream[cell.task_id]} - chosen
        backfills.execute_again(session, graph.dag, run.run_id or "", chosen, passed, now)
        run.state = "active"
        for cell in now_due:
            cell.state = (CellState.ACTIVE if cell in present else CellState.FAILED).value
        did = True
    session.flush()
    return did


def _activate(session: Session, runs: Collection[ReplenishmentRun]) -> None:
    session.flush()
    session.execute(
        update(ReplenishmentCell)
        .where(
            ReplenishmentCell.of_run_id.in_([run.id for run in runs]),
            ReplenishmentCell.state == CellState.WAITING.value,
        )
        .values(state=CellState.ACTIVE.value)
        .execution_options(synchronize_session=False)
    )


def _give_up(session: Session, runs: Collection[ReplenishmentRun]) -> bool:
    """The Dag, the run or all of its tasks are gone: nothing can execute there."""
    for run in runs:
        run.state = "done"
    session.flush()
    session.execute(
        update(ReplenishmentCell)
        .where(
            ReplenishmentCell.of_run_id.in_([run.id for run in runs]),
            ReplenishmentCell.state == CellState.WAITING.value,
        )
        .values(state=CellState.FAILED.value)
        .execution_options(synchronize_session=False)
    )
    return True


def _wake(session: Session, dag_id: str, now: datetime) -> None:
    """A paused Dag would keep its runs queued: unpause it the way draining does, without new runs of its own.

    The monitor's draining pauses it again when the last run has ended.
    """
    if dag_state.paused_dags(session, [dag_id]):
        dag_state.set_paused(session, [dag_id], False)
        start_draining(session, [dag_id], now)


def _end(session: Session, replenishment: Replenishment, now: datetime) -> bool:
    left = session.scalar(
        select(func.count()).where(
            ReplenishmentRun.replenishment_id == replenishment.id, ReplenishmentRun.state.in_(("waiting", "active"))
        )
    )
    if left:
        return False
    if replenishment.state != ReplenishmentState.CANCELLED:
        counts = cell_counts(session, [replenishment.id])[replenishment.id]
        replenishment.state = state_when_over(counts).value
    replenishment.ended_at = now
    return True
