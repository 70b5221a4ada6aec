"""The arguments of ``airflow taskops``. Imported by every airflow command: nothing heavy here."""

from __future__ import annotations

from argparse import BooleanOptionalAction
from enum import StrEnum

from airflow.cli.cli_config import ARG_OUTPUT, ARG_VERBOSE, Arg

from taskops_provider.cli.deprecated import hidden
from taskops_provider.domain.instances import Reach
from taskops_provider.domain.leaving import StoppedTasks, WaitingInstances
from taskops_provider.domain.lineage import Direction
from taskops_provider.domain.periods import Period
from taskops_provider.domain.progress import CellState, ReplenishmentState
from taskops_provider.domain.replenishment import IfBusy, WaitFor
from taskops_provider.domain.states import Downstream, TaskStatus, WorkflowStatus

OUTPUT: tuple[Arg, ...] = (ARG_OUTPUT, ARG_VERBOSE)

#: what --since and --until take
_TIME = "ISO 8601, or relative to now, as in --since=-2h"


def _words(values: type[StrEnum]) -> str:
    names = [value.value for value in values]
    return f"{', '.join(names[:-1])} or {names[-1]}"


def _repeatable(flags: tuple[str, ...], dest: str, metavar: str, help_: str) -> Arg:
    return Arg(flags, help=f"{help_} (repeatable: any of them)", dest=dest, metavar=metavar, action="append")


def _filter(flag: str, dest: str, metavar: str, help_: str) -> Arg:
    return _repeatable((flag,), dest, metavar, f"Filter: {help_}")


def _text(flag: str, help_: str) -> Arg:
    return Arg((flag,), help=f"Filter: {help_}", metavar="TEXT")


CHANGE_REASON = Arg(
    ("--reason",),
    help="Why; recorded with the operation and shown with the tasks whose state it changes",
    metavar="TEXT",
)
CONTROL_REASON = Arg(("--reason",), help="Why; kept in Airflow's audit log", metavar="TEXT")

# what it is about

DAG_ID = Arg(("dag_id",), help="The workflow (Dag)", metavar="DAG_ID")
TASK_ID = Arg(("task_id",), help="The task", metavar="TASK_ID")
OPERATION_ID = Arg(("operation_id",), help="The number of the operation", metavar="OPERATION", type=int)

TASK_TARGETS: tuple[Arg, ...] = (
    Arg(("dag_id",), help="The workflow of the tasks", metavar="DAG_ID", nargs="?"),
    Arg(("task_ids",), help="One or more of its tasks", metavar="TASK_ID", nargs="*"),
    Arg(
        ("--file",),
        help='Read the tasks from a file ("-": standard input), one "DAG_ID TASK_ID" per line; blank lines and\n'
        "# comments are skipped",
        metavar="PATH",
    ),
)
WORKFLOW_TARGETS: tuple[Arg, ...] = (
    Arg(("dag_ids",), help="One or more workflows", metavar="DAG_ID", nargs="*"),
    Arg(
        ("--file",),
        help='Read the workflows from a file ("-": standard input), one DAG_ID per line; blank lines and\n'
        "# comments are skipped",
        metavar="PATH",
    ),
)
ALL_MATCHING = Arg(
    ("--all-matching",),
    help="Apply to everything that the filters match (give at least one filter)",
    action="store_true",
)

# filters

_OWNER = _repeatable(("--owner", "--owned-by"), "owned_by", "NAME", "Filter: owned by NAME")
_COMMON: tuple[Arg, ...] = (
    _OWNER,
    _filter("--folder", "folders", "FOLDER", "in FOLDER (bundle/dir/sub) or below it"),
    _filter("--project", "projects", "BUNDLE", "in the project (Dag bundle) BUNDLE"),
    _filter("--period", "periods", "PERIOD", f"period {_words(Period)}"),
    Arg(("--deleted",), help="Include deleted ones", action="store_true"),
    Arg(("--absent",), help="Include those no longer in the Dag files", action="store_true"),
)
WORKFLOW_FILTERS: tuple[Arg, ...] = (
    _text("--search", "part of the name or id, ignoring case; separate alternatives with |"),
    _filter("--status", "statuses", "STATUS", f"status {_words(WorkflowStatus)}"),
    *_COMMON,
)
TASK_FILTERS: tuple[Arg, ...] = (
    _text("--search", "part of the task's name or id, ignoring case"),
    _filter("--workflow-like", "workflows", "TEXT", "part of the workflow's name or id"),
    _filter("--dag-id", "in_dags", "DAG_ID", "in the workflow DAG_ID"),
    _filter("--status", "statuses", "STATUS", f"status {_words(TaskStatus)}"),
    _filter("--type", "task_types", "TYPE", "of the task type TYPE, for example BashOperator"),
    _text("--source-table", "part of the URI of a source table (an inlet)"),
    _text("--target-table", "part of the URI of a target table (an outlet)"),
    *_COMMON,
)

# replenishments

REPLENISHMENT_ID = Arg(("replenishment_id",), help="The number of the replenishment", metavar="REPLENISHMENT", type=int)
REPLENISHMENT_FILTERS: tuple[Arg, ...] = (
    _filter("--state", "states", "STATE", f"in the state {_words(ReplenishmentState)}"),
    _filter("--actor", "actors", "NAME", "created by the user NAME"),
    _text("--name", "part of the name (without a name: part of the id of one of its workflows)"),
    _text("--workflow-like", "part of the name or id of one of its workflows"),
    Arg(("--dag-id",), help="Filter: with the workflow DAG_ID", dest="in_dag", metavar="DAG_ID"),
    Arg(("--since",), help=f"Filter: created since TIME: {_TIME}", metavar="TIME"),
    Arg(("--until",), help="Filter: created until TIME, in the same formats", metavar="TIME"),
)
REPLENISHMENT_ORDER = Arg(
    ("--order-by",),
    help=(
        "Sort by replenishment_id, created_at, state or actor; for descending order write --order-by=-COLUMN\n"
        "(default: -replenishment_id, newest first)"
    ),
    metavar="COLUMN",
    default="-replenishment_id",
)
CELL_FILTERS: tuple[Arg, ...] = (
    _filter("--state", "states", "STATE", f"in the state {_words(CellState)}"),
    _filter("--dag-id", "in_dags", "DAG_ID", "of the workflow DAG_ID"),
    Arg(("--limit",), help="At most N cells (default: 1000)", metavar="N", type=int, default=1000),
    Arg(("--offset",), help="Skip the first N cells", metavar="N", type=int, default=0),
)
#: what ``replenish cells`` does now: ``show --cells``, with its filters
SHOW_CELLS: tuple[Arg, ...] = (
    Arg(("--cells",), action="store_true"),
    *(hidden(arg) for arg in CELL_FILTERS),
)
REPLENISHMENT: tuple[Arg, ...] = (
    Arg(
        ("--workflow",),
        help="Replenish all tasks of a workflow, except offline and deleted ones (repeatable)",
        dest="workflows",
        metavar="DAG_ID",
        action="append",
    ),
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
        help="Also replenish the tasks up to N steps upstream, across workflows",
        metavar="N",
        type=int,
        default=0,
    ),
    Arg(
        ("--downstream-depth",),
        help="Also replenish the tasks up to N steps downstream, across workflows",
        metavar="N",
        type=int,
        default=0,
    ),
    Arg(
        ("--range",),
        help=(
            "Logical dates from FROM to TO, both included, in ISO 8601; a TO without a time includes that whole day.\n"
            "Without a zone they are in that of --timezone (repeatable)"
        ),
        dest="ranges",
        metavar=("FROM", "TO"),
        nargs=2,
        action="append",
    ),
    Arg(
        ("--timezone",),
        help="Time zone of ranges that name none, as Asia/Shanghai (default: the zone of each workflow's schedule)",
        metavar="ZONE",
    ),
    Arg(
        ("--exclude",),
        help="Do not execute this task; it counts as success (repeatable)",
        metavar=("DAG_ID", "TASK_ID"),
        nargs=2,
        action="append",
    ),
    Arg(
        ("--cells",),
        help="Which cells: missing (no run, or gated), failed, all; comma-separated (default: missing,failed)",
        metavar="CELLS",
        default="missing,failed",
    ),
    Arg(("--max-active-runs",), help="Runs of each workflow at a time (default: 1)", metavar="N", type=int, default=1),
    Arg(("--newest-first",), help="Start with the newest cycle", action="store_true"),
    Arg(
        ("--window",),
        help="Start runs only in this part of the day, in UTC, for example 22:00-06:00",
        metavar="HH:MM-HH:MM",
    ),
    Arg(
        ("--wait-for",),
        help=(
            "Which cells upstream, across workflows, a cell waits for: none; inside, those that this replenishment\n"
            "executes (default); all, also those that it does not execute must have succeeded"
        ),
        choices=tuple(one.value for one in WaitFor),
    ),
    Arg(("--conf",), help="Conf of the new runs, a JSON object", metavar="JSON"),
    Arg(("--override-conf",), help="Give existing runs in which cells execute this conf too", action="store_true"),
    Arg(
        ("--run-on-latest-version",),
        help=(
            "In existing runs execute by the newest version of the Dag, or with --no-run-on-latest-version by the\n"
            "run's (default: as the Dag's rerun_with_latest_version, else Airflow's configuration, says)"
        ),
        action=BooleanOptionalAction,
    ),
)
NAME_AND_REASON: tuple[Arg, ...] = (
    Arg(("--name",), help="A name for the replenishment", metavar="TEXT"),
    Arg(("--reason",), help="Why; recorded with the replenishment", metavar="TEXT"),
)
#: so that the flags of a plan can be those of the replenishment to come
UNRECORDED: tuple[Arg, ...] = tuple(
    Arg(flags, help="Ignored: a plan is not recorded (replenish create records it)", metavar="TEXT")
    for flags in (("--name",), ("--reason",))
)
GRID = Arg(
    ("--grid",),
    help="Also show the cells: a row per task, a letter per cycle (JSON: one entry for a row of equal cycles)",
    action="store_true",
)
WAIT: tuple[Arg, ...] = (
    Arg(
        ("--wait",),
        help="Wait until it is over and show its progress",
        action="store_true",
    ),
    Arg(
        ("--if-busy",),
        help="If another backfill of a workflow is in progress: queue (default) or refuse",
        choices=tuple(one.value for one in IfBusy),
        default=IfBusy.QUEUE.value,
    ),
)
END_RUNNING = Arg(
    ("--terminate-instances",), help="Also end the running instances; otherwise they finish", action="store_true"
)

# pages

LIMIT = Arg(("--limit",), help="At most N rows (default: all)", metavar="N", type=int)
OFFSET = Arg(("--offset",), help="Skip the first N rows", metavar="N", type=int, default=0)


def _page(columns: str) -> tuple[Arg, ...]:
    order_by = Arg(
        ("--order-by",),
        help=f"Sort by COLUMN; for descending order write --order-by=-COLUMN (default: dag_id). One of\n{columns}",
        metavar="COLUMN",
        default="dag_id",
    )
    return (LIMIT, OFFSET, order_by)


WORKFLOW_PAGE = _page("dag_id, status, task_count, folder, period, first_submitted_at, last_submitted_at")
TASK_PAGE = _page(
    "dag_id, task_id, status, folder, task_type, period, pool, first_submitted_at, last_submitted_at,\n"
    "first_run_at, effective_from, effective_to"
)

# changes

OVERRIDE_FREEZE = Arg(
    ("--override-freeze",), help="Do it although a window freezes it; needs a --reason", action="store_true"
)
PLAN_HASH = Arg(
    ("--plan-hash",),
    help="Apply only if the plan is still that of the dry run that printed HASH",
    metavar="HASH",
)
CHANGE: tuple[Arg, ...] = (
    Arg(("--dry-run",), help="Show what would happen, and change nothing", action="store_true"),
    CHANGE_REASON,
    Arg(("--ticket",), help="Ticket number; recorded and shown like the reason", metavar="TEXT"),
    PLAN_HASH,
    Arg(
        ("--notify-owners",),
        help="E-mail the owners of the changed targets (or use the channels of the setting notice_channels)",
        action="store_true",
    ),
    OVERRIDE_FREEZE,
)
YES = Arg(
    ("-y", "--yes"),
    help="Apply without showing the plan and asking (you are never asked if the input is not a terminal)",
    action="store_true",
)
DRY_RUN = CHANGE[0]

DOWNSTREAM_EFFECT = Arg(
    ("--downstream-effect",),
    help=(
        "What happens to new instances of the stopped tasks once everything upstream is done:\n"
        "skip (skipped), run (counts as success), fail (failed), hold (waits until the task is started; pause only).\n"
        "Tasks downstream then follow their own trigger rules. pause and offline: the default is the setting\n"
        "default_downstream. delete: run or fail, and you must choose"
    ),
    dest="downstream",
    choices=tuple(effect.value for effect in Downstream),
)
TERMINATE_INSTANCES = Arg(
    ("--terminate-instances",),
    help="End unfinished instances of existing runs at once, instead of letting them finish",
    action="store_true",
)
RESUME_AT = Arg(
    ("--resume-at",),
    help=(
        "Start again automatically at TIME: ISO 8601, for example 2026-12-24T06:00 (without a zone: in Airflow's\n"
        "default timezone), or from now: +30m, +2h, +1d12h"
    ),
    metavar="TIME",
)
FILL_GAP = Arg(
    ("--fill-gap",),
    help="Also execute the cycles missed since the pause, as a replenishment",
    action="store_true",
)
FILL_GAP_LATER = Arg(
    ("--fill-gap",),
    help="With --resume-at: then also execute the missed cycles, as a replenishment",
    action="store_true",
)
CASCADE = Arg(
    ("--cascade",),
    help="In strict mode: take the selected tasks offline from the most downstream up, so that none blocks another",
    action="store_true",
)
HELD = Arg(
    ("--held",),
    help="What to do with held instances (--downstream-effect hold): run (default) or skip",
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


# instances and runs

RUN_IDS = Arg(("run_ids",), help="One or more runs", metavar="RUN_ID", nargs="+")
MAP_INDEX = Arg(
    ("--map-index",),
    help="Of a mapped task: the instance N (repeatable); -1 (default) where it is not mapped, or not expanded yet",
    dest="map_indexes",
    metavar="N",
    type=int,
    action="append",
)
REGION_ID = Arg(
    ("--region-id",),
    help="Of a task in a loop, if iterations have instances with the same map index: which (`tasks instances -o json`)",
    metavar="REGION_ID",
)
WITH_DOWNSTREAM = Arg(
    ("--with-downstream",),
    help=(
        "What is rerun with them: none (default); workflow: what is downstream in their runs; everywhere: also what\n"
        "follows in other workflows, by sensors in the run of the same data time, by triggers and assets in new runs"
    ),
    choices=tuple(reach.value for reach in Reach),
    default=Reach.NONE.value,
)
#: a change without telling owners
CHANGE_OF_INSTANCES: tuple[Arg, ...] = (*CHANGE[:4], OVERRIDE_FREEZE)
HELD_IN = Arg(("--dag-id",), help="Filter: of the workflow DAG_ID", dest="in_dag", metavar="DAG_ID")

# the rest

STATE = _repeatable(
    ("--state",),
    "states",
    "STATE",
    "Filter: in the state STATE: success, failed, skipped, running, scheduled, none, ...",
)
INSTANCE_LIMIT = Arg(
    ("--limit",), help="At most N instances, newest run first (default: 25)", metavar="N", type=int, default=25
)
DEPTH = Arg(("--depth",), help="Follow N levels (default: 3)", metavar="N", type=int, default=3)
DIRECTION: tuple[Arg, ...] = (
    Arg(
        ("--direction",),
        help="upstream (what the task waits for), downstream (what waits for it) or both (default)",
        choices=tuple(one.value for one in Direction),
        default=Direction.BOTH.value,
    ),
    # old flags, with places of their own: both together mean both
    Arg(("--upstream",), dest="upstream", action="store_true"),
    Arg(("--downstream",), dest="below", action="store_true"),
)
EXPORT_FORMAT = Arg(("-o", "--output"), help="Format: csv (default) or json", choices=("csv", "json"), default="csv")
EXPORT_BOM = Arg(
    ("--bom",),
    help="Begin CSV with a byte order mark, by which spreadsheets know that it is UTF-8",
    action="store_true",
)
EXPORT_TO = Arg(("--to",), help="Write to FILE instead of standard output", metavar="FILE")
DIAGRAM_FORMAT = Arg(
    ("-o", "--output"),
    help="text (default), json, or dot for Graphviz",
    choices=("text", "json", "dot"),
    default="text",
)
RECORD_FILTERS: tuple[Arg, ...] = (
    _filter("--verb", "verbs", "VERB", "with the verb VERB, for example pause, undo or export"),
    _filter("--actor", "actors", "NAME", "by the user NAME"),
    _filter("--source", "sources", "SOURCE", "made from ui, cli, api, operator or monitor"),
    _filter("--outcome", "outcomes", "OUTCOME", "with the outcome success, part_success or refused"),
    Arg(("--dag-id",), help="Filter: that touched the workflow DAG_ID", dest="in_dag", metavar="DAG_ID"),
    Arg(("--task-id",), help="Filter: that touched the task TASK_ID", dest="of_task", metavar="TASK_ID"),
    _text("--workflow-like", "part of the name or id of a workflow that it touched"),
    _text("--task-like", "part of the name or id of a task that it touched"),
    _text("--ticket", "part of the ticket"),
    Arg(("--since",), help=f"Filter: since TIME: {_TIME}", metavar="TIME"),
    Arg(("--until",), help="Filter: until TIME, in the same formats", metavar="TIME"),
)
RECORD_ORDER = Arg(
    ("--order-by",),
    help=(
        "Sort by operation_id, at, verb or actor; for descending order write --order-by=-COLUMN\n"
        "(default: -operation_id, newest first)"
    ),
    metavar="COLUMN",
    default="-operation_id",
)
RECORD_LIMIT = Arg(("--limit",), help="At most N rows (default: 50)", metavar="N", type=int, default=50)
PROJECT = Arg(("--project",), help="The project (Dag bundle); default: every project", metavar="BUNDLE")
ONCE = Arg(("--once",), help="Run one round, then end", action="store_true")

UNINSTALL: tuple[Arg, ...] = (
    Arg(
        ("--stopped",),
        help="Dags with paused, offline or deleted tasks: pause-dags (default) pauses them in Airflow;\n"
        "execute leaves them, and unpauses those that TaskOps paused: their tasks execute in new runs",
        choices=tuple(one.value for one in StoppedTasks),
        default=StoppedTasks.PAUSE_DAGS.value,
    ),
    Arg(
        ("--waiting",),
        help="Instances that wait in the gate: settle (default) ends them by their effect, held ones as skipped;\n"
        "execute gives them to the scheduler, so that they execute when their turn comes",
        choices=tuple(one.value for one in WaitingInstances),
        default=WaitingInstances.SETTLE.value,
    ),
    Arg(
        ("--drop-tables",),
        help="Drop TaskOps' tables too. Refused while a scheduler with the gate or a monitor is alive",
        action="store_true",
    ),
    Arg(
        ("--stay",),
        help="After an uninstallation without --drop-tables: let the monitors work again. States are not restored",
        action="store_true",
    ),
)
