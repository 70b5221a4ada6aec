"""``airflow taskops replenish ...``"""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Callable, Mapping
from datetime import timedelta

from taskops_provider.cli import confirm, replenish_grid, replenishing, watch
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
from taskops_provider.domain.answers import to_plain_data
from taskops_provider.domain.progress import ReplenishmentState
from taskops_provider.inputs.replenishment import ReplenishmentCreateInput, ReplenishmentInput
from taskops_provider.services.replenishments.cells import list_cells
from taskops_provider.services.replenishments.control import ControlVerb, control_replenishment
from taskops_provider.services.replenishments.create import create_replenishment, show_replenishment
from taskops_provider.services.replenishments.listing import ReplenishmentFilter, list_replenishments
from taskops_provider.services.replenishments.plan import plan_replenishment
from taskops_provider.services.replenishments.plan_summary import PlanSummary, summarize
from taskops_provider.services.replenishments.progress import CreatedReplenishment, ReplenishmentDetails

COLUMNS: Columns = {
    "replenishment": lambda one: one.replenishment_id,
    "name": lambda one: one.name,
    "state": lambda one: one.state,
    "complete": lambda one: f"{one.percent_complete} %",
    "success": lambda one: f"{one.percent_success} %",
    "eta": lambda one: one.eta,
    "by": lambda one: one.actor,
    "created_at": lambda one: one.created_at,
}
#: of (dag id, task)
_TASK_COLUMNS: Columns = {
    "dag_id": lambda row: row[0],
    "task_id": lambda row: row[1].task_id,
    "execute": lambda row: row[1].execute,
    "cells": lambda row: _counts(row[1].by_class),
    "pulled_in": lambda row: row[1].pulled_in,
}
_WORKFLOW_COLUMNS: Columns = {
    "dag_id": lambda one: one.dag_id,
    "complete": lambda one: f"{one.percent_complete} %",
    "success": lambda one: f"{one.percent_success} %",
    "cells": lambda one: _counts(one.by_state),
}
_CELL_COLUMNS: Columns = {
    "dag_id": lambda one: one.dag_id,
    "task_id": lambda one: one.task_id,
    "logical_date": lambda one: one.logical_date,
    "was": lambda one: one.was,
    "state": lambda one: one.state,
    "run_id": lambda one: one.run_id,
}


@reads
def replenish_plan(args: Namespace) -> None:
    """Show what would be done."""
    with opened() as work:
        request = replenishing.read_flags(ReplenishmentInput, args, work.now).request()
        plan = summarize(plan_replenishment(work.session, work.actor, request, work.now), with_cells=args.grid)
    if args.output in STRUCTURED:
        print_object(to_plain_data(plan), args.output)
        return
    _print_plan(plan)
    out()
    rows = [(workflow.dag_id, task) for workflow in plan.workflows for task in workflow.tasks]
    print_table(rows, _TASK_COLUMNS, args.output, empty="no tasks")
    if args.grid:
        for line in replenish_grid.lines(plan):
            out(line)


@changes
def replenish_create(args: Namespace) -> int:
    """Plan, ask, queue, and with ``--wait`` watch."""
    if confirm.is_asked(args):
        with opened() as work:
            request = replenishing.read_flags(ReplenishmentCreateInput, args, work.now).request()
            plan = summarize(plan_replenishment(work.session, work.actor, request, work.now))
        _print_plan(plan, to=say)
        confirm.ask_whether(f"Execute {plan.counts.execute} cells?")
    with opened() as work:
        request = replenishing.read_flags(ReplenishmentCreateInput, args, work.now).request()
        created = create_replenishment(work.session, work.actor, request, work.now)
    if not args.wait:
        _print(created, args.output)
        return 0
    details = watch.until_over(created.replenishment_id)
    _print(details, args.output)
    return 0 if details.state == ReplenishmentState.SUCCESS else EXIT_REFUSED


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
            workflow=args.workflow_like or "",
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
    print_list(page.rows, COLUMNS, args.output, empty="no replenishments")


@reads
def replenish_show(args: Namespace) -> None:
    """Show one replenishment."""
    if args.cells:
        _print_cells(args)
        return
    if args.states or args.in_dags:
        raise UsageError("--state and --dag-id go with replenish cells")
    with opened() as work:
        details = show_replenishment(work.session, work.actor, args.replenishment_id, work.now)
    _print(details, args.output)


@reads
def replenish_cells(args: Namespace) -> None:
    """List the cells of one replenishment."""
    _print_cells(args)


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
    print_list(page.rows, _CELL_COLUMNS, args.output, empty="no cells")
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
        details = control_replenishment(
            work.session,
            work.actor,
            args.replenishment_id,
            verb,
            work.now,
            end_running=end_running,
            reason=args.reason,
        )
    _print(details, args.output)


def _print_plan(plan: PlanSummary, to: Callable[[str], None] = out) -> None:
    seconds = plan.estimated_seconds
    estimate = f"about {timedelta(seconds=seconds)}" if seconds else "unknown: these tasks have no history"
    to(
        f"{plan.counts.execute} of {plan.cells} cells execute: "
        f"{plan.counts.new_runs} new runs, {plan.counts.existing_runs} existing runs; run time {estimate}"
    )
    for warning in plan.warnings:
        to(f"  note: {warning}")


def _print(details: ReplenishmentDetails, output: str) -> None:
    if output in STRUCTURED:
        print_object(to_plain_data(details), output)
        return
    sys.stdout.flush()
    print_details(
        {
            "replenishment_id": details.replenishment_id,
            "operation_id": details.operation_id,
            "name": details.name,
            "state": details.state,
            "percent_complete": details.percent_complete,
            "percent_success": details.percent_success,
            "eta": details.eta,
            "actor": details.actor,
            "created_at": details.created_at,
            "started_at": details.started_at,
            "ended_at": details.ended_at,
            "problem": details.problem,
            "ranges": "; ".join(f"{one.from_} to {one.to}" for one in details.inputs.ranges),
            "timezone": details.inputs.timezone,
            "exclude": ", ".join(f"{one.dag_id} {one.task_id}" for one in details.inputs.exclude),
            "wait_for": details.inputs.wait_for,
            "override_conf": details.inputs.override_conf or None,
            "run_on_latest_version": details.inputs.run_on_latest_version,
            "by_class": _counts(details.counts.by_class),
            "by_state": _counts(details.counts.by_state),
        }
    )
    if isinstance(details, CreatedReplenishment):
        for warning in details.warnings:
            say(f"note: {warning}")
    if details.workflows:
        heading("workflows")
        print_table(details.workflows, _WORKFLOW_COLUMNS, output, empty="")


def _counts(numbers: Mapping[str, int]) -> str:
    return ", ".join(f"{number} {name}" for name, number in numbers.items() if number)
