"""``airflow taskops workflows ...``"""

from __future__ import annotations

from argparse import Namespace
from datetime import timedelta

from taskops_provider.cli import diagram
from taskops_provider.cli.commands.changes import change
from taskops_provider.cli.filters import workflow_filter
from taskops_provider.cli.lists import print_page
from taskops_provider.cli.output import STRUCTURED, Columns, heading, print_details, print_object, print_table
from taskops_provider.cli.records import print_last_operations
from taskops_provider.cli.run import changes, opened, reads
from taskops_provider.cli.text import out
from taskops_provider.domain.answers import to_plain_data
from taskops_provider.domain.operations.targets import Scope
from taskops_provider.domain.states import Verb
from taskops_provider.domain.text import plural
from taskops_provider.services.catalog.lineage_graph import workflow_graph
from taskops_provider.services.catalog.workflows import WorkflowRow, get_workflow, list_workflows, walk_workflows
from taskops_provider.services.details import details_of


def _status(row: WorkflowRow) -> str:
    notes = []
    if row.draining_runs is not None:
        notes.append(f"draining, {plural(row.draining_runs, 'run')} left")
    if not row.is_present:
        notes.append("Dag is gone")
    status = "deleted" if row.is_deleted else row.status
    return f"{status} ({'; '.join(notes)})" if notes else status


def _tasks(row: WorkflowRow) -> str:
    counted = {status: count for status, count in row.status_counts.items() if count}
    if len(counted) < 2:
        return str(row.task_count)
    return f"{row.task_count} ({', '.join(f'{count} {status}' for status, count in counted.items())})"


COLUMNS: Columns = {
    "dag_id": lambda row: row.dag_id,
    "status": _status,
    "tasks": _tasks,
    "owners": lambda row: row.owners,
    "folder": lambda row: row.folder,
    "schedule": lambda row: row.schedule,
    "submitted": lambda row: row.last_submitted_at,
}


@reads
def workflows_list(args: Namespace) -> None:
    """List workflows."""
    with opened() as work:
        print_page(args, work, workflow_filter(args), list_workflows, walk_workflows, COLUMNS, "workflow")


#: the last runs that ``show`` tells of
RUNS: Columns = {
    "run": lambda run: run.run_id,
    "type": lambda run: run.run_type,
    "state": lambda run: run.state,
    "logical date": lambda run: run.logical_date,
    "started": lambda run: run.start_date,
    "took": lambda run: None if run.duration is None else str(timedelta(seconds=round(run.duration))),
}


@reads
def workflows_show(args: Namespace) -> None:
    """Show one workflow."""
    with opened() as work:
        row = get_workflow(work.session, work.actor, args.dag_id, work.now)
        details = details_of(work.session, work.actor, row)
    shown = to_plain_data(details)
    if args.output in STRUCTURED:
        print_object(shown, args.output)
        return
    for below in ("runs", "runs_not_shown", "last_operations"):
        del shown[below]
    counts = {status: count for status, count in row.status_counts.items() if count}
    print_details(shown | {"status": _status(row), "status_counts": counts})
    if details.runs_not_shown or not details.runs:
        out(f"\n{details.runs_not_shown or 'It has not run yet.'}")
    else:
        heading("last runs")
        # the newest first, as of everything here
        print_table(reversed(details.runs), RUNS, args.output, empty="")
    print_last_operations(details.last_operations, args.output)


@reads
def workflows_diagram(args: Namespace) -> None:
    """Show the tasks of a workflow and what waits for what."""
    with opened() as work:
        graph = workflow_graph(work.session, work.actor, args.dag_id, work.now)
    if args.output == "json":
        print_object(to_plain_data(graph), "json")
        return
    lines = diagram.dot(args.dag_id, graph) if args.output == "dot" else diagram.text(args.dag_id, graph)
    for line in lines:
        out(line)


@changes
def workflows_start(args: Namespace) -> int:
    """Start workflows."""
    return change(args, Verb.START, Scope.WORKFLOW)


@changes
def workflows_pause(args: Namespace) -> int:
    """Pause workflows."""
    return change(args, Verb.PAUSE, Scope.WORKFLOW)


@changes
def workflows_offline(args: Namespace) -> int:
    """Take workflows offline."""
    return change(args, Verb.OFFLINE, Scope.WORKFLOW)


@changes
def workflows_delete(args: Namespace) -> int:
    """Delete workflows that are offline."""
    return change(args, Verb.DELETE, Scope.WORKFLOW)


@changes
def workflows_submit(args: Namespace) -> int:
    """Submit workflows again."""
    return change(args, Verb.SUBMIT, Scope.WORKFLOW)


@changes
def workflows_set_owners(args: Namespace) -> int:
    """Give workflows other owners."""
    return change(args, Verb.SET_OWNERS, Scope.WORKFLOW)
