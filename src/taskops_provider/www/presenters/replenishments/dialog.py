"""The dialog of a replenishment: what to replenish, the plan as it changes, the result (requirements A14, B15, D5)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from taskops_provider.domain.answers import copy_as
from taskops_provider.domain.operations.targets import Scope
from taskops_provider.domain.replenishment import (
    MAX_RANGES,
    IfBusy,
)
from taskops_provider.domain.text import sentence
from taskops_provider.exceptions import BadInput, Conflict, PlanChanged, TaskOpsError
from taskops_provider.services.catalog.instances import dates_of_runs
from taskops_provider.services.replenishments.create import busy_workflows, create_replenishment, refuse_busy
from taskops_provider.services.replenishments.fingerprint import CellChange, fingerprint_of
from taskops_provider.services.replenishments.plan import ReplenishmentPlan, plan_replenishment
from taskops_provider.services.replenishments.plan_summary import summarize
from taskops_provider.www.page_request import PageRequest
from taskops_provider.www.presenters import text
from taskops_provider.www.presenters.answer import CHANGED, WHOLE, DialogAnswer, refused
from taskops_provider.www.presenters.instances.dialog import refs_of
from taskops_provider.www.presenters.operations.dialog import DIFFERENCES_SHOWN, OVERTAKEN
from taskops_provider.www.presenters.replenishments import cell_marks, plan_grid
from taskops_provider.www.presenters.replenishments.dialog_contents import (
    TITLE,
    CreatedDialog,
    PlanPart,
    ReplenishDialog,
)
from taskops_provider.www.presenters.replenishments.form import (
    CELLS_OF_CHOICE,
    LARGE,
    ReplenishForm,
    field_of,
    last_days,
    read_form,
    zone_of,
)

#: lines of remarks; the others are counted
WARNINGS_SHOWN = 12
CELL_CHOICES: Sequence[tuple[str, str, str]] = (
    ("missing,failed", "Missing and failed", ""),
    ("missing", "Missing", "no run, or gated in it"),
    ("failed", "Failed", "also upstream failed"),
    ("all", "All", "also what is done"),
)


def replenish_dialog(asked: PageRequest, scope: Scope) -> DialogAnswer:
    """Return the dialog, its plan again, or what was done. Errors are shown in the dialog."""
    is_part = asked.one("part") == "plan"
    try:
        form = read_form(asked, scope)
        return _apply(asked, form) if form.is_apply else _preview(asked, form, is_part=is_part)
    except TaskOpsError as error:
        # nothing of what the error interrupted is kept
        asked.session.rollback()
        if not is_part:
            return refused(TITLE, error, is_part=False)
        # while the person still chooses, the focus stays with them
        return _problem(error, takes_focus=asked.one("step") == "apply")


def instances_dialog(asked: PageRequest) -> DialogAnswer:
    """Return the dialog for the data times of chosen instances of one task: all cells, theirs alone."""
    try:
        return _for_instances(asked)
    except TaskOpsError as error:
        asked.session.rollback()
        return refused(TITLE, error, is_part=False)


def _for_instances(asked: PageRequest) -> DialogAnswer:
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
    zone = zone_of(asked)
    points = [field_of(date, zone) for date in dates]
    chosen = {"target": [f"{dag_id} {task_id}"], "from": points, "to": points, "cells": ["all"]}
    form = read_form(replace(asked, args={**asked.args, **chosen}), Scope.TASK)
    return _preview(asked, form, is_part=False, dates=dates, without=len(run_ids) - len(dates))


def _preview(
    asked: PageRequest, form: ReplenishForm, *, is_part: bool, dates: Sequence[datetime] = (), without: int = 0
) -> DialogAnswer:
    try:
        plan = plan_replenishment(asked.session, asked.actor, form.request, asked.now)
        part = _plan(asked, form, plan)
    except (BadInput, Conflict) as error:
        # the dialog is there all the same: other ranges may do
        if is_part:
            raise
        asked.session.rollback()
        part = PlanPart(problem=sentence(error), address=_address(asked, form), zone=str(form.zone))
        return _dialog(asked, form, part, without=without)
    if is_part:
        return DialogAnswer("replenishments/plan.html", replace(part, is_refresh=True))
    if dates:
        own = {cycle.logical_date for grid in plan.grids for cycle in grid.cycles}
        without += sum(date not in own for date in dates)
    return _dialog(asked, form, part, without=without)


def _address(asked: PageRequest, form: ReplenishForm) -> str:
    return asked.urls.page(f"replenish/{form.scope.value}s")


def _dialog(asked: PageRequest, form: ReplenishForm, part: PlanPart, *, without: int) -> DialogAnswer:
    dialog = copy_as(
        ReplenishDialog,
        part,
        title=_title(form),
        selection=form.selection,
        has_steps=form.scope is Scope.TASK,
        inputs=form.request,
        refuses_busy=form.request.if_busy is IfBusy.REFUSE,
        cells=_cells(form),
        cell_choices=CELL_CHOICES,
        ranges=form.fields,
        quick=_quick(asked.now, form),
        without=without,
    )
    return DialogAnswer("replenishments/dialog.html", dialog)


def _title(form: ReplenishForm) -> str:
    inputs = form.request
    if len(inputs.workflows) == 1:
        return f"{TITLE} workflow {inputs.workflows[0]}"
    if len(inputs.tasks) == 1:
        return f"{TITLE} task {inputs.tasks[0].task_id} of {inputs.tasks[0].dag_id}"
    return f"{TITLE} {text.count(len(inputs.workflows or inputs.tasks), form.scope.value)}"


def _quick(now: datetime, form: ReplenishForm) -> list[tuple[str, str, str]]:
    yesterday = now - timedelta(days=1)
    return [
        ("Today", *last_days(1, now, form.zone)),
        ("Yesterday", *last_days(1, yesterday, form.zone)),
        ("Last 7 days", *last_days(7, now, form.zone)),
        ("Last 30 days", *last_days(30, now, form.zone)),
    ]


def _plan(asked: PageRequest, form: ReplenishForm, plan: ReplenishmentPlan) -> PlanPart:
    summary = summarize(plan)
    counts, seconds = summary.counts, summary.estimated_seconds
    warnings = [*_waits(asked, plan), *plan.warnings]
    grid = plan_grid.page_of_grid(
        plan,
        form.zone,
        cycle_page=form.cycle_page,
        task_page=form.task_page,
        busy_only=form.busy_cycles_only,
    )
    return PlanPart(
        counts=counts,
        is_large=counts.execute > LARGE,
        cells_total=summary.cells,
        estimate=f"about {text.duration(seconds)}" if seconds else "unknown",
        wanted=next(label for name, label, _ in CELL_CHOICES if name == _cells(form)).lower(),
        action=f"Execute {text.count(counts.execute, 'cell')}" if counts.execute else "Nothing to execute",
        plan_hash=fingerprint_of(plan),
        legend=[(mark, counts.by_class[key]) for key, mark in cell_marks.CLASSES.items() if key in counts.by_class],
        warnings=warnings[:WARNINGS_SHOWN],
        more_warnings=max(len(warnings) - WARNINGS_SHOWN, 0),
        grid=grid,
        cycle_page=form.cycle_page or "",
        task_page=grid.tasks.page,
        cycles={None: "", True: "busy", False: "all"}[form.busy_cycles_only],
        address=_address(asked, form),
        zone=str(form.zone),
    )


def _cells(form: ReplenishForm) -> str:
    return next(name for name, wanted in CELLS_OF_CHOICE.items() if wanted == form.request.cells)


def _waits(asked: PageRequest, plan: ReplenishmentPlan) -> list[str]:
    """What is said while other backfills go on.

    :raises Conflict: if they are not to be waited for
    """
    busy = busy_workflows(asked.session, plan)
    refuse_busy(plan, busy)
    return [f"another backfill of {dag_id} goes on; this one waits for its end" for dag_id in busy]


def _problem(error: TaskOpsError, *, takes_focus: bool) -> DialogAnswer:
    part = PlanPart(problem=sentence(error), takes_focus=takes_focus, is_refresh=True)
    return DialogAnswer("replenishments/plan.html", part, error.http_status)


def _apply(asked: PageRequest, form: ReplenishForm) -> DialogAnswer:
    if not form.fingerprint:
        raise BadInput("this was not previewed; look at the plan first")
    try:
        created = create_replenishment(
            asked.session, asked.actor, form.request, asked.now, fingerprint=form.fingerprint
        )
    except PlanChanged as changed:
        # nothing was done; show what would be done now, so that one click goes on
        asked.session.rollback()
        plan = plan_replenishment(asked.session, asked.actor, form.request, asked.now)
        part = replace(
            _plan(asked, form, plan),
            problem=OVERTAKEN,
            differences=_differences(changed, form),
            takes_focus=True,
            is_refresh=True,
        )
        return DialogAnswer("replenishments/plan.html", part, changed.http_status)
    _refuse_unconfirmed(sum(created.counts.by_class.values()), form)
    number = str(created.replenishment_id)
    dialog = CreatedDialog(
        title=f"Replenishment {number} is queued",
        number=number,
        name=created.name,
        cells=text.count(sum(created.counts.by_class.values()), "cell"),
        workflows=created.workflows,
        warnings=created.warnings,
        watch_url=asked.urls.page("replenishment", {"id": number}),
        record_url=asked.urls.page("operation", {"id": str(created.operation_id)}),
        operation_id=created.operation_id,
    )
    return DialogAnswer("replenishments/result.html", dialog, headers=WHOLE | CHANGED)


def _refuse_unconfirmed(cells: int, form: ReplenishForm) -> None:
    """Refuse a large plan whose number of cells was not confirmed; what raises keeps nothing."""
    if cells > LARGE and form.confirmed_cells != cells:
        raise BadInput(f"this executes {cells:,} cells: tick the box that confirms it")


def _differences(changed: PlanChanged, form: ReplenishForm) -> list[str]:
    cells: Sequence[CellChange] = changed.difference
    lines = [_difference(one, form) for one in cells[:DIFFERENCES_SHOWN]]
    if more := len(cells) - len(lines):
        lines.append(f"and {more:,} more")
    return [f"{text.count(len(cells), 'cell')} changed since:", *lines]


def _difference(cell: CellChange, form: ReplenishForm) -> str:
    name = f"{cell.dag_id} {cell.task_id}"
    cycle = plan_grid.cycle_words(cell.logical_date.replace(tzinfo=UTC), form.zone)
    if cell.before == cell.now:
        return f"{name}, {cycle}: {'will execute' if cell.executes else 'does not execute any more'}"
    now = f"is {cell_marks.CLASSES[cell.now].label}" if cell.now else "is not in the plan any more"
    before = f"was {cell_marks.CLASSES[cell.before].label}" if cell.before else "was not in the plan"
    return f"{name}, {cycle}: {before}, {now}"
