"""The arguments of ``airflow taskops windows``."""

from __future__ import annotations

from airflow.cli.cli_config import Arg

from taskops_provider.domain.windows.kinds import WindowKind, WindowPurpose

_KINDS = ", ".join(kind.value for kind in WindowKind)
_PURPOSES = ", ".join(purpose.value for purpose in WindowPurpose)

WINDOW_ID = Arg(("window_id",), help="The number of the window", metavar="WINDOW", type=int)

_SCOPE: tuple[Arg, ...] = (
    Arg(
        ("--task",),
        help="It covers this task (repeatable)",
        dest="in_tasks",
        metavar=("DAG_ID", "TASK_ID"),
        nargs=2,
        action="append",
    ),
    Arg(
        ("--workflow",),
        help="It covers this workflow (repeatable)",
        dest="in_workflows",
        metavar="DAG_ID",
        action="append",
    ),
    Arg(
        ("--folder",),
        help="It covers Dag files in this folder and below (repeatable)",
        dest="in_folders",
        metavar="BUNDLE/DIR",
        action="append",
    ),
    Arg(
        ("--project",),
        help="It covers this project, a Dag bundle (repeatable)",
        dest="in_projects",
        metavar="BUNDLE",
        action="append",
    ),
    Arg(("--tag",), help="It covers Dags with this tag (repeatable)", dest="in_tags", metavar="TAG", action="append"),
    Arg(("--everything",), help="It covers every Dag", action="store_true"),
)
_WHAT: tuple[Arg, ...] = (
    Arg(("--name",), help="A name for the window", metavar="TEXT"),
    Arg(("--kind",), help=f"What it does (repeatable): {_KINDS}", dest="kinds", metavar="KIND", action="append"),
    Arg(
        ("--downstream-effect",),
        help="kind pause: what becomes of the tasks' instances: skip, run, fail or hold",
        dest="downstream",
        metavar="EFFECT",
    ),
    Arg(("--reason",), help="Why; shown wherever the window is", metavar="TEXT"),
)
_TIMES: tuple[Arg, ...] = (
    Arg(
        ("--from",),
        help="Open once: from TIME, in ISO 8601 or relative to now, as in +2h",
        dest="begin",
        metavar="TIME",
    ),
    Arg(("--to",), help="Open once: until TIME, in the same formats", dest="end", metavar="TIME"),
    Arg(("--rrule",), help="It recurs by this rule of iCalendar, as in FREQ=WEEKLY;BYDAY=SA", metavar="RULE"),
    Arg(("--cron",), help='It recurs: it begins by this cron expression, as in "0 22 * * 5"', metavar="EXPRESSION"),
    Arg(("--zone",), help="The time zone on whose clock it recurs (default: UTC)", metavar="ZONE"),
    Arg(
        ("--starts",),
        help="rrule: what the zone's clock shows at the first begin, as in 2026-12-04T22:00",
        metavar="TIME",
    ),
    Arg(("--duration",), help="How long each lasts, as in 90m, 8h or 1d12h", metavar="TIME"),
    Arg(
        ("--until",),
        help="In place of --duration: each lasts until the zone's clock shows this time",
        dest="until_clock",
        metavar="HH:MM",
    ),
    Arg(
        ("--except",),
        help="Nothing begins on this day of the zone, or at this time (repeatable)",
        dest="exceptions",
        metavar="DAY",
        action="append",
    ),
    Arg(("--last",), help="Nothing begins after TIME, in ISO 8601 or relative to now", metavar="TIME"),
)
_SWITCH: tuple[Arg, ...] = (
    Arg(("--enable",), help="Enable the window (default for a new one)", action="store_true"),
    Arg(("--disable",), help="Disable the window: it does nothing until you enable it", action="store_true"),
)
WINDOW: tuple[Arg, ...] = (*_WHAT, *_SCOPE, *_TIMES, *_SWITCH)
DEFAULTS: tuple[Arg, ...] = (_WHAT[1], _WHAT[2], *_SCOPE)

KEPT = Arg(("--window",), help="Preview this window, not a new one", dest="kept", metavar="WINDOW", type=int)
OCCURRENCES = Arg(("--occurrences",), help="Look at the next N times (default: 5)", metavar="N", type=int, default=5)
WINDOW_FILTERS: tuple[Arg, ...] = (
    Arg(("--dag-id",), help="Filter: that cover something of the workflow DAG_ID", dest="in_dag", metavar="DAG_ID"),
    Arg(("--kind",), help=f"Filter: {_KINDS} (repeatable: any of them)", dest="kinds", metavar="KIND", action="append"),
    Arg(
        ("--purpose",),
        help=f"Filter: {_PURPOSES} (repeatable: any of them)",
        dest="purposes",
        metavar="PURPOSE",
        action="append",
    ),
    Arg(("--open",), help="Filter: only those that are open now", dest="open_now", action="store_true"),
    Arg(("--search",), help="Filter: TEXT is part of the name or the reason", metavar="TEXT"),
    Arg(("--limit",), help="At most N rows (default: 50)", metavar="N", type=int, default=50),
    Arg(("--offset",), help="Skip the first N rows", metavar="N", type=int, default=0),
)
FILE = Arg(("file",), help="The iCalendar file; - reads stdin", metavar="FILE")
TO = Arg(("--to",), help="Write the file here (default: stdout)", dest="to_file", metavar="FILE")
SKIP: tuple[Arg, ...] = (
    *(arg for arg in _SCOPE if arg.flags[0] in ("--task", "--workflow")),
    Arg(("--cycles",), help="Leave out the next N cycles (default: 1)", metavar="N", type=int, default=1),
    _WHAT[3],
)
HOLD: tuple[Arg, ...] = (
    Arg(("--project",), help="Only this project, a Dag bundle (default: everything)", metavar="BUNDLE"),
    _WHAT[3],
)
RELEASE: tuple[Arg, ...] = (
    *HOLD,
    Arg(("--wave",), help="Release N workflows at a time (default: all at once)", metavar="N", type=int),
    Arg(("--every",), help="Minutes between two waves (default: 10)", metavar="N", type=int, default=10),
)
