"""``airflow taskops replenish ...``"""

from __future__ import annotations

import sys
from argparse import Namespace
from datetime import datetime, timedelta
from typing import Any

from taskops_provider.cli import confirm, replenish_grid, watch
from taskops_provider.cli.output import (
    STRUCTURED,
    Columns,
    heading,
    print_details,
    print_list,
    print_object,
    print_table,
)
from taskops_provider.cli.run import EXIT_REFUSED, UsageError, changes, opened, reads
from taskops_provider.cli.text import out, say
from taskops_provider.cli.times import parse_time
from taskops_provider.domain.cells import parse_wanted
from taskops_provider.domain.operations import Target
from taskops_provider.domain.progress import ReplenishmentState
from taskops_provider.domain.replenishment import Asked, Range, Window, end_of_range, parse_conf
from taskops_provider.services.replenishment_cells import list_cells
from taskops_provider.services.replenishment_control import ControlVerb, control
from taskops_provider.services.replenishment_list import ReplenishmentFilter, list_replenishments
from taskops_provider.services.replenishment_plan import plan_replenishment
from taskops_provider.services.replenishment_plan_cells import cells_json
from taskops_provider.services.replenishments import create_replenishment, show_replenishment

COLUMNS: Columns = {
    "replenishment": lambda one: one["replenishment_id"],
    "name": lambda one: one["name"],
    "state": lambda one: one["state"],
    "complete": lambda one: f"{one['percent_complete']} %",
    "success": lambda one: f"{one['percent_success']} %",
    "eta": lambda one: one["eta"],
    "by": lambda one: one["actor"],
    "created_at": lambda one: one["created_at"],
}
_TASK_COLUMNS: Columns = {
    "dag_id": lambda row: row["dag_id"],
    "task_id": lambda row: row["task_id"],
    "execute": lambda row: row["execute"],
    "cells": lambda row: ", ".join(f"{number} {name}" for name, number in row["by_class"].items()),
    "pulled_in": lambda row: row["pulled_in"],
}
_WORKFLOW_COLUMNS: Columns = {
    "dag_id": lambda row: row["dag_id"],
    "complete": lambda row: f"{row['percent_complete']} %",
    "success": lambda row: f"{row['percent_success']} %",
    "cells": lambda row: ", ".join(f"{number} {name}" for name, number in row["by_state"].items()),
}

_CELL_COLUMNS: Columns = {
    "dag_id": lambda one: one["dag_id"],
    "task_id": lambda one: one["task_id"],
    "logical_date": lambda one: one["logical_date"],
    "was": lambda one: one["was"],
    "state": lambda one: one["state"],
    "run_id": lambda one: one["run_id"],
}


@reads
def replenish_plan(args: Namespace) -> None:
    """Show what would be done."""
    with opened() as work:
        found = plan_replenishment(work.session, work.actor, _asked(args, work.now), work.now)
        plan = found.as_json() | (cells_json(found) if args.grid else {})
    if args.output in STRUCTURED:
        print_object(plan, args.output)
        return
    _print_plan(plan, args.output)
    if args.grid:
        for line in replenish_grid.lines(plan):
            out(line)


@changes
def replenish_create(args: Namespace) -> int:
    """Plan, ask, queue, and with ``--wait`` watch."""
    if args.wait and args.no_wait:
        raise UsageError("--wait and --no-wait do not go together")
    if confirm.is_asked(args):
        with opened() as work:
            plan = plan_replenishment(work.session, work.actor, _asked(args, work.now), work.now).as_json()
        _print_plan(plan, "table", to=say)
        confirm.ask_whether(f"Execute {plan['counts']['execute']} cells?")
    with opened() as work:
        shown = create_replenishment(work.session, work.actor, _asked(args, work.now), work.now)
    if args.wait:
        shown = watch.until_over(shown["replenishment_id"])
    _print(shown, args.output)
    return EXIT_REFUSED if args.wait and shown["state"] != ReplenishmentState.SUCCESS else 0


@reads
def replenish_list(args: Namespace) -> None:
    """List replenishments, newest first."""
    with opened() as work:
        since, until = (
            None if given is None else parse_time(option, given, work.now, sign="-")
            for option, given in (("--since", args.since), ("--until", args.until))
        )
        where = ReplenishmentFilter(
            states=tuple(args.states or ()),
            actors=tuple(args.actors or ()),
            name=args.name or "",
            workflow=args.workflow or "",
            dag_id=args.in_dag or "",
            since=since,
            until=until,
        )
        page = list_replenishments(
            work.session,
            work.actor,
            work.now,
            where,
            limit=args.limit,
            offset=args.offset,
            order_by=args.order_by,
        )
    print_list(page.rows, COLUMNS, args.output, as_json=lambda one: one, empty="no replenishments")


@reads
def replenish_show(args: Namespace) -> None:
    """Show one replenishment, or its cells."""
    if args.cells:
        _print_cells(args)
        return
    if args.states or args.in_dags:
        raise UsageError("--state and --dag-id go with --cells")
    with opened() as work:
        shown = show_replenishment(work.session, work.actor, args.replenishment_id, work.now)
    _print(shown, args.output)


def _print_cells(args: Namespace) -> None:
    with opened() as work:
        page = list_cells(
            work.session,
            work.actor,
            args.replenishment_id,
            states=tuple(args.states or ()),
            dag_ids=tuple(args.in_dags or ()),
            limit=args.limit,
            offset=args.offset,
        )
    print_list(page.rows, _CELL_COLUMNS, args.output, as_json=lambda one: one, empty="no cells")
    left = page.total_entries - args.offset - len(page.rows)
    if left > 0 and args.output not in STRUCTURED:
        say(f"{left} more: --offset {args.offset + len(page.rows)}")


@changes
def replenish_pause(args: Namespace) -> None:
    """Pause one replenishment."""
    _control(args, ControlVerb.PAUSE)


@changes
def replenish_resume(args: Namespace) -> None:
    """Resume one replenishment."""
    _control(args, ControlVerb.RESUME)


@changes
def replenish_cancel(args: Namespace) -> None:
    """Cancel one replenishment."""
    _control(args, ControlVerb.CANCEL, end_running=args.terminate_instances)


@changes
def replenish_retry(args: Namespace) -> None:
    """Retry the failed cells of one replenishment."""
    _control(args, ControlVerb.RETRY)


def _control(args: Namespace, verb: ControlVerb, *, end_running: bool = False) -> None:
    with opened() as work:
        shown = control(
            work.session,
            work.actor,
            args.replenishment_id,
            verb,
            work.now,
            end_running=end_running,
            reason=args.reason,
        )
    _print(shown, args.output)


def _asked(args: Namespace, now: datetime) -> Asked:
    return Asked(
        workflows=tuple(args.workflows or ()),
        tasks=tuple(Target(*names) for names in args.tasks or ()),
        upstream=args.upstream,
        downstream=args.downstream_tasks,
        ranges=tuple(_range(first, last, now) for first, last in args.ranges or ()),
        wanted=parse_wanted(args.cells),
        name=args.name or "",
        max_active_runs=args.max_active_runs,
        newest_first=args.newest_first,
        window=Window.parse(args.window) if args.window else None,
        conf=parse_conf(args.conf or "", "--conf"),
        reason=args.reason,
        queues=not getattr(args, "no_wait", False),
    )


def _range(first: str, last: str, now: datetime) -> Range:
    def read(text: str) -> datetime:
        return parse_time("--range", text, now)

    return Range(read(first), end_of_range(last, read))


def _print_plan(plan: dict[str, Any], output: str, to: Any = out) -> None:
    counts = plan["counts"]
    seconds = plan["estimated_seconds"]
    estimate = f"about {timedelta(seconds=seconds)}" if seconds else "unknown: these tasks have no history"
    to(
        f"{counts['execute']} of {plan['cells']} cells execute: "
        f"{counts['new_runs']} new runs, {counts['existing_runs']} existing runs; run time {estimate}"
    )
    for warning in plan["warnings"]:
        to(f"  note: {warning}")
    if to is out:
        out()
        rows = [{"dag_id": of["dag_id"], **row} for of in plan["workflows"] for row in of["tasks"]]
        print_table(rows, _TASK_COLUMNS, output, empty="no tasks")


def _print(shown: dict[str, Any], output: str) -> None:
    if output in STRUCTURED:
        print_object(shown, output)
        return
    sys.stdout.flush()
    workflows = shown.pop("workflows", [])
    inputs, counts = shown.pop("inputs"), shown.pop("counts")
    warnings = shown.pop("warnings", [])
    details = dict(shown)
    details["ranges"] = "; ".join(f"{one['from']} to {one['to']}" for one in inputs["ranges"])
    for kind, numbers in counts.items():
        details[kind] = ", ".join(f"{number} {name}" for name, number in numbers.items() if number)
    print_details(details)
    for warning in warnings:
        say(f"note: {warning}")
    if workflows:
        heading("workflows")
        print_table(workflows, _WORKFLOW_COLUMNS, output, empty="")
