"""The cells of a replenishment's plan for programs: stretches of cycles that are alike, task by task."""

from __future__ import annotations

from itertools import groupby
from typing import Any

from taskops_provider.services.replenishment_plan import CLASSES, Grid, ReplenishmentPlan, Row


def cells_json(plan: ReplenishmentPlan) -> dict[str, Any]:
    """Return the part of a plan's JSON that differs when its cells are asked for: ``workflows``.

    Each task then has ``cells``: ``[{"class": ..., "execute": ..., "first": ..., "last": ..., "cycles": ...}]``, all of
    its cycles, oldest first; ``first`` and ``last`` are logical dates.
    """
    workflows = plan.as_json()["workflows"]
    for grid, workflow in zip(plan.grids, workflows, strict=True):
        for row, task in zip(grid.rows, workflow["tasks"], strict=True):
            task["cells"] = _stretches(grid, row)
    return {"workflows": workflows}


def _stretches(grid: Grid, row: Row) -> list[dict[str, Any]]:
    found = []
    begin = 0
    for (code, executes), members in groupby(zip(row.classes, row.executes, strict=True)):
        end = begin + sum(1 for _ in members)
        found.append(
            {
                "class": CLASSES[code].value,
                "execute": bool(executes),
                "first": grid.cycles[begin].logical_date,
                "last": grid.cycles[end - 1].logical_date,
                "cycles": end - begin,
            }
        )
        begin = end
    return found
