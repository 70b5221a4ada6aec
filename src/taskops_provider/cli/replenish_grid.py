"""The cells of a replenishment's plan in letters: a row for each task, a letter for each cycle."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from taskops_provider.cli.text import cell, clean
from taskops_provider.services.replenishments.plan_summary import (
    CellStretch,
    PlannedTaskWithCells,
    PlannedWorkflow,
    PlanSummary,
)

#: cycles that are shown of a workflow
WIDTH = 80
#: of tasks' names
NAMES = 40

_LETTERS = {
    "no_run": "n",
    "gated": "g",
    "cut_off": "t",
    "failed": "f",
    "upstream_failed": "u",
    "running": "r",
    "done": "d",
    "no_instance": "-",
}


def lines(plan: PlanSummary) -> Iterator[str]:
    """Yield the lines of a plan that has its cells."""
    letters = ", ".join(f"{letter} {name}" for name, letter in _LETTERS.items())
    yield ""
    yield f"cells, oldest first: {letters}; a capital executes"
    for workflow in plan.workflows:
        yield from _of_workflow(workflow)


def _of_workflow(workflow: PlannedWorkflow) -> Iterator[str]:
    total = workflow.cycles
    yield ""
    if not total:
        yield f"{clean(workflow.dag_id)}: no cycles"
        return
    dates = f"{cell(workflow.first)} to {cell(workflow.last)}{_days(workflow)}"
    yield f"{clean(workflow.dag_id)}: {total:,} cycles, {dates}"
    tasks = [task for task in workflow.tasks if isinstance(task, PlannedTaskWithCells)]
    names = [_short(clean(task.task_id)) for task in tasks]
    width = max(map(len, names), default=0)
    for name, task in zip(names, tasks, strict=True):
        yield f"  {name:<{width}}  {_letters(task.cells)}"
    if total > WIDTH:
        yield f"  ... and {total - WIDTH:,} cycles more: ask for a shorter --range, or --output json has them all"


def _days(workflow: PlannedWorkflow) -> str:
    """The days as the clocks of the workflow's zone count them, where these are not those of UTC."""
    if workflow.timezone in ("UTC", "Etc/UTC"):
        return ""
    return f" ({workflow.first_day} to {workflow.last_day} in {clean(workflow.timezone)})"


def _letters(stretches: Sequence[CellStretch]) -> str:
    text = ""
    for stretch in stretches:
        letter = _LETTERS[stretch.class_]
        text += (letter.upper() if stretch.execute else letter) * min(stretch.cycles, WIDTH - len(text))
        if len(text) >= WIDTH:
            break
    return text


def _short(name: str) -> str:
    return name if len(name) <= NAMES else f"{name[: NAMES - 3]}..."
