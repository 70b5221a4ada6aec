"""The arguments of ``airflow taskops alarms``."""

from __future__ import annotations

from airflow.cli.cli_config import Arg

from taskops_provider.domain.alarms.kinds import FailedOn, Kind

_KINDS = ", ".join(kind.value for kind in Kind)

RULE_ID = Arg(("rule_id",), help="The number of the rule", metavar="RULE", type=int)
ALARM_IDS = Arg(("event_ids",), help="The numbers of the alarms", metavar="ALARM", type=int, nargs="+")

_TARGET: tuple[Arg, ...] = (
    Arg(("--task",), help="Watch one task", metavar=("DAG_ID", "TASK_ID"), nargs=2),
    Arg(("--workflow",), help="Watch every task of a workflow", metavar="DAG_ID"),
    Arg(("--project",), help="Watch every task of a project (Dag bundle)", metavar="BUNDLE"),
)
_WHAT: tuple[Arg, ...] = (
    Arg(("--kind",), help=f"What to watch for: {_KINDS}", metavar="KIND"),
    Arg(("--name",), help="A name for the rule", metavar="TEXT"),
    Arg(("--level",), help="1 (lowest, the default), 2 or 3", metavar="N", type=int),
    Arg(
        ("--on",),
        help=f"kind failed: when to fire, {FailedOn.FIRST_FAILURE} or {FailedOn.RETRIES_EXHAUSTED} (default)",
        dest="on_failure",
        metavar="WHEN",
    ),
    Arg(("--minutes",), help="kind running_longer_than: N minutes", metavar="N", type=int),
    Arg(("--percent",), help="kind running_longer_than: N percent over the average", metavar="N", type=int),
    Arg(
        ("--last",),
        help="kind running_longer_than: average over the last N successful instances (default: 10)",
        metavar="N",
        type=int,
    ),
    Arg(("--by",), help="kinds not_finished_by, not_started_by: deadline, time of day", metavar="HH:MM"),
    Arg(
        ("--zone",),
        help="kinds not_finished_by, not_started_by: time zone of the deadline (default: UTC)",
        metavar="ZONE",
    ),
    Arg(
        ("--days",),
        help="kinds not_finished_by, not_started_by: N days after the data day (default: 0)",
        metavar="N",
        type=int,
    ),
)
_WHO: tuple[Arg, ...] = (
    Arg(("--owners",), help="Notify the owners of the task", action="store_true"),
    Arg(("--user",), help="Notify an Airflow user (repeatable)", dest="users", metavar="NAME", action="append"),
    Arg(
        ("--address",), help="Notify an e-mail address (repeatable)", dest="addresses", metavar="EMAIL", action="append"
    ),
    Arg(
        ("--channel",),
        help=(
            "Channel to notify by (repeatable; default: email): email, or a name in the setting alarm_channels;\n"
            'or JSON with arguments that the channel lets you set: {"channel": "chat", "args": {"room": "ops"}}'
        ),
        dest="channels",
        metavar="CHANNEL",
        action="append",
    ),
)
_FOLLOW_UP: tuple[Arg, ...] = (
    Arg(
        ("--quiet-hours",),
        help="Hold messages in this period and send them together at its end; none: no quiet hours",
        metavar="HH:MM-HH:MM",
    ),
    Arg(("--quiet-zone",), help="Time zone of the quiet hours (default: UTC)", metavar="ZONE"),
    Arg(("--quiet-except-level",), help="Send level N and above in quiet hours too", metavar="N", type=int),
    Arg(("--repeat-minutes",), help="Repeat every N minutes until acknowledged; 0: off", metavar="N", type=int),
    Arg(("--repeat-max",), help="Repeat at most N times (default: 3)", metavar="N", type=int),
    Arg(
        ("--escalate-after",),
        help="Also tell others if nobody acknowledged within N minutes; 0: off",
        metavar="N",
        type=int,
    ),
    Arg(
        ("--escalate-to",),
        help="User or address to escalate to (repeatable)",
        metavar="WHO",
        action="append",
    ),
    Arg(("--enable",), help="Enable the rule (default for a new one)", action="store_true"),
    Arg(("--disable",), help="Disable the rule: it does not fire until you enable it", action="store_true"),
)
RULE: tuple[Arg, ...] = (*_TARGET, *_WHAT, *_WHO, *_FOLLOW_UP)

_KIND_FILTER = Arg(
    ("--kind",), help=f"Filter: {_KINDS} (repeatable: any of them)", dest="kinds", metavar="KIND", action="append"
)
_ON_DAG = Arg(("--dag-id",), help="Filter: of the workflow DAG_ID and its tasks", dest="in_dag", metavar="DAG_ID")
_ON_TASK = Arg(("--task-id",), help="Filter: of the task TASK_ID", dest="of_task", metavar="TASK_ID")
_SEARCH = Arg(("--search",), help="Filter: TEXT is part of the id of the Dag or task", metavar="TEXT")
_OFFSET = Arg(("--offset",), help="Skip the first N rows", metavar="N", type=int, default=0)
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
    Arg(("--since",), help="Filter: since TIME: ISO 8601, or relative to now, as in --since=-2h", metavar="TIME"),
    Arg(("--until",), help="Filter: until TIME, in the same formats", metavar="TIME"),
    _SEARCH,
    _LIMIT,
    _OFFSET,
)
