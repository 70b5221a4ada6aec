"""The dialog of a replenishment: what to replenish, the plan as it changes, what came of it (A14, B15, D5)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from taskops_provider.domain.operations import MAX_REASON_LENGTH, Scope
from taskops_provider.domain.replenishment import MAX_ACTIVE_RUNS, MAX_DEPTH, MAX_NAME_LENGTH, MAX_RANGES
from taskops_provider.exceptions import BadInput, Conflict, PlanChanged, TaskOpsError
from taskops_provider.services.history import dates_of_runs
from taskops_provider.services.replenishment_plan import ReplenishmentPlan, plan_replenishment
from taskops_provider.services.replenishment_seen import remember
from taskops_provider.services.replenishments import busy_workflows, create_replenishment
from taskops_provider.www import replenish_form as forms
from taskops_provider.www.asked import Asked
from taskops_provider.www.presenters import replenish_cells as marks
from taskops_provider.www.presenters import replenish_grid, text
from taskops_provider.www.presenters.changes import CHANGED, DIFFERENCES_SHOWN, OVERTAKEN, WHOLE, Answer, refused
from taskops_provider.www.presenters.instances import refs_of
from taskops_provider.www.replenish_form import ReplenishForm

TITLE = "Replenish"
#: lines of remarks; the others are counted
WARNINGS_SHOWN = 12
CELLS: Sequence[tuple[str, str, str]] = (
    ("missing,failed", "Missing and failed", ""),
    ("missing", "Missing", "no run, or gated in it"),
    ("failed", "Failed", "also upstream failed"),
    ("all", "All", "also what is done"),
)


def present(asked: Asked, scope: Scope) -> Answer:
    """Return the dialog, its plan anew, or what was done. Errors are shown in the dialog."""
    is_part = asked.one("part") == "plan"
    try:
        form = forms.read_replenish(asked, scope)
        return _apply(asked, form) if form.is_apply else _preview(asked, form, is_part=is_part)
    except TaskOpsError as error:
        # nothing of what the error interrupted is kept
        asked.session.rollback()
        if not is_part:
            return refused(TITLE, error, is_part=False)
        # where the person still chooses, the focus stays with them
        return _problem(error, takes_focus=asked.one("step") == "apply")


def present_instances(asked: Asked) -> Answer:
    """Return the dialog for the data times of chosen instances of one task: all cells, theirs alone."""
    try:
        return _for_instances(asked)
    except TaskOpsError as error:
        asked.session.rollback()
        return refused(TITLE, error, is_part=False)


def _for_instances(asked: Asked) -> Answer:
    dag_id, task_id = asked.one("dag_id"), asked.one("task_id")
    run_ids = list(dict.fromkeys(ref.run_id for ref in refs_of(asked)))
    if not run_ids:
        raise BadInput("nothing is selected; select at least one instance")
    found = dates_of_runs(asked.session, asked.actor, dag_id, task_id, run_ids, asked.now)
    dates = sorted({date for date in found.values() if date is not None})
    if not dates:
        raise BadInput("the runs of the chosen instances have no data time; rerun the instances instead")
    if len(dates) > MAX_RANGES:
        raise BadInput(f"{len(dates):,} data times are chosen; at most {MAX_RANGES} are taken at once")
    zone = forms.zone_of(asked)
    points = [forms.field_of(date, zone) for date in dates]
    chosen = {"target": [f"{dag_id} {task_id}"], "from": points, "to": points, "cells": ["all"]}
    form = forms.read_replenish(replace(asked, args={**asked.args, **chosen}), Scope.TASK)
    return _preview(asked, form, is_part=False, dates=dates, without=len(run_ids) - len(dates))


def _preview(
    asked: Asked, form: ReplenishForm, *, is_part: bool, dates: Sequence[datetime] = (), without: int = 0
) -> Answer:
    try:
        plan = plan_replenishment(asked.session, asked.actor, form.inputs, asked.now)
        shown = _plan(asked, form, plan)
    except (BadInput, Conflict) as error:
        # the dialog is there all the same: other ranges may do
        if is_part:
            raise
        asked.session.rollback()
        return _dialog(asked, form, {"problem": _sentence(error)}, dates=dates, without=without)
    if is_part:
        return Answer("replenish_plan.html", shown | {"is_refresh": True})
    if dates:
        own = {cycle.logical_date for grid in plan.grids for cycle in grid.cycles}
        without += sum(date not in own for date in dates)
    return _dialog(asked, form, shown, dates=dates, without=without)


def _dialog(
    asked: Asked, form: ReplenishForm, shown: Mapping[str, Any], *, dates: Sequence[datetime], without: int
) -> Answer:
    inputs = form.inputs
    more = {
        "title": _title(form),
        "address": asked.urls.page(f"replenish/{form.scope.value}s"),
        "selection": form.selection,
        "has_steps": form.scope is Scope.TASK,
        "inputs": inputs,
        "cells": _cells(form),
        "cell_choices": CELLS,
        "ranges": form.fields,
        "zone": str(form.zone),
        "quick": _quick(asked.now, form),
        "without": without,
        "is_of_instances": bool(dates),
        "max_runs": MAX_ACTIVE_RUNS,
        "max_depth": MAX_DEPTH,
        "max_name": MAX_NAME_LENGTH,
        "max_reason": MAX_REASON_LENGTH,
        "max_ranges": MAX_RANGES,
    }
    return Answer("replenish_dialog.html", {**shown, **more, "is_refresh": False})


def _title(form: ReplenishForm) -> str:
    inputs = form.inputs
    if len(inputs.workflows) == 1:
        return f"{TITLE} workflow {inputs.workflows[0]}"
    if len(inputs.tasks) == 1:
        return f"{TITLE} task {inputs.tasks[0].task_id} of {inputs.tasks[0].dag_id}"
    return f"{TITLE} {text.count(len(inputs.workflows or inputs.tasks), form.scope.value)}"


def _quick(now: datetime, form: ReplenishForm) -> list[tuple[str, str, str]]:
    """What a range can be set to with one click: label, beginning, end."""
    yesterday = now - timedelta(days=1)
    return [
        ("Today", *forms.last_days(1, now, form.zone)),
        ("Yesterday", *forms.last_days(1, yesterday, form.zone)),
        ("Last 7 days", *forms.last_days(7, now, form.zone)),
        ("Last 30 days", *forms.last_days(30, now, form.zone)),
    ]


def _plan(asked: Asked, form: ReplenishForm, plan: ReplenishmentPlan) -> dict[str, Any]:
    """What the template ``replenish_plan.html`` shows."""
    found = plan.as_json()
    counts, seconds = found["counts"], found["estimated_seconds"]
    warnings = [*_waits(asked, form, plan), *plan.warnings]
    grid = replenish_grid.show(
        plan,
        form.zone,
        cycle_page=form.cycle_page,
        task_page=form.task_page,
        busy_only=form.busy_cycles_only,
    )
    return {
        "counts": counts,
        "cells_total": found["cells"],
        "estimate": f"about {text.duration(seconds)}" if seconds else "unknown",
        "wanted": next(label for name, label, _ in CELLS if name == _cells(form)).lower(),
        "action": f"Execute {text.count(counts['execute'], 'cell')}" if counts["execute"] else "Nothing to execute",
        "plan_hash": remember(plan),
        "legend": [(mark, counts["by_class"][key]) for key, mark in marks.CLASSES.items() if key in counts["by_class"]],
        "warnings": warnings[:WARNINGS_SHOWN],
        "more_warnings": max(len(warnings) - WARNINGS_SHOWN, 0),
        "grid": grid,
        "address": asked.urls.page(f"replenish/{form.scope.value}s"),
        "cycle_page": form.cycle_page or "",
        "task_page": grid.tasks.page,
        "cycles": {None: "", True: "busy", False: "all"}[form.busy_cycles_only],
        "zone": str(form.zone),
    }


def _cells(form: ReplenishForm) -> str:
    return next(name for name, wanted in forms.CELLS.items() if wanted == form.inputs.wanted)


def _waits(asked: Asked, form: ReplenishForm, plan: ReplenishmentPlan) -> list[str]:
    """What is said where other backfills go on.

    :raises Conflict: where they are not to be waited for
    """
    busy = busy_workflows(asked.session, plan)
    if busy and not form.inputs.queues:
        raise Conflict(f"another backfill of {busy[0]} goes on; wait for it, or let this one queue behind it")
    return [f"another backfill of {dag_id} goes on; this one waits for its end" for dag_id in busy]


def _problem(error: TaskOpsError, *, takes_focus: bool) -> Answer:
    shown = {"problem": _sentence(error), "takes_focus": takes_focus, "is_refresh": True, "action": TITLE}
    return Answer("replenish_plan.html", shown, error.http_status)


def _sentence(error: TaskOpsError) -> str:
    line = str(error)
    return line[:1].upper() + line[1:]


def _apply(asked: Asked, form: ReplenishForm) -> Answer:
    if not form.seen:
        raise BadInput("this was not previewed; look at the plan first")
    try:
        made = create_replenishment(asked.session, asked.actor, form.inputs, asked.now, seen=form.seen)
    except PlanChanged as changed:
        # nothing was done; show what would be done now, so that one click goes on
        asked.session.rollback()
        plan = plan_replenishment(asked.session, asked.actor, form.inputs, asked.now)
        problem = {"problem": OVERTAKEN, "differences": _differences(changed, form), "takes_focus": True}
        return Answer(
            "replenish_plan.html", _plan(asked, form, plan) | problem | {"is_refresh": True}, changed.http_status
        )
    number = str(made["replenishment_id"])
    return Answer(
        "replenish_result.html",
        {
            "title": f"Replenishment {number} is queued",
            "number": number,
            "name": made["name"],
            "cells": text.count(sum(made["counts"]["by_class"].values()), "cell"),
            "workflows": made["workflows"],
            "warnings": made["warnings"],
            "watch_url": asked.urls.page("replenishment", {"id": number}),
            "record_url": asked.urls.page("operation", {"id": str(made["operation_id"])}),
            "operation_id": made["operation_id"],
        },
        headers=WHOLE | CHANGED,
    )


def _differences(changed: PlanChanged, form: ReplenishForm) -> list[str]:
    cells = changed.difference
    lines = [_difference(one, form) for one in cells[:DIFFERENCES_SHOWN]]
    if more := len(cells) - len(lines):
        lines.append(f"and {more:,} more")
    return [f"{text.count(len(cells), 'cell')} changed since:", *lines]


def _difference(cell: Mapping[str, Any], form: ReplenishForm) -> str:
    name = f"{cell['dag_id']} {cell['task_id']}"
    cycle = replenish_grid.cycle_words(cell["logical_date"].replace(tzinfo=UTC), form.zone)
    now = f"is {marks.CLASSES[cell['now']].label}" if cell["now"] else "is not in the plan any more"
    before = f"was {marks.CLASSES[cell['before']].label}" if cell["before"] else "was not in the plan"
    if cell["before"] == cell["now"]:
        return f"{name}, {cycle}: {'will execute' if cell['executes'] else 'does not execute any more'}"
    return f"{name}, {cycle}: {before}, {now}"
