"""The life of one run of a replenishment: its states, what may happen to it, and what becomes of its cells."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from taskops_provider.domain.cells import CellClass
from taskops_provider.domain.progress import CellState


class RunState(StrEnum):
    """What a replenishment does with one run."""

    #: its cells, or those of its next wave, are to be started
    WAITING = "waiting"
    #: Airflow has its cells
    ACTIVE = "active"
    DONE = "done"
    CANCELLED = "cancelled"


class RunEvent(StrEnum):
    """What happens to a run."""

    #: its cells were handed to Airflow
    START = "start"
    #: its cells have ended, and others follow in the next wave
    NEXT_WAVE = "next_wave"
    #: nothing is left to execute in it
    END = "end"
    #: what was handed to Airflow has not begun, and was taken back
    TAKE_BACK = "take_back"
    CANCEL = "cancel"
    #: people want its failed and cancelled cells executed again
    RETRY = "retry"


_TRANSITIONS: Mapping[tuple[RunState, RunEvent], RunState] = {
    (RunState.WAITING, RunEvent.START): RunState.ACTIVE,
    # nothing of this wave had to execute
    (RunState.WAITING, RunEvent.NEXT_WAVE): RunState.WAITING,
    (RunState.WAITING, RunEvent.END): RunState.DONE,
    (RunState.WAITING, RunEvent.CANCEL): RunState.CANCELLED,
    (RunState.ACTIVE, RunEvent.NEXT_WAVE): RunState.WAITING,
    (RunState.ACTIVE, RunEvent.END): RunState.DONE,
    (RunState.ACTIVE, RunEvent.TAKE_BACK): RunState.WAITING,
    (RunState.ACTIVE, RunEvent.CANCEL): RunState.CANCELLED,
    (RunState.DONE, RunEvent.RETRY): RunState.WAITING,
    (RunState.CANCELLED, RunEvent.RETRY): RunState.WAITING,
}


def after(state: str, event: RunEvent) -> RunState:
    """Return the state of a run after something has happened to it.

    :raises ValueError: if that cannot happen in its state
    """
    following = _TRANSITIONS.get((RunState(state), event))
    if following is None:
        raise ValueError(f"a run that is {state} cannot {event.value}")
    return following


#: classes of cells that have something to make up for
_OPEN = frozenset({CellClass.NO_RUN, CellClass.GATED, CellClass.CUT_OFF, CellClass.FAILED, CellClass.UPSTREAM_FAILED})


def outcome_without_executing(
    was: str, now: CellClass, *, out_of_service: bool, all_skipped: bool, executed_since: bool
) -> CellState | None:
    """Return what a cell of an existing run has become by itself, None if it is to execute. Ask right before the act.

    :param was: its class when the replenishment was planned
    :param now: its class now that its run has ended
    :param out_of_service: its task is offline or deleted
    :param all_skipped: Airflow skipped all of its instances
    :param executed_since: it was done then, and all of its instances have begun once more since
    """
    if now is CellClass.NO_INSTANCE:
        return CellState.FAILED
    # what was cut off is known by its run, which does not stay failed when another of its cells executes
    is_cut_off = was == CellClass.CUT_OFF and all_skipped
    if now is CellClass.DONE and (was != CellClass.DONE or executed_since) and not is_cut_off:
        return CellState.SKIPPED if all_skipped else CellState.SUCCESS
    if out_of_service:
        return CellState.CANCELLED
    # a run that somebody else made first: what executed in it is not executed once more
    if was == CellClass.RUNNING and now is not CellClass.GATED:
        return CellState.FAILED
    return None if now in _OPEN or now is CellClass.DONE else CellState.FAILED


#: class of a cell -> Airflow's state of an instance that is put back as it was
STATE_BEFORE: Mapping[str, str] = {
    CellClass.FAILED: "failed",
    CellClass.UPSTREAM_FAILED: "upstream_failed",
    CellClass.DONE: "success",
    CellClass.CUT_OFF: "skipped",
}
