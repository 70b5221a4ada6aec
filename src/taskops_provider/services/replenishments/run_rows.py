"""The rows of a replenishment's runs and cells, as the monitor and people's verbs read and move them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Select, and_, func, or_, select, update
from sqlalchemy.orm import Session

from taskops_provider.domain.cells import CellClass
from taskops_provider.domain.chunks import chunks
from taskops_provider.domain.progress import CellState, ReplenishmentState
from taskops_provider.domain.replenishment_run import RunEvent, RunState, after
from taskops_provider.domain.states import OUT_OF_SERVICE
from taskops_provider.models import Replenishment, ReplenishmentCell, ReplenishmentRun, Task

#: how a problem begins that goes by as soon as somebody or something makes room
WAITS = "waits: "
#: how one begins that only says that others come first: it keeps its own turn
TURN = "waits its turn: "
_MAX_PROBLEM = 1000

_GOING_ON = (ReplenishmentState.QUEUED.value, ReplenishmentState.RUNNING.value, ReplenishmentState.PAUSED.value)


class DueCell(NamedTuple):
    """A cell: its own key and its run's, its task, what it was when it was planned, when in its run it is due.

    :param tries: of one that was done: the highest try of its instances
    :param began_at: of one that was done: when the last of its instances had begun
    """

    key: int
    of_run_id: int
    task_id: str
    was: str
    wave: int
    tries: int | None
    began_at: datetime | None


def open_replenishments() -> Select[Replenishment]:
    """Those that go on, and cancelled ones of which something still runs."""
    cancelled = and_(Replenishment.state == ReplenishmentState.CANCELLED.value, Replenishment.ended_at.is_(None))
    return select(Replenishment).where(or_(Replenishment.state.in_(_GOING_ON), cancelled)).order_by(Replenishment.id)


def runs_in(session: Session, replenishment_id: int, *states: RunState) -> list[ReplenishmentRun]:
    """Return the runs of a replenishment in some states, in their order."""
    query = (
        select(ReplenishmentRun)
        .where(ReplenishmentRun.replenishment_id == replenishment_id, ReplenishmentRun.state.in_(states))
        .order_by(ReplenishmentRun.stage, ReplenishmentRun.dag_id, ReplenishmentRun.ordinal)
    )
    return list(session.scalars(query))


def cells_of(session: Session, run_ids: Iterable[int], state: CellState) -> Mapping[int, list[DueCell]]:
    """Return the cells of some runs in a state, by run."""
    found: dict[int, list[DueCell]] = defaultdict(list)
    cell = ReplenishmentCell
    for chunk in chunks(run_ids):
        query = select(cell.id, cell.of_run_id, cell.task_id, cell.was, cell.wave, cell.tries, cell.began_at).where(
            cell.of_run_id.in_(chunk), cell.state == state.value
        )
        for row in session.execute(query):
            found[row.of_run_id].append(DueCell(*row))
    return found


def runs_that_execute(session: Session, replenishment_id: int) -> set[int]:
    """Return the runs of a replenishment of which Airflow has a cell that has not ended."""
    query = select(ReplenishmentCell.of_run_id).where(
        ReplenishmentCell.replenishment_id == replenishment_id, ReplenishmentCell.state == CellState.ACTIVE.value
    )
    return set(session.scalars(query.distinct()))


def set_cells(session: Session, keys: Iterable[int], state: CellState) -> None:
    """Give cells a state."""
    for chunk in chunks(keys):
        _update_cells(session, ReplenishmentCell.id.in_(chunk), state)


def set_class(session: Session, key: int, found: CellClass) -> None:
    """Note the class of a cell whose run somebody else created after the plan was made."""
    session.execute(
        update(ReplenishmentCell)
        .where(ReplenishmentCell.id == key)
        .values(was=found.value)
        .execution_options(synchronize_session=False)
    )


def set_cells_of_runs(
    session: Session, run_ids: Iterable[int], before: Collection[CellState], state: CellState
) -> None:
    """Give all cells of some runs that are in one of some states another one."""
    states = [one.value for one in before]
    for chunk in chunks(run_ids):
        _update_cells(session, and_(ReplenishmentCell.of_run_id.in_(chunk), ReplenishmentCell.state.in_(states)), state)


def cancel_waiting(session: Session, replenishment_id: int) -> None:
    """Cancel the runs and cells of a replenishment that wait. Two statements, for there may be 100,000 of each."""
    waiting = ReplenishmentRun.state == RunState.WAITING.value
    session.execute(
        update(ReplenishmentRun)
        .where(ReplenishmentRun.replenishment_id == replenishment_id, waiting)
        .values(state=after(RunState.WAITING, RunEvent.CANCEL).value)
        .execution_options(synchronize_session=False)
    )
    cells = ReplenishmentCell.state == CellState.WAITING.value
    _update_cells(session, and_(ReplenishmentCell.replenishment_id == replenishment_id, cells), CellState.CANCELLED)


def _update_cells(session: Session, condition: object, state: CellState) -> None:
    session.execute(
        update(ReplenishmentCell)
        .where(condition)  # type: ignore[arg-type]
        .values(state=state.value)
        .execution_options(synchronize_session=False)
    )


def move(run: ReplenishmentRun, event: RunEvent) -> None:
    """Give a run the state that follows.

    :raises ValueError: if that cannot happen in its state
    """
    run.state = after(run.state, event).value


def next_wave_or_end(session: Session, runs: Collection[ReplenishmentRun]) -> None:
    """Have the next cells of runs wait for their turn; end the runs that have none."""
    session.flush()
    following: dict[int, int] = {}
    for chunk in chunks(run.id for run in runs):
        query = (
            select(ReplenishmentCell.of_run_id, func.min(ReplenishmentCell.wave).label("wave"))
            .where(ReplenishmentCell.of_run_id.in_(chunk), ReplenishmentCell.state == CellState.WAITING.value)
            .group_by(ReplenishmentCell.of_run_id)
        )
        following.update({row.of_run_id: row.wave for row in session.execute(query)})
    for run in runs:
        if run.id in following:
            run.wave = following[run.id]
            move(run, RunEvent.NEXT_WAVE)
        else:
            move(run, RunEvent.END)


def give_up(session: Session, replenishment: Replenishment, runs: Collection[ReplenishmentRun], why: str) -> None:
    """End runs in which nothing can execute: their cells failed, and the replenishment says why."""
    for run in runs:
        move(run, RunEvent.END)
    session.flush()
    set_cells_of_runs(session, [run.id for run in runs], [CellState.WAITING], CellState.FAILED)
    replenishment.problem = why[:_MAX_PROBLEM]


def note_failure(session: Session, replenishment_id: int, why: str) -> None:
    """Keep why cells of a replenishment did not execute."""
    session.execute(
        update(Replenishment)
        .where(Replenishment.id == replenishment_id)
        .values(problem=why[:_MAX_PROBLEM])
        .execution_options(synchronize_session=False)
    )


def was_deleted(dag_id: str, run_id: str) -> str:
    """Say that cells failed because their run is gone."""
    return f"{dag_id} {run_id}: the run or its Dag was deleted"


def note_wait(replenishment: Replenishment, why: Collection[str]) -> None:
    """Keep what a replenishment waits for, or that it waits for nothing; what failed for good stays noted.

    :param why: its reasons; those that begin with :data:`TURN` are others that come first
    """
    if replenishment.problem is not None and not replenishment.problem.startswith((WAITS, TURN)):
        return
    only_others = all(one.startswith(TURN) for one in why)
    told = "; ".join(sorted({one.removeprefix(TURN) for one in why}))
    replenishment.problem = f"{TURN if only_others else WAITS}{told}"[:_MAX_PROBLEM] if why else None


def out_of_service(session: Session, dag_id: str) -> set[str]:
    """Return the tasks of a Dag that are offline or deleted now: they do not execute, whatever was planned."""
    return set(session.scalars(select(Task.task_id).where(Task.dag_id == dag_id, Task.state.in_(OUT_OF_SERVICE))))
