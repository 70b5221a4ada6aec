"""``airflow taskops operations ...``"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator
from datetime import datetime

from taskops_provider.cli import confirm
from taskops_provider.cli.commands.changes import exit_code
from taskops_provider.cli.output import STRUCTURED, heading, print_details, print_list, print_object
from taskops_provider.cli.plans import print_items, print_plan
from taskops_provider.cli.records import COLUMNS
from taskops_provider.cli.run import UsageError, Work, changes, opened, reads
from taskops_provider.cli.times import parse_time
from taskops_provider.domain.answers import to_plain_data
from taskops_provider.domain.operations.answers import OperationRecord
from taskops_provider.domain.operations.plan import Plan
from taskops_provider.exceptions import BadInput
from taskops_provider.services.operations.records import RecordFilter, get_operation, list_operations
from taskops_provider.services.operations.undo import preview_undo, undo
from taskops_provider.services.shared.paging import MAX_LIMIT


@reads
def operations_list(args: Namespace) -> None:
    """List operations, newest first."""
    if args.limit < 1 or args.offset < 0:
        raise BadInput(f"limit is {args.limit} and offset {args.offset}; allowed are 1 and more, 0 and more")
    with opened() as work:
        where = _filter(args, work.now)
        records = _walk(work, where, args)
        print_list(records, COLUMNS, args.output, empty="no operations")


def _filter(args: Namespace, now: datetime) -> RecordFilter:
    since, until = (
        None if given is None else parse_time(option, given, now, sign="-")
        for option, given in (("--since", args.since), ("--until", args.until))
    )
    return RecordFilter(
        verbs=tuple(args.verbs or ()),
        actors=tuple(args.actors or ()),
        sources=tuple(args.sources or ()),
        outcomes=tuple(args.outcomes or ()),
        dag_id=args.in_dag or "",
        task_id=args.of_task or "",
        workflow=args.workflow_like or "",
        task=args.task_like or "",
        ticket=args.ticket or "",
        since=since,
        until=until,
    )


def _walk(work: Work, where: RecordFilter, args: Namespace) -> Iterator[OperationRecord]:
    """Yield operations page by page."""
    left, offset = args.limit, args.offset
    while left > 0:
        size = min(left, MAX_LIMIT)
        page = list_operations(work.session, work.actor, where, limit=size, offset=offset, order_by=args.order_by)
        yield from page.rows
        if len(page.rows) < size:
            return
        left -= size
        offset += size


@reads
def operations_show(args: Namespace) -> None:
    """Show one operation."""
    with opened() as work:
        record = get_operation(work.session, work.actor, args.operation_id)
    shown = to_plain_data(record)
    if args.output in STRUCTURED:
        print_object(shown, args.output)
        return
    del shown["items"]
    print_details(shown)
    if record.items:
        heading("targets")
        print_items(record.items, args.output, shorten=False)


@changes
def operations_undo(args: Namespace) -> int:
    """Undo one operation."""
    if args.dry_run and args.plan_hash is not None:
        raise UsageError("--plan-hash is for applying a plan, --dry-run makes one; take one of them")
    plan, was_shown = (_preview(args), False) if args.dry_run else _undo(args)
    print_plan(plan, args.output, was_shown=was_shown)
    return exit_code(plan)


def _preview(args: Namespace) -> Plan:
    with opened() as work:
        return preview_undo(work.session, work.actor, args.operation_id)


def _undo(args: Namespace) -> tuple[Plan, bool]:
    expected, was_shown = args.plan_hash, False
    if confirm.is_asked(args):
        plan = _preview(args)
        was_shown = confirm.ask(plan)
        expected = expected or plan.plan_hash
    with opened() as work:
        return undo(work.session, work.actor, args.operation_id, expected_hash=expected), was_shown
