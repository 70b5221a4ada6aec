"""How the cells of a replenishment, task by cycle, are called, marked and coloured (requirements D5).

A cell is ``<td class="{{ mark.css }}">{{ mark.letter }}</td>``; the colours are in
``frontend/src/replenishments/grid.css``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from taskops_provider.domain.cells import CellClass
from taskops_provider.domain.progress import CellState


@dataclass(frozen=True)
class Mark:
    """A class or state of cells.

    :param letter: what tells it from others without its colour
    :param label: in a sentence: ``upstream failed``
    :param meaning: what people may want to know of it, a sentence; empty where the label says all
    """

    key: str
    letter: str
    label: str
    meaning: str = ""

    @property
    def css(self) -> str:
        """The style classes of the cell."""
        return f"cell cell-{self.key}"


def _marks(*marks: Mark) -> dict[str, Mark]:
    return {mark.key: mark for mark in marks}


#: what had become of cells, in the order of legends
CLASSES: Mapping[str, Mark] = _marks(
    Mark(CellClass.NO_RUN.value, "N", "no run", "The cycle has no run."),
    Mark(CellClass.GATED.value, "G", "gated", "It, or a task upstream of it, was stopped when the run was made."),
    Mark(CellClass.CUT_OFF.value, "T", "cut off", "Its run timed out before it ended."),
    Mark(CellClass.FAILED.value, "F", "failed"),
    Mark(CellClass.UPSTREAM_FAILED.value, "U", "upstream failed", "A task upstream of it failed."),
    Mark(CellClass.RUNNING.value, "R", "running", "It has not ended; it is never executed again."),
    Mark(CellClass.DONE.value, "D", "done", "It succeeded, or Airflow skipped it."),
    Mark(CellClass.NO_INSTANCE.value, "–", "no instance", "The run was made when the Dag did not have the task."),
)
#: what cells that execute are doing, in the order of legends
STATES: Mapping[str, Mark] = _marks(
    Mark(CellState.WAITING.value, "W", "waiting"),
    Mark(CellState.ACTIVE.value, "A", "active", "It was given to Airflow and has not ended."),
    Mark(CellState.SUCCESS.value, "S", "success"),
    Mark(CellState.FAILED.value, "F", "failed"),
    Mark(CellState.SKIPPED.value, "K", "skipped", "Airflow skipped it: a branch, say."),
    Mark(CellState.CANCELLED.value, "C", "cancelled"),
)
#: beside the style classes of a cell of a plan that is going to execute
EXECUTES = "executes"


def planned_words(task: str, cycle: str, mark: Mark, *, executes: bool) -> str:
    """Return what a cell of a plan says: ``clean, 2026-01-03 00:00:00: gated, will execute``."""
    return f"{task}, {cycle}: {mark.label}, {'will execute' if executes else 'left alone'}"


def state_words(task: str, cycle: str, mark: Mark) -> str:
    """Return what a cell of a replenishment says: ``clean, 2026-01-03 00:00:00: success``."""
    return f"{task}, {cycle}: {mark.label}"
