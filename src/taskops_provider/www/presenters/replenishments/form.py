"""What the fields of the dialog of a replenishment ask for; one line about each that cannot be (SPEC 6)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

from taskops_provider.domain.cells import Wanted
from taskops_provider.domain.operations import MAX_REASON_LENGTH, Scope
from taskops_provider.domain.replenishment import Asked as Inputs
from taskops_provider.domain.replenishment import Range, Window, parse_conf
from taskops_provider.exceptions import BadInput
from taskops_provider.www.asked import Asked
from taskops_provider.www.forms import reason_of, selection_of, step_of, targets_of, ticked
from taskops_provider.www.presenters import moments
from taskops_provider.www.presenters.filters import Problems

#: what a date and time field sends, to the minute and to the second
_MINUTES, _SECONDS = "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"
#: of which cells the dialog lets choose
CELLS = {
    "missing,failed": frozenset({Wanted.MISSING, Wanted.FAILED}),
    "missing": frozenset({Wanted.MISSING}),
    "failed": frozenset({Wanted.FAILED}),
    "all": frozenset({Wanted.ALL}),
}
#: as the REST API has it: the plan of each workflow is made by itself
MOST = {Scope.WORKFLOW: 1000, Scope.TASK: 10_000}
DEFAULT_CELLS = "missing,failed"
ORDERS = ("oldest", "newest")


@dataclass(frozen=True)
class ReplenishForm:
    """The fields of the dialog.

    :param scope: what the targets are
    :param fields: the ranges as they were sent
    :param zone: in which the ranges are
    :param seen: the plan that the person saw
    :param selection: the hidden fields that hold the targets, as they were sent
    :param cycle_page: the page of the grid's cycles, counted from 1; None where none was chosen
    :param busy_cycles_only: show just the cycles in which something executes; None where nothing was chosen
    """

    inputs: Inputs
    scope: Scope
    fields: tuple[tuple[str, str], ...]
    zone: tzinfo
    is_apply: bool
    seen: str
    selection: tuple[tuple[str, str], ...]
    cycle_page: int | None
    task_page: int
    busy_cycles_only: bool | None


def zone_of(asked: Asked) -> tzinfo:
    """Return the time zone in which the fields are.

    :raises BadInput: when there is no such zone
    """
    problems = Problems()
    zone = moments.zone_of(asked.one("zone"), problems)
    _refuse(problems)
    return zone


def read_replenish(asked: Asked, scope: Scope) -> ReplenishForm:
    """Read the fields of the dialog.

    :raises BadInput: for the first of them that cannot be
    """
    is_apply = step_of(asked) == "apply"
    targets = targets_of(asked, scope)
    if len(targets) > MOST[scope]:
        what = f"{len(targets):,} {scope.value}s are selected"
        raise BadInput(f"{what}; at most {MOST[scope]:,} are replenished at once, so filter the list first")
    zone = zone_of(asked)
    fields = _fields(asked, zone)
    is_flows = scope is Scope.WORKFLOW
    inputs = Inputs(
        workflows=tuple(target.dag_id for target in targets) if is_flows else (),
        tasks=() if is_flows else targets,
        upstream=0 if is_flows else _number(asked, "upstream", "Steps upstream", 0),
        downstream=0 if is_flows else _number(asked, "downstream", "Steps downstream", 0),
        ranges=tuple(_range(number, *pair, zone) for number, pair in enumerate(fields, start=1)),
        wanted=CELLS[_one_of(asked, "cells", "Cells", tuple(CELLS), DEFAULT_CELLS)],
        name=asked.one("name"),
        max_active_runs=_number(asked, "max_active_runs", "Runs at a time", 1),
        newest_first=_one_of(asked, "order", "Order", ORDERS, ORDERS[0]) == "newest",
        window=_window(asked),
        conf=parse_conf(asked.one("conf"), "Conf"),
        queues=not ticked(asked, "refuse_busy"),
        reason=_reason(asked),
        is_selection=bool(asked.one("matching")) or len(targets) > 1,
    )
    shown = _one_of(asked, "cycles", "Cycles", ("", "all", "busy"), "")
    return ReplenishForm(
        inputs=inputs,
        scope=scope,
        fields=fields,
        zone=zone,
        is_apply=is_apply,
        seen=asked.one("plan_hash"),
        selection=selection_of(asked),
        cycle_page=_number(asked, "cycle_page", "Page of cycles", 0) or None,
        task_page=_number(asked, "task_page", "Page of tasks", 0) or 1,
        busy_cycles_only=shown == "busy" if shown else None,
    )


def last_days(number: int, now: datetime, zone: tzinfo) -> tuple[str, str]:
    """Return a range, as its fields have it: so many days, of which today is the last."""
    today = now.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
    return f"{today - timedelta(days=number - 1):{_MINUTES}}", f"{today.replace(hour=23, minute=59):{_MINUTES}}"


def field_of(moment: datetime, zone: tzinfo) -> str:
    """Return a moment as a field of a range has it."""
    local = moment.astimezone(zone)
    return f"{local:{_SECONDS if local.second else _MINUTES}}"


def _fields(asked: Asked, zone: tzinfo) -> tuple[tuple[str, str], ...]:
    """The ranges that are filled in; the last seven days where the form was not shown yet."""
    firsts, lasts = asked.each("from"), asked.each("to")
    if asked.one("part") != "plan" and not firsts and not lasts:
        return (last_days(7, asked.now, zone),)
    if len(firsts) != len(lasts):
        raise BadInput("each range needs a beginning and an end")
    return tuple(pair for pair in zip(firsts, lasts, strict=True) if any(pair))


def _range(number: int, first: str, last: str, zone: tzinfo) -> Range:
    if not first or not last:
        raise BadInput(f"range {number} has no {'end' if first else 'beginning'}")
    begin = _moment(f"The beginning of range {number},", first, zone)
    end = _moment(f"The end of range {number},", last, zone)
    if begin > end:
        raise BadInput(f"range {number} ends before it begins")
    # to the second is to the end of the second: dates of runs made by hand have parts of it
    whole = end + timedelta(microseconds=999_999 - end.microsecond)
    return Range(begin, whole if end.second else whole + timedelta(seconds=59))


def _moment(name: str, given: str, zone: tzinfo) -> datetime:
    problems = Problems()
    moment = moments.moment_of(name, given[:60], zone, problems)
    _refuse(problems)
    if moment is None:
        raise BadInput(f"{name} is missing")
    return moment


def _refuse(problems: Problems) -> None:
    if problems.lines:
        raise BadInput(problems.lines[0].rstrip("."))


def _number(asked: Asked, name: str, label: str, default: int) -> int:
    """A whole number; what it may be beyond that is checked with the other inputs."""
    given = asked.one(name)
    if not given:
        return default
    if not (given.isascii() and given.isdigit() and len(given) < 10):
        raise BadInput(f"{label}: {given[:60]!r} is no whole number")
    return int(given)


def _one_of(asked: Asked, name: str, label: str, allowed: tuple[str, ...], default: str) -> str:
    given = asked.one(name) or default
    if given not in allowed:
        raise BadInput(f"{label}: {given[:60]!r} is not among {', '.join(filter(None, allowed))}")
    return given


def _window(asked: Asked) -> Window | None:
    opens, closes = asked.one("window_from"), asked.one("window_to")
    if not opens and not closes:
        return None
    if not opens or not closes:
        raise BadInput(f"the daily window has no {'end' if opens else 'beginning'}")
    return Window.parse(f"{opens[:5]}-{closes[:5]}")


def _reason(asked: Asked) -> str | None:
    reason = reason_of(asked)
    if reason and len(reason) > MAX_REASON_LENGTH:
        raise BadInput(f"the reason has {len(reason):,} characters; at most {MAX_REASON_LENGTH:,} are kept")
    return reason
