"""The arguments of ``airflow taskops``. Imported by every airflow command: nothing heavy here."""

from __future__ import annotations

from airflow.cli.cli_config import ARG_OUTPUT, ARG_VERBOSE, Arg

from taskops_provider.cli.deprecated import hidden
from taskops_provider.domain.lineage import Direction
from taskops_provider.domain.periods import Period
from taskops_provider.domain.replenishment import IfBusy
from taskops_provider.domain.states import Downstream, TaskStatus, WorkflowStatus

OUTPUT: tuple[Arg, ...] = (ARG_OUTPUT, ARG_VERBOSE)


def _words(values: type[Period] | type[TaskStatus] | type[WorkflowStatus]) -> str:
    names = [value.value for value in values]
    return f"{', '.join(names[:-1])} or {names[-1]}"


def _repeatable(flags: tuple[str, ...], dest: str, metavar: str, help_: str) -> Arg:
    return Arg(flags, help=f"{help_} (repeatable: any of them)", dest=dest, metavar=metavar, action="append")


def _filter(flag: str, dest: str, metavar: str, help_: str) -> Arg:
    return _repeatable((flag,), dest, metavar, f"Filter: {help_}")


def _text(flag: str, help_: str) -> Arg:
    return Arg((flag,), help=f"Filter: {help_}", metavar="TEXT")


CHANGE_REASON = Arg(("--reason",), help="Why; kept with the operation and shown wherever the task is", metavar="TEXT")

# what it is about

DAG_ID = Arg(("dag_id",), help="The workflow (the dag_id)", metavar="DAG_ID")
TASK_ID = Arg(("task_id",), help="The task", metavar="TASK_ID")
OPERATION_ID = Arg(("operation_id",), help="The number of the operation", metavar="OPERATION", type=int)

TASK_TARGETS: tuple[Arg, ...] = (
    Arg(("dag_id",), help="The workflow of the tasks", metavar="DAG_ID", nargs="?"),
    Arg(("task_ids",), help="One or more of its tasks", metavar="TASK_ID", nargs="*"),
    Arg(
        ("--file",),
        help='Take the tasks from a file ("-": standard input): "DAG_ID TASK_ID" a line; blank lines and # are skipped',
        metavar="PATH",
    ),
)
WORKFLOW_TARGETS: tuple[Arg, ...] = (
    Arg(("dag_ids",), help="One or more workflows", metavar="DAG_ID", nargs="*"),
    Arg(
        ("--file",),
        help='Take the workflows from a file ("-": standard input): one DAG_ID a line; blank lines and # are skipped',
        metavar="PATH",
    ),
)
ALL_MATCHING = Arg(
    ("--all-matching",),
    help="Take everything that the filters match, instead of naming it (at least one filter is needed)",
    action="store_true",
)

# filters

_OWNER = _repeatable(("--owner", "--owned-by"), "owned_by", "NAME", "Filter: owned by NAME")
_COMMON: tuple[Arg, ...] = (
    _OWNER,
    _filter("--folder", "folders", "FOLDER", "in FOLDER (bundle/dir/sub) or below it"),
    _filter("--project", "projects", "BUNDLE", "in the project (Dag bundle) BUNDLE"),
    _filter("--period", "periods", "PERIOD", f"scheduled by the {_words(Period)}"),
    Arg(("--deleted",), help="Filter: deleted ones as well", action="store_true"),
    Arg(("--absent",), help="Filter: those as well that are no longer in the Dag files", action="store_true"),
)
WORKFLOW_FILTERS: tuple[Arg, ...] = (
    _text("--search", "part of the name or id, in any case; several separated by | mean any of them"),
    _filter("--status", "statuses", "STATUS", f"status {_words(WorkflowStatus)}"),
    *_COMMON,
)
TASK_FILTERS: tuple[Arg, ...] = (
    _text("--search", "part of the task's name or id, in any case"),
    _filter("--workflow-like", "workflows", "TEXT", "part of the workflow's name or id"),
    _filter("--dag-id", "in_dags", "DAG_ID", "in the workflow DAG_ID"),
    _filter("--status", "statuses", "STATUS", f"status {_words(TaskStatus)}"),
    _filter("--type", "task_types", "TYPE", "of the task type TYPE, as BashOperator"),
    _text("--source-table", "part of the URI of a source table (an inlet)"),
    _text("--target-table", "part of the URI of a target table (an outlet)"),
    *_COMMON,
)

# replenishments

REPLENISHMENT_ID = Arg(("replenishment_id",), help="The number of the replenishment", metavar="REPLENISHMENT", type=int)
REPLENISHMENT_FILTERS: tuple[Arg, ...] = (
    _filter("--state", "states", "STATE", "state queued, running, paused, success, ..."),
    _filter("--actor", "actors", "NAME", "created by the person (or program) NAME"),
    _text("--name", "part of the name; where it has none, of the id of one of its workflows"),
    _text("--workflow-like", "part of the name or id of a workflow of it"),
    Arg(("--dag-id",), help="Filter: of the workflow DAG_ID", dest="in_dag", metavar="DAG_ID"),
    Arg(("--since",), help="Filter: created since TIME (ISO 8601), or from now back, as --since=-2h", metavar="TIME"),
    Arg(("--until",), help="Filter: created until TIME, written as that of --since", metavar="TIME"),
)
REPLENISHMENT_ORDER = Arg(
    ("--order-by",),
    help=(
        "Sort by replenishment_id, created_at, state or actor, downwards with a - in front\n"
        "(default: -replenishment_id, newest first)"
    ),
    metavar="COLUMN",
    default="-replenishment_id",
)
CELL_FILTERS: tuple[Arg, ...] = (
    _filter("--state", "states", "STATE", "in the state waiting, active, success, failed, ..."),
    _filter("--dag-id", "in_dags", "DAG_ID", "of the workflow DAG_ID"),
    Arg(("--limit",), help="At most N cells (default: 1000)", metavar="N", type=int, default=1000),
    Arg(("--offset",), help="Leave out the first N cells", metavar="N", type=int, default=0),
)
#: what ``replenish cells`` does now: ``show --cells``, with its filters
SHOW_CELLS: tuple[Arg, ...] = (
    Arg(("--cells",), action="store_true"),
    *(hidden(arg) for arg in CELL_FILTERS),
)
REPLENISHMENT: tuple[Arg, ...] = (
    _repeatable(("--workflow",), "workflows", "DAG_ID", "Replenish every task of a workflow"),
    Arg(
        ("--task",),
        help="Replenish one task (repeatable)",
        dest="tasks",
        metavar=("DAG_ID", "TASK_ID"),
        nargs=2,
        action="append",
    ),
    Arg(
        ("--upstream-depth",),
        help="Add N steps upstream of the tasks, across workflows",
        metavar="N",
        type=int,
        default=0,
    ),
    Arg(
        ("--downstream-depth",),
        help="Add N steps downstream of the tasks, across workflows",
        metavar="N",
        type=int,
        default=0,
    ),
    Arg(
        ("--range",),
        help=(
            "Logical dates FROM to TO, both included, in ISO 8601; a TO without a time means all of that day\n"
            "(repeatable)"
        ),
        dest="ranges",
        metavar=("FROM", "TO"),
        nargs=2,
        action="append",
    ),
    Arg(
        ("--cells",),
        help="Which cells: missing (no run, or gated) and failed, or all (default: missing,failed)",
        metavar="CELLS",
        default="missing,failed",
    ),
    Arg(("--max-active-runs",), help="Runs of a workflow at a time (default: 1)", metavar="N", type=int, default=1),
    Arg(("--newest-first",), help="Begin with the newest cycle", action="store_true"),
    Arg(("--window",), help="Start runs only at this time of the day, UTC: 22:00-06:00", metavar="HH:MM-HH:MM"),
    Arg(("--conf",), help="JSON object that the new runs get as their conf", metavar="JSON"),
    Arg(("--name",), help="A name for it", metavar="TEXT"),
    CHANGE_REASON,
)
GRID = Arg(
    ("--grid",),
    help="Show the cells too: a row for each task, a letter for each cycle (JSON: stretches of cycles that are alike)",
    action="store_true",
)
WAIT: tuple[Arg, ...] = (
    Arg(
        ("--wait",),
        help="Wait until it is over and show how it goes (exit code 3: not every cell succeeded)",
        action="store_true",
    ),
    Arg(
        ("--if-busy",),
        help="Another backfill of one of the workflows goes on: queue behind it (default), or refuse",
        choices=tuple(one.value for one in IfBusy),
        default=IfBusy.QUEUE.value,
    ),
)
END_RUNNING = Arg(
    ("--terminate-instances",), help="End what runs, in place of leaving it to its end", action="store_true"
)

# pages

LIMIT = Arg(("--limit",), help="At most N rows (default: all)", metavar="N", type=int)
OFFSET = Arg(("--offset",), help="Leave out the first N rows", metavar="N", type=int, default=0)
ORDER_BY = Arg(
    ("--order-by",),
    help="Sort by COLUMN, downwards with a - in front: --order-by=-last_submitted_at (default: dag_id)",
    metavar="COLUMN",
    default="dag_id",
)
PAGE: tuple[Arg, ...] = (LIMIT, OFFSET, ORDER_BY)

# changes

CHANGE: tuple[Arg, ...] = (
    Arg(("--dry-run",), help="Show what would be done and change nothing", action="store_true"),
    CHANGE_REASON,
    Arg(("--ticket",), help="Number of the ticket that asks for it", metavar="TEXT"),
    Arg(
        ("--plan-hash",),
        help="Apply only if the state is still the one of the dry run that returned HASH",
        metavar="HASH",
    ),
    Arg(
        ("--notify-owners",),
        help="Tell the owners of what it applies to, by e-mail (setting notice_channels)",
        action="store_true",
    ),
)
YES = Arg(("-y", "--yes"), help="Do not show the plan and ask first (a pipe is never asked)", action="store_true")
DRY_RUN = CHANGE[0]

DOWNSTREAM_EFFECT = Arg(
    ("--downstream-effect",),
    help=(
        "What becomes of the stopped task's instances once everything upstream of them is done:\n"
        "skip (skipped), run (counts as success, what follows runs), fail (failed), hold (waits; pause only).\n"
        "Default of pause and offline: the setting default_downstream. delete must choose run or fail"
    ),
    dest="downstream",
    choices=tuple(effect.value for effect in Downstream),
)
TERMINATE_INSTANCES = Arg(
    ("--terminate-instances",),
    help="End the existing unfinished instances at once, instead of letting them run to their end",
    action="store_true",
)
RESUME_AT = Arg(
    ("--resume-at",),
    help=(
        "Start again by itself then: ISO 8601 (2026-12-24T06:00, with or without a zone; without one it is in\n"
        "Airflow's default timezone), or from now on: +30m, +2h, +1d12h"
    ),
    metavar="TIME",
)
FILL_GAP = Arg(
    ("--fill-gap",),
    help=(
        "Execute the cycles that the tasks missed since they were paused, as a replenishment\n"
        "(pause: when --resume-at starts them again)"
    ),
    action="store_true",
)
CASCADE = Arg(
    ("--cascade",),
    help="In strict mode: take the selected tasks offline in waves, those without downstream tasks first",
    action="store_true",
)
HELD = Arg(
    ("--held",),
    help="What becomes of instances that --downstream-effect hold made wait: run them (default) or skip them",
    choices=("run", "skip"),
    default="run",
)
NEW_OWNERS: tuple[Arg, ...] = (
    Arg(("--owner",), help="A new owner (repeatable)", dest="new_owners", metavar="NAME", action="append"),
    Arg(("--owners",), help="New owners, separated by commas", dest="new_owner_list", metavar="NAME,NAME"),
)


def without_owner_flag(filters: tuple[Arg, ...]) -> tuple[Arg, ...]:
    """The filters for ``set-owners``, where ``--owner`` is the new owner and ``--owned-by`` the present one."""
    owned_by = _filter("--owned-by", "owned_by", "NAME", "owned by NAME now")
    return tuple(owned_by if arg is _OWNER else arg for arg in filters)


# the rest

STATE = _repeatable(
    ("--state",), "states", "STATE", "In the STATE, as success, failed, skipped, running, scheduled, none"
)
INSTANCE_LIMIT = Arg(("--limit",), help="At most N instances, newest run first (default: 25)", type=int, default=25)
DEPTH = Arg(("--depth",), help="Go N tasks far (default: 3)", metavar="N", type=int, default=3)
DIRECTION: tuple[Arg, ...] = (
    Arg(
        ("--direction",),
        help="What the task waits for (upstream), what waits for it (downstream), or both (default)",
        choices=tuple(one.value for one in Direction),
        default=Direction.BOTH.value,
    ),
    # old flags, with places of their own: both together mean both
    Arg(("--upstream",), dest="upstream", action="store_true"),
    Arg(("--downstream",), dest="below", action="store_true"),
)
EXPORT_FORMAT = Arg(("-o", "--output"), help="Format of the export", choices=("csv", "json"), default="csv")
EXPORT_TO = Arg(("--to",), help="Write into FILE instead of to standard output", metavar="FILE")
DIAGRAM_FORMAT = Arg(
    ("-o", "--output"),
    help="text (default), json, or dot for Graphviz",
    choices=("text", "json", "dot"),
    default="text",
)
RECORD_FILTERS: tuple[Arg, ...] = (
    _filter("--verb", "verbs", "VERB", "of the verb, as pause, undo or export"),
    _filter("--actor", "actors", "NAME", "by the person (or program) NAME"),
    _filter("--source", "sources", "SOURCE", "from ui, cli, api, operator or monitor"),
    _filter("--outcome", "outcomes", "OUTCOME", "with the outcome success, part_success or refused"),
    Arg(("--dag-id",), help="Filter: that touched the workflow DAG_ID", dest="in_dag", metavar="DAG_ID"),
    Arg(("--task-id",), help="Filter: that touched the task TASK_ID", dest="of_task", metavar="TASK_ID"),
    _text("--workflow-like", "part of the name or id of a workflow that was touched"),
    _text("--task-like", "part of the name or id of a task that was touched"),
    _text("--ticket", "part of the ticket"),
    Arg(("--since",), help="Filter: since TIME (ISO 8601), or from now back: -2h, written --since=-2h", metavar="TIME"),
    Arg(("--until",), help="Filter: until TIME, written as that of --since", metavar="TIME"),
)
RECORD_ORDER = Arg(
    ("--order-by",),
    help="Sort by operation_id, at, verb or actor, downwards with a - in front (default: -operation_id, newest first)",
    metavar="COLUMN",
    default="-operation_id",
)
RECORD_LIMIT = Arg(("--limit",), help="At most N operations (default: 50)", type=int, default=50)
PROJECT = Arg(("--project",), help="The project (Dag bundle); without it: every project there is", metavar="BUNDLE")
ONCE = Arg(("--once",), help="One round, then end", action="store_true")
