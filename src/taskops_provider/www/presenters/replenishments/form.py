"""What the fields of the dialog of a replenishment ask for; one line about each that cannot be (requirements 6)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

from taskops_provider.domain.answers import Json
from taskops_provider.domain.cells import CellSelection
from taskops_provider.domain.operations.targets import Scope, Target
from taskops_provider.domain.replenishment import IfBusy, ReplenishmentRequest, WaitFor
from taskops_provider.domain.text import whole_number
from taskops_provider.exceptions import BadInput
from taskops_provider.inputs import problems
from taskops_provider.inputs.free_text import read_object
from taskops_provider.inputs.reading import read
from taskops_provider.inputs.replenishment import MAX_TASKS, MAX_WORKFLOWS, ReplenishmentCreateInput
from taskops_provider.services.catalog.runs import first_run
from taskops_provider.www.page_request import PageRequest
from taskops_provider.www.presenters.lists import moments
from taskops_provider.www.presenters.lists.filters import Problems
from taskops_provider.www.presenters.operations.form import reason_of, selection_of, step_of, targets_of, ticked

#: what a date and time field sends, to the minute and to the second
_MINUTES, _SECONDS = "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"
#: the cells of each choice that the dialog has
CELLS_OF_CHOICE = {
    "missing,failed": frozenset({CellSelection.MISSING, CellSelection.FAILED}),
    "missing": frozenset({CellSelection.MISSING}),
    "failed": frozenset({CellSelection.FAILED}),
    "all": frozenset({CellSelection.ALL}),
}
#: as the REST API has it: the plan of each workflow is made by itself
MOST = {Scope.WORKFLOW: MAX_WORKFLOWS, Scope.TASK: MAX_TASKS}
_LABELS = {
    "upstream_depth": "steps upstream",
    "downstream_depth": "steps downstream",
    "max_active_runs": "runs at a time",
    "window": "the window",
    "name": "the name",
    "reason": "the reason",
    "conf": "Conf",
    "exclude": "the tasks left out",
    "wait_for": "what it waits for",
    "override_conf": "overriding the conf",
    "run_on_latest_version": "the version",
}
DEFAULT_CELLS = "missing,failed"
#: a plan of more cells has a box to confirm their number
LARGE = 500
ORDERS = ("oldest", "newest")
#: the zone of the fields of ranges: the person's, or each workflow's own
RANGE_ZONES = ("mine", "dag")
#: by which version of its Dag what is cleared executes
VERSIONS: Mapping[str, bool | None] = {"": None, "latest": True, "run": False}


@dataclass(frozen=True)
class ReplenishForm:
    """The fields of the dialog.

    :param scope: what the targets are
    :param fields: the ranges as they were sent
    :param zone: in which the ranges are
    :param fingerprint: of the plan that the person saw
    :param selection: the hidden fields that hold the targets, as they were sent
    :param cycle_page: the page of the grid's cycles, counted from 1; None where none was chosen
    :param confirmed_cells: how many cells the person confirmed in a large plan
    :param busy_cycles_only: show just the cycles in which something executes; None where nothing was chosen
    """

    request: ReplenishmentRequest
    scope: Scope
    fields: tuple[tuple[str, str], ...]
    zone: tzinfo
    is_apply: bool
    fingerprint: str
    selection: tuple[tuple[str, str], ...]
    cycle_page: int | None
    task_page: int
    busy_cycles_only: bool | None
    confirmed_cells: int


def zone_of(asked: PageRequest) -> tzinfo:
    """Return the time zone in which the fields are.

    :raises BadInput: when there is no such zone
    """
    found = Problems()
    zone = moments.zone_of(asked.one("zone"), found)
    _refuse(found)
    return zone


def read_form(asked: PageRequest, scope: Scope) -> ReplenishForm:
    """Read the fields of the dialog.

    :raises BadInput: one line about the first of them that is not valid
    """
    is_apply = step_of(asked) == "apply"
    targets = targets_of(asked, scope)
    if len(targets) > MOST[scope]:
        what = f"{len(targets):,} {scope.value}s are selected"
        raise BadInput(f"{what}; at most {MOST[scope]:,} are replenished at once, so filter the list first")
    zone = zone_of(asked)
    fields = _fields(asked, zone, {target.dag_id for target in targets})
    cycles = _one_of(asked, "cycles", "Cycles", ("", "all", "busy"), "")
    is_selection = bool(asked.one("matching")) or len(targets) > 1
    return ReplenishForm(
        request=_inputs(asked, scope, targets, fields, zone).request(is_selection=is_selection),
        scope=scope,
        fields=fields,
        zone=zone,
        is_apply=is_apply,
        fingerprint=asked.one("plan_hash"),
        selection=selection_of(asked),
        cycle_page=_number(asked, "cycle_page", "Page of cycles", 0) or None,
        task_page=_number(asked, "task_page", "Page of tasks", 0) or 1,
        busy_cycles_only=cycles == "busy" if cycles else None,
        confirmed_cells=_number(asked, "confirm_cells", "Cells to confirm", 0),
    )


def _inputs(
    asked: PageRequest, scope: Scope, targets: Sequence[Target], fields: Sequence[tuple[str, str]], zone: tzinfo
) -> ReplenishmentCreateInput:
    """Read what to replenish, from the fields that are called otherwise here, or are text."""
    is_of_dags = _one_of(asked, "range_zone", "Time zone", RANGE_ZONES, RANGE_ZONES[0]) == "dag"
    values: Json = {
        "ranges": [_range(number, *pair, zone, is_of_dags=is_of_dags) for number, pair in enumerate(fields, start=1)],
        "exclude": [_excluded(line) for line in asked.one("exclude").splitlines() if line.strip()],
        "wait_for": _one_of(asked, "wait_for", "Waits for", tuple(WaitFor), WaitFor.INSIDE.value),
        "override_conf": ticked(asked, "override_conf"),
        "run_on_latest_version": VERSIONS[_one_of(asked, "version", "Version", tuple(VERSIONS), "")],
        "cells": _one_of(asked, "cells", "Cells", tuple(CELLS_OF_CHOICE), DEFAULT_CELLS).split(","),
        "name": asked.one("name"),
        "max_active_runs": asked.one("max_active_runs") or 1,
        "newest_first": _one_of(asked, "order", "Order", ORDERS, ORDERS[0]) == "newest",
        "window": _window(asked),
        "conf": read_object(asked.one("conf"), "Conf"),
        "if_busy": IfBusy.REFUSE if ticked(asked, "refuse_busy") else IfBusy.QUEUE,
        "reason": reason_of(asked),
    }
    if scope is Scope.WORKFLOW:
        values["workflows"] = [target.dag_id for target in targets]
    else:
        values["tasks"] = [{"dag_id": dag_id, "task_id": task_id} for dag_id, task_id in targets]
        values["upstream_depth"] = asked.one("upstream") or 0
        values["downstream_depth"] = asked.one("downstream") or 0
    return read(ReplenishmentCreateInput, values, name=_label)


def _label(path: problems.Path) -> str:
    """Name a field as the dialog does."""
    match path:
        case ("ranges", int(number), *_):
            return f"range {number + 1}"
        case (str(field), *_):
            return _LABELS.get(field, field)
    return ""


def last_days(number: int, now: datetime, zone: tzinfo) -> tuple[str, str]:
    """Return a range, as its fields have it: so many days, of which today is the last."""
    today = now.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
    return f"{today - timedelta(days=number - 1):{_MINUTES}}", f"{today.replace(hour=23, minute=59):{_MINUTES}}"


def field_of(moment: datetime, zone: tzinfo) -> str:
    """Return a moment as a field of a range has it."""
    local = moment.astimezone(zone)
    return f"{local:{_SECONDS if local.second else _MINUTES}}"


def _fields(asked: PageRequest, zone: tzinfo, dag_ids: Collection[str]) -> tuple[tuple[str, str], ...]:
    """The ranges that are filled in; in a form that was not shown yet, the last seven days since the first run."""
    firsts, lasts = asked.each("from"), asked.each("to")
    if asked.one("part") != "plan" and not firsts and not lasts:
        return (_since_first_run(last_days(7, asked.now, zone), asked, zone, dag_ids),)
    if len(firsts) != len(lasts):
        raise BadInput("each range needs a beginning and an end")
    return tuple(pair for pair in zip(firsts, lasts, strict=True) if any(pair))


def _since_first_run(
    days: tuple[str, str], asked: PageRequest, zone: tzinfo, dag_ids: Collection[str]
) -> tuple[str, str]:
    """Leave out what was before the first run: cycles before a Dag was there are not missing."""
    first = first_run(asked.session, asked.actor, dag_ids)
    if first is None or first > asked.now:
        return days
    # fields sort as their dates do
    return max(days[0], field_of(first, zone)), days[1]


def _excluded(line: str) -> Json:
    dag_id, _, task_id = line.strip().partition(" ")
    if not task_id.strip():
        raise BadInput(f"{line.strip()[:60]!r} names no task to leave out; write the workflow, a space, the task")
    return {"dag_id": dag_id, "task_id": task_id.strip()}


def _range(number: int, first: str, last: str, zone: tzinfo, *, is_of_dags: bool) -> Json:
    if not first or not last:
        raise BadInput(f"range {number} has no {'end' if first else 'beginning'}")
    if is_of_dags:
        # what the clocks of each workflow's zone show
        found = _range(number, first, last, UTC, is_of_dags=False)
        return {name: moment.replace(tzinfo=None) for name, moment in found.items()}
    begin = _moment(f"The beginning of range {number}", first, zone)
    end = _moment(f"The end of range {number}", last, zone)
    # to the second is to the end of the second: dates of runs made by hand have parts of it
    whole = end + timedelta(microseconds=999_999 - end.microsecond)
    return {"from": begin, "to": whole if end.second else whole + timedelta(seconds=59)}


def _moment(name: str, given: str, zone: tzinfo) -> datetime:
    found = Problems()
    moment = moments.moment_of(name, given[:60], zone, found)
    _refuse(found)
    if moment is None:
        raise BadInput(f"{name} is missing")
    return moment


def _refuse(found: Problems) -> None:
    if found.lines:
        raise BadInput(found.lines[0].rstrip("."))


def _number(asked: PageRequest, name: str, label: str, default: int) -> int:
    """A whole number."""
    given = asked.one(name)
    if not given:
        return default
    number = whole_number(given)
    if number is None:
        raise BadInput(f"{label}: {given[:60]!r} is no whole number")
    return number


def _one_of(asked: PageRequest, name: str, label: str, allowed: tuple[str, ...], default: str) -> str:
    given = asked.one(name) or default
    if given not in allowed:
        raise BadInput(f"{label}: {given[:60]!r} is not among {', '.join(filter(None, allowed))}")
    return given


def _window(asked: PageRequest) -> str | None:
    opens, closes = asked.one("window_from"), asked.one("window_to")
    if not opens and not closes:
        return None
    if not opens or not closes:
        raise BadInput(f"the daily window has no {'end' if opens else 'beginning'}")
    return f"{opens[:5]}-{closes[:5]}"
