"""``airflow taskops tasks ...``"""

from __future__ import annotations

from argparse import Namespace
from collections import defaultdict

from taskops_provider.cli import export
from taskops_provider.cli.commands.changes import change
from taskops_provider.cli.filters import task_filter
from taskops_provider.cli.lists import print_page
from taskops_provider.cli.output import STRUCTURED, Columns, print_details, print_list, print_object, print_table
from taskops_provider.cli.records import print_last_operations
from taskops_provider.cli.run import changes, opened, reads
from taskops_provider.cli.text import say
from taskops_provider.cli.why import print_why
from taskops_provider.domain.answers import to_plain_data
from taskops_provider.domain.lineage import Direction
from taskops_provider.domain.operations.targets import Scope
from taskops_provider.domain.states import Verb
from taskops_provider.domain.text import plural
from taskops_provider.services.catalog.instances import InstanceFilter, InstanceSearch, list_instances
from taskops_provider.services.catalog.lineage import Node
from taskops_provider.services.catalog.lineage_graph import Graph, LineageReach, lineage
from taskops_provider.services.catalog.tasks import list_tasks, walk_tasks
from taskops_provider.services.details import task_details
from taskops_provider.services.why.task import why

COLUMNS: Columns = {
    "dag_id": lambda row: row.dag_id,
    "task_id": lambda row: row.task_id,
    "status": lambda row: row.status,
    "owners": lambda row: row.owners,
    "type": lambda row: row.task_type,
    "period": lambda row: row.period,
    "downstream": lambda row: row.downstream,
    "resume_at": lambda row: row.resume_at,
    "reason": lambda row: " ".join(filter(None, (row.ticket, row.reason, row.window and f"(window {row.window})"))),
}

INSTANCE_COLUMNS: Columns = {
    "run_id": lambda row: row.run_id,
    "map_index": lambda row: row.iteration or ("" if row.map_index < 0 else row.map_index),
    "logical_date": lambda row: row.logical_date,
    "state": lambda row: row.state or "none",
    "gated": lambda row: row.downstream,
    "start": lambda row: row.start_date,
    "end": lambda row: row.end_date,
    "duration": lambda row: "" if row.duration is None else f"{row.duration:,.1f} s",
    "note": lambda row: row.note,
}


@reads
def tasks_list(args: Namespace) -> None:
    """List tasks."""
    with opened() as work:
        print_page(args, work, task_filter(args), list_tasks, walk_tasks, COLUMNS, "task")


@reads
def tasks_show(args: Namespace) -> None:
    """Show one task."""
    with opened() as work:
        details = task_details(work.session, work.actor, args.dag_id, args.task_id, work.now)
        answer = why(work.session, work.actor, args.dag_id, args.task_id, work.now)
    shown = to_plain_data(details)
    records = shown.pop("last_operations")
    if args.output in STRUCTURED:
        print_object({**shown, "why": to_plain_data(answer), "last_operations": records}, args.output)
        return
    print_details(shown)
    print_why(answer)
    print_last_operations(details.last_operations, args.output)


@reads
def tasks_instances(args: Namespace) -> None:
    """List the recent instances of a task."""
    with opened() as work:
        rows = list_instances(
            work.session,
            work.actor,
            InstanceSearch(args.dag_id, args.task_id, InstanceFilter(states=tuple(args.states or ()))),
            work.now,
            limit=args.limit,
        )
    empty = "no instance in that state" if args.states else "no instances: it has not run yet"
    print_list(rows, INSTANCE_COLUMNS, args.output, empty=empty)


@reads
def tasks_lineage(args: Namespace) -> None:
    """Show the tasks around a task."""
    with opened() as work:
        reach = LineageReach(args.depth, _direction(args))
        graph = lineage(work.session, work.actor, args.dag_id, args.task_id, work.now, reach)
    if args.output in STRUCTURED:
        print_object(to_plain_data(graph), args.output)
        return
    _print_lineage(graph, args)


def _direction(args: Namespace) -> Direction:
    """Which side was asked for; both old flags together mean both."""
    if args.upstream != args.below:
        return Direction.UPSTREAM if args.upstream else Direction.DOWNSTREAM
    return Direction.BOTH if args.upstream else Direction(args.direction)


def _print_lineage(graph: Graph, args: Namespace) -> None:
    levels = {(node.dag_id, node.task_id): node.level or 0 for node in graph.nodes}
    kinds: dict[Node, set[str]] = defaultdict(set)
    for edge in graph.edges:
        # how a task hangs together with the next one towards the task that was asked for
        kinds[edge.up if levels[edge.up] < 0 else edge.down].add(edge.kind)
    columns: Columns = {
        "level": lambda node: f"{node.level:+}" if node.level else "0",
        "dag_id": lambda node: node.dag_id,
        "task_id": lambda node: node.task_id,
        "status": lambda node: node.status or "(in no Dag)",
        "type": lambda node: node.task_type,
        "by": lambda node: sorted(kinds[node.dag_id, node.task_id]) if node.level else "",
    }
    print_table(graph.nodes, columns, args.output, empty="")
    above, below = (sum(sign * level > 0 for level in levels.values()) for sign in (-1, 1))
    more = "" if graph.complete else f"; there are more further away, see --depth {args.depth + 1}"
    say(f"{plural(above, 'task')} upstream (levels below 0), {plural(below, 'task')} downstream{more}")


@reads
def tasks_export(args: Namespace) -> None:
    """Write all matching tasks with all columns."""
    with opened() as work:
        rows = walk_tasks(work.session, work.actor, task_filter(args), work.now)
        written = export.write(rows, args.output, args.to, bom=args.bom)
    say(f"{plural(written, 'task')} exported{f' to {args.to}' if args.to else ''}")


@changes
def tasks_start(args: Namespace) -> int:
    """Start paused tasks."""
    return change(args, Verb.START, Scope.TASK)


@changes
def tasks_pause(args: Namespace) -> int:
    """Pause tasks."""
    return change(args, Verb.PAUSE, Scope.TASK)


@changes
def tasks_offline(args: Namespace) -> int:
    """Take tasks offline."""
    return change(args, Verb.OFFLINE, Scope.TASK)


@changes
def tasks_delete(args: Namespace) -> int:
    """Delete offline tasks."""
    return change(args, Verb.DELETE, Scope.TASK)


@changes
def tasks_submit(args: Namespace) -> int:
    """Submit offline or deleted tasks again."""
    return change(args, Verb.SUBMIT, Scope.TASK)


@changes
def tasks_set_owners(args: Namespace) -> int:
    """Give tasks other owners."""
    return change(args, Verb.SET_OWNERS, Scope.TASK)
