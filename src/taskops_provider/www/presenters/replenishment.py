"""One replenishment: what was asked for, how far it is, its cells (SPEC 6, 8; D5)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from taskops_provider.domain.progress import CellState, ReplenishmentState
from taskops_provider.services.replenishment_cells import list_cells
from taskops_provider.services.replenishment_control import controllable
from taskops_provider.services.replenishments import show_replenishment
from taskops_provider.www.asked import Asked
from taskops_provider.www.presenters import replenish_cells, replenishment_parts, text
from taskops_provider.www.presenters.replenishment_control import actions, badge
from taskops_provider.www.presenters.replenishment_window import Part, Shown, digest, show

PAGE = "replenishment"
#: failed cells that are listed one by one
FAILED_SHOWN = 50
#: tasks and ranges that are named; the others are counted
NAMED = 20
#: seconds between two looks: at one that goes on, at one that is paused or very large
_SOON, _LATER = 2, 10
_LARGE = 20_000
_WANTED = {"missing": "missing", "failed": "failed", "all": "all"}


def present(asked: Asked) -> dict[str, Any]:
    """Return what the template ``replenishment.html`` shows.

    :raises BadInput: for a number that is none
    :raises NotFound: when there is no such replenishment, or the actor may read none of its Dags
    """
    shown, live, part = _look(asked)
    number = str(shown["replenishment_id"])
    return {
        "page": PAGE,
        "section": "replenishments",
        "title": f"Replenishment {number}: {shown['name']}",
        "name": shown["name"],
        "actor": shown["actor"],
        "created": text.time(shown["created_at"]),
        "record": {
            "number": str(shown["operation_id"]),
            "url": asked.urls.page("operation", {"id": str(shown["operation_id"])}),
        },
        "inputs": _inputs(asked, shown["inputs"]),
        "refresh_url": asked.urls.page(PAGE, part.query())
        if asked.one("cycles")
        else asked.urls.page(PAGE, {"id": number}),
        **live,
    }


def present_progress(asked: Asked) -> dict[str, Any]:
    """Return what the template ``replenishment_progress.html`` shows: what is not as the page has it (``seen``)."""
    _, live, _ = _look(asked)
    seen = asked.one("seen").split(".")
    digests: Sequence[tuple[str, str]] = live["digests"]
    changed = {name for (name, now), was in zip(digests, [*seen, *[""] * len(digests)], strict=False) if now != was}
    return live | {"changed": changed}


def _look(asked: Asked) -> tuple[dict[str, Any], dict[str, Any], Part]:
    number = asked.number("id")
    shown = show_replenishment(asked.session, asked.actor, number, asked.now)
    part = Part.of(asked, number)
    grid = show(asked, part)
    may = number in controllable(asked.session, asked.actor, [number])
    live: dict[str, Any] = {
        "number": str(number),
        "progress": _progress(shown),
        "workflows": [_workflow(asked, one) for one in shown["workflows"]],
        "actions": actions(shown, asked.urls) if may else (),
        "announced": f"{badge(shown).text}, {int(shown['percent_complete'] // 10 * 10)} % complete",
        "failed": _failed(asked, shown, number),
        "grid": grid,
        "all_url": asked.urls.page(PAGE, part.query(failed=False, cycles=1, tasks=1)),
        "failed_url": asked.urls.page(PAGE, part.query(failed=True, cycles=1, tasks=1)),
    }
    live["digests"] = _digests(live, grid)
    live["poll"] = _poll(asked, shown, part, live["digests"])
    return shown, live, part


def _digests(live: Mapping[str, Any], grid: Shown) -> list[tuple[str, str]]:
    """What the page consists of, in an order that both it and the next look know, each with its digest."""
    parts = [(name, digest(live[name])) for name in ("progress", "workflows", "actions", "announced", "failed")]
    return [*parts, ("grid", grid.digest), *((line.key, line.digest) for line in grid.lines)]


def _poll(
    asked: Asked, shown: Mapping[str, Any], part: Part, digests: Sequence[tuple[str, str]]
) -> dict[str, Any] | None:
    """Where the page looks again; None when nothing will change any more."""
    if shown["ended_at"]:
        return None
    is_slow = shown["state"] == ReplenishmentState.PAUSED or sum(shown["counts"]["by_state"].values()) > _LARGE
    query = part.query() | {"seen": ".".join(value for _, value in digests)}
    return {"url": asked.urls.page("replenishment/progress", query), "seconds": _LATER if is_slow else _SOON}


def _progress(shown: Mapping[str, Any]) -> dict[str, Any]:
    counts = shown["counts"]
    return {
        "badge": badge(shown),
        "bar": replenishment_parts.bar(shown, counts["by_state"]),
        "cells": replenishment_parts.cells(shown)["all"],
        "eta": text.time(shown["eta"]),
        "started": text.time(shown["started_at"]),
        "ended": text.time(shown["ended_at"]),
        "states": [(mark, f"{counts['by_state'].get(key, 0):,}") for key, mark in replenish_cells.STATES.items()],
        "classes": [
            (mark.label, f"{counts['by_class'][key]:,}")
            for key, mark in replenish_cells.CLASSES.items()
            if counts["by_class"].get(key)
        ],
    }


def _workflow(asked: Asked, one: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "dag_id": text.name(one["dag_id"]),
        "url": asked.urls.page("workflow", {"dag_id": one["dag_id"]}),
        "key": f"w{digest(one['dag_id'])}",
        "bar": replenishment_parts.bar(one, one["by_state"]),
        "words": replenishment_parts.words(one["by_state"]),
        "cells": f"{sum(one['by_state'].values()):,}",
    }


def _failed(asked: Asked, shown: Mapping[str, Any], number: int) -> dict[str, Any]:
    """The first failed cells, each with the way to its log."""
    total = shown["counts"]["by_state"].get(CellState.FAILED, 0)
    if not total:
        return {"total": 0, "rows": [], "more": ""}
    found = list_cells(asked.session, asked.actor, number, states=[CellState.FAILED.value], limit=FAILED_SHOWN)
    left = found.total_entries - len(found.rows)
    return {
        "total": found.total_entries,
        "more": f"and {left:,} more" if left else "",
        "rows": [
            {
                "key": f"f{digest([row['dag_id'], row['task_id'], row['logical_date']])}",
                "dag_id": row["dag_id"],
                "task_id": row["task_id"],
                "task_url": asked.urls.page("task", {"dag_id": row["dag_id"], "task_id": row["task_id"]}),
                "date": text.time(row["logical_date"]),
                "was": replenish_cells.CLASSES[row["was"]].label,
                "log_url": asked.urls.instance(row["dag_id"], row["run_id"], row["task_id"]) if row["run_id"] else "",
            }
            for row in found.rows
        ],
    }


def _inputs(asked: Asked, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """What was asked for."""
    targets = [(dag_id, asked.urls.page("workflow", {"dag_id": dag_id})) for dag_id in inputs["workflows"]]
    targets += [(f"{one['dag_id']}.{one['task_id']}", asked.urls.page("task", dict(one))) for one in inputs["tasks"]]
    steps = [f"{inputs[key]:,} {key}" for key in ("upstream", "downstream") if inputs[key]]
    ranges = [
        (text.time(datetime.fromisoformat(one["from"])), text.time(datetime.fromisoformat(one["to"])))
        for one in inputs["ranges"]
    ]
    return {
        "targets": targets[:NAMED],
        "more_targets": max(len(targets) - NAMED, 0),
        "steps": " and ".join(steps),
        "ranges": ranges[:NAMED],
        "more_ranges": max(len(ranges) - NAMED, 0),
        "cells": ", ".join(_WANTED.get(one, one) for one in inputs["cells"]),
        "order": "newest first" if inputs["newest_first"] else "oldest first",
        "runs": f"{inputs['max_active_runs']:,}",
        "window": f"{inputs['window']} UTC" if inputs["window"] else "",
        "conf": json.dumps(inputs["conf"], ensure_ascii=False) if inputs["conf"] else "",
        "reason": inputs["reason"] or "",
    }
