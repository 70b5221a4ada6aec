"""The arguments of ``airflow taskops alarms``."""

from __future__ import annotations

from airflow.cli.cli_config import Arg

from taskops_provider.domain.alarms.kinds import FailedOn, Kind

_KINDS = ", ".join(kind.value for kind in Kind)

RULE_ID = Arg(("rule_id",), help="The number of the rule", metavar="RULE", type=int)
ALARM_IDS = Arg(("event_ids",), help="The numbers of the alarms", metavar="ALARM", type=int, nargs="+")

_TARGET: tuple[Arg, ...] = (
    Arg(("--task",), help="On one task", metavar=("DAG_ID", "TASK_ID"), nargs=2),
    Arg(("--workflow",), help="On every task of a workflow", metavar="DAG_ID"),
    Arg(("--project",), help="On every task of a project (Dag bundle)", metavar="BUNDLE"),
)
_WHAT: tuple[Arg, ...] = (
    Arg(("--kind",), help=f"What it waits for: {_KINDS}", metavar="KIND"),
    Arg(("--name",), help="A name for it", metavar="TEXT"),
    Arg(("--level",), help="1 (lowest, the default), 2 or 3", metavar="N", type=int),
    Arg(
        ("--on",),
        help=f"failed: at {FailedOn.FIRST_FAILURE.value}, or when no retry is left "
        f"({FailedOn.RETRIES_EXHAUSTED.value}, default)",
        dest="on_failure",
        metavar="WHEN",
    ),
    Arg(("--minutes",), help="running_longer_than: so many minutes", metavar="N", type=int),
    Arg(("--percent",), help="running_longer_than: so many percent over the average", metavar="N", type=int),
    Arg(("--last",), help="running_longer_than: the average of the last N (default: 10)", metavar="N", type=int),
    Arg(("--by",), help="not_finished_by, not_started_by: the time of the day", metavar="HH:MM"),
    Arg(("--zone",), help="not_finished_by, not_started_by: its time zone (default: UTC)", metavar="ZONE"),
    Arg(
        ("--days",),
        help="not_finished_by, not_started_by: so many days after the data day (default: 0)",
        metavar="N",
        type=int,
    ),
)
_WHO: tuple[Arg, ...] = (
    Arg(("--owners",), help="Tell the owners of the task", action="store_true"),
    Arg(("--user",), help="Tell a user of Airflow (repeatable)", dest="users", metavar="NAME", action="append"),
    Arg(("--address",), help="Tell an e-mail address (repeatable)", dest="addresses", metavar="EMAIL", action="append"),
    Arg(
        ("--channel",),
        help=(
            "How (repeatable; default: email): a channel that an administrator released in [taskops] alarm_channels;\n"
            'or a JSON object with what it lets people set: {"channel": "chat", "args": {"room": "ops"}}'
        ),
        dest="channels",
        metavar="CHANNEL",
        action="append",
    ),
)
_FOLLOW_UP: tuple[Arg, ...] = (
    Arg(
        ("--quiet-hours",),
        help="Send nothing then; what fires is sent at their end, as one. none: no quiet hours",
        metavar="HH:MM-HH:MM",
    ),
    Arg(("--quiet-zone",), help="Time zone of the quiet hours (default: UTC)", metavar="ZONE"),
    Arg(("--quiet-except-level",), help="Send level N and above in quiet hours too", metavar="N", type=int),
    Arg(
        ("--repeat-minutes",), help="Say it again every N minutes until acknowledged; 0: do not", metavar="N", type=int
    ),
    Arg(("--repeat-max",), help="Say it again N times at most (default: 3)", metavar="N", type=int),
    Arg(("--escalate-after",), help="Tell others too after N minutes without; 0: do not", metavar="N", type=int),
    Arg(
        ("--escalate-to",),
        help="Whom: a user or an e-mail address (repeatable)",
        metavar="WHO",
        action="append",
    ),
    Arg(("--enable",), help="Watch from now on (a new rule does)", action="store_true"),
    Arg(("--disable",), help="Do not watch, until it is enabled", action="store_true"),
)
RULE: tuple[Arg, ...] = (*_TARGET, *_WHAT, *_WHO, *_FOLLOW_UP)

_KIND_FILTER = Arg(
    ("--kind",), help=f"Filter: {_KINDS} (repeatable: any of them)", dest="kinds", metavar="KIND", action="append"
)
_ON_DAG = Arg(("--dag-id",), help="Filter: of the workflow DAG_ID and its tasks", dest="in_dag", metavar="DAG_ID")
_ON_TASK = Arg(("--task-id",), help="Filter: of the task TASK_ID", dest="of_task", metavar="TASK_ID")
_SEARCH = Arg(("--search",), help="Filter: with TEXT in the ids of its Dag and task", metavar="TEXT")
_OFFSET = Arg(("--offset",), help="Leave out the first N rows", metavar="N", type=int, default=0)
_LIMIT = Arg(("--limit",), help="At most N rows (default: 50)", metavar="N", type=int, default=50)
RULE_FILTERS: tuple[Arg, ...] = (
    _ON_DAG,
    _ON_TASK,
    Arg(("--project",), help="Filter: on the project BUNDLE", metavar="BUNDLE"),
    _KIND_FILTER,
    _SEARCH,
    _LIMIT,
    _OFFSET,
)
ALARM_FILTERS: tuple[Arg, ...] = (
    Arg(("--rule",), help="Filter: of the rule RULE", metavar="RULE", type=int),
    _ON_DAG,
    _ON_TASK,
    _KIND_FILTER,
    Arg(
        ("--level",),
        help="Filter: of the level N (repeatable: any of them)",
        dest="levels",
        metavar="N",
        type=int,
        action="append",
    ),
    Arg(("--unacknowledged",), help="Filter: only those that nobody has acknowledged", action="store_true"),
    Arg(("--since",), help="Filter: since TIME (ISO 8601), or from now back: -2h, written --since=-2h", metavar="TIME"),
    Arg(("--until",), help="Filter: until TIME, written as that of --since", metavar="TIME"),
    _SEARCH,
    _LIMIT,
    _OFFSET,
)
