"""The commands of ``airflow taskops``: what they are called, take and say of themselves.

Every airflow command imports this; what a command does is loaded when it runs.
"""

from __future__ import annotations

from collections.abc import Iterable

from airflow.cli.cli_config import ActionCommand, Arg, CLICommand, GroupCommand

from taskops_provider.cli import arguments as args
from taskops_provider.cli import arguments_alarms as alarms
from taskops_provider.cli import arguments_windows as windows
from taskops_provider.cli.as_given import as_given
from taskops_provider.cli.deprecated import is_old, with_old_flags
from taskops_provider.cli.lazy import lazy_command

EXIT_CODES = (
    "Exit codes: 0 all applied or listed; 1 error, nothing changed; 2 wrong usage; 3 some or all targets refused."
)


def _examples(*lines: str) -> str:
    return "Examples:\n" + "\n".join(f"  airflow taskops {line}" for line in lines)


def _command(
    handler: str,
    help_: str,
    arguments: Iterable[Arg],
    *examples: str,
    more: str = "",
    name: str = "",
) -> ActionCommand:
    """Make one command.

    :param handler: ``module.function`` below ``taskops_provider.cli.commands``; the command is called as the last
        word of the function says unless ``name`` is given
    """
    name = name or handler.rpartition("_")[2]
    path = f"{handler.partition('.')[0]} {name}"
    return ActionCommand(
        name=name,
        help=help_,
        description="\n".join(filter(None, (f"{help_}.", more))),
        func=lazy_command(handler),
        args=tuple(map(as_given, with_old_flags(path, arguments))),
        epilog=_examples(*examples),
        hide=is_old(path),
    )


# verb: what it says of tasks and of workflows, the options it takes, an example of them
_VERBS: dict[str, tuple[str, str, tuple[Arg, ...], str]] = {
    "start": (
        "Start paused tasks: runs created from now on execute them",
        "Start paused workflows: unpause their Dags and start their paused tasks",
        (args.HELD, args.FILL_GAP),
        "--fill-gap",
    ),
    "pause": (
        "Pause tasks: runs created from now on do not execute them; existing instances go on",
        "Pause workflows: they drain, so no new runs start, existing ones finish, and then the Dag is paused",
        (args.DOWNSTREAM_EFFECT, args.TERMINATE_INSTANCES, args.RESUME_AT, args.FILL_GAP_LATER),
        '--downstream-effect run --resume-at +2h --reason "source is late"',
    ),
    "offline": (
        "Take tasks offline: they stay out of service, in new Dag versions too, until you resubmit them",
        "Take workflows offline: they stay out of service, in new Dag versions too, until you resubmit them",
        (args.DOWNSTREAM_EFFECT, args.TERMINATE_INSTANCES, args.CASCADE),
        "--terminate-instances --ticket OPS-17",
    ),
    "delete": (
        "Delete offline tasks: they disappear from the lists; Dag file and history stay, submit brings them back",
        "Delete offline workflows: they disappear from the lists; Dag file and history stay, submit brings them back",
        (args.DOWNSTREAM_EFFECT,),
        "--downstream-effect run --yes",
    ),
    "submit": (
        "Resubmit offline or deleted tasks: runs created from now on execute them",
        "Resubmit the offline or deleted tasks of workflows: runs created from now on execute them",
        (),
        '--reason "back in use"',
    ),
    "set-owners": (
        "Set the owners of tasks, in place of those of the Dag file",
        "Set the owners of workflows, in place of those of the Dag file",
        args.NEW_OWNERS,
        "--owner mira.orders --owner sofia.warehouse",
    ),
}


def _change(group: str, verb: str) -> ActionCommand:
    """The command of one verb on tasks or workflows."""
    of_tasks, of_workflows, options, example = _VERBS[verb]
    tasks = group == "tasks"
    targets = args.TASK_TARGETS if tasks else args.WORKFLOW_TARGETS
    filters = args.TASK_FILTERS if tasks else args.WORKFLOW_FILTERS
    if verb == "set-owners":
        filters = args.without_owner_flag(filters)
    named = "shop_orders_hourly validate_orders load_orders" if tasks else "shop_orders_hourly"
    return _command(
        f"{group}.{group}_{verb.replace('-', '_')}",
        of_tasks if tasks else of_workflows,
        (*targets, args.ALL_MATCHING, *filters, *options, *args.CHANGE, args.YES, *args.OUTPUT),
        f"{group} {verb} {named} {example}",
        f"{group} {verb} --file {group}.txt {example}",
        f"{group} {verb} --all-matching --folder retail/ingest {example.removesuffix(' --yes')} --dry-run",
        more="Name the targets, or give a --file, or filters with --all-matching. Give all ids in one place: no\n"
        f"options between them.\n{EXIT_CODES}",
        name=verb,
    )


WORKFLOWS = (
    _command(
        "workflows.workflows_list",
        "List workflows with their status, tasks, owners, folder and schedule",
        (*args.WORKFLOW_FILTERS, *args.WORKFLOW_PAGE, *args.OUTPUT),
        "workflows list",
        'workflows list --search "orders|inventory" --status partially_scheduling',
        "workflows list --folder retail/ingest --owner mira.orders --output json",
    ),
    _command(
        "workflows.workflows_show",
        "Show one workflow: details, tasks by status, runs left while it drains, last operations",
        (args.DAG_ID, *args.OUTPUT),
        "workflows show sales_mart_daily",
    ),
    _command(
        "workflows.workflows_diagram",
        "Show the tasks of a workflow in the order in which they can run, with type and status",
        (args.DAG_ID, args.DIAGRAM_FORMAT, args.OUTPUT[1]),
        "workflows diagram sales_mart_daily",
        "workflows diagram sales_mart_daily --output dot | dot -Tsvg > sales_mart_daily.svg",
    ),
    *(_change("workflows", verb) for verb in _VERBS),
)

TASKS = (
    _command(
        "tasks.tasks_list",
        "List tasks with their status, owners, type, period and why they are stopped",
        (*args.TASK_FILTERS, *args.TASK_PAGE, *args.OUTPUT),
        "tasks list --dag-id sales_mart_daily",
        "tasks list --status paused --status offline",
        "tasks list --type Python --target-table retail://raw/orders --output json",
    ),
    _command(
        "tasks.tasks_show",
        "Show one task: every detail, why it is not running, and its last operations",
        (args.DAG_ID, args.TASK_ID, *args.OUTPUT),
        "tasks show sales_mart_daily publish_mart",
    ),
    _command(
        "tasks.tasks_instances",
        "List the recent instances of a task: state, times, whether it was gated, and the note that says why",
        (args.DAG_ID, args.TASK_ID, args.INSTANCE_LIMIT, args.STATE, *args.OUTPUT),
        "tasks instances sales_mart_daily publish_mart",
        "tasks instances sales_mart_daily publish_mart --state failed --limit 5",
    ),
    _command(
        "tasks.tasks_lineage",
        "Show what a task waits for and what waits for it, across workflows",
        (args.DAG_ID, args.TASK_ID, args.DEPTH, *args.DIRECTION, *args.OUTPUT),
        "tasks lineage sales_mart_daily publish_mart",
        "tasks lineage sales_mart_daily publish_mart --direction downstream --depth 10 --output json",
    ),
    _command(
        "tasks.tasks_export",
        "Export all matching tasks with all columns, as CSV or JSON",
        (*args.TASK_FILTERS, args.EXPORT_FORMAT, args.EXPORT_BOM, args.EXPORT_TO, args.OUTPUT[1]),
        "tasks export --to tasks.csv",
        "tasks export --status offline --output json > offline.json",
    ),
    *(_change("tasks", verb) for verb in _VERBS),
)


def _on_instances(verb: str, help_: str, *more_args: Arg, example: str, more: str = "") -> ActionCommand:
    """The command of one verb on single instances."""
    return _command(
        f"instances.instances_{verb.replace('-', '_')}",
        help_,
        (
            args.DAG_ID,
            args.TASK_ID,
            args.RUN_IDS,
            args.MAP_INDEX,
            args.REGION_ID,
            *more_args,
            *args.CHANGE_OF_INSTANCES,
            args.YES,
            *args.OUTPUT,
        ),
        f"instances {verb} {example}",
        f"instances {verb} {example} --dry-run",
        more="\n".join(filter(None, (more, EXIT_CODES))),
        name=verb,
    )


_INSTANCE = "sales_mart_daily publish_mart scheduled__2026-01-01T00:00:00+00:00"
INSTANCES = (
    _on_instances(
        "rerun",
        "Rerun task instances: only these, with what is downstream of them, or with what follows in other workflows",
        args.WITH_DOWNSTREAM,
        example=f"{_INSTANCE} --with-downstream workflow",
        more="What triggers and assets start is a new run, which Airflow creates when the instance has run again.",
    ),
    _on_instances(
        "force",
        "Run task instances now, whatever is upstream of them, earlier runs or a full max_active_tasks say",
        example=f'{_INSTANCE} --reason "the failed check does not matter"',
        more="Pools count, and so does a paused Dag. A retry of a forced instance is forced too.",
    ),
    _on_instances(
        "hold",
        "Hold task instances: they do not start until they are released, also if they are cleared or tried again",
        example=f'{_INSTANCE} --reason "wait for the source"',
        more="An instance that is under way goes on; its next try is held. operations undo releases what a hold holds.",
    ),
    _on_instances("release", "Release held task instances: they go on as if nobody had held them", example=_INSTANCE),
    _on_instances("terminate", "End task instances as failed; what runs in a worker is killed", example=_INSTANCE),
    _on_instances("set-success", "Mark task instances as success without executing them", example=_INSTANCE),
    _on_instances("set-failed", "Mark task instances as failed", example=_INSTANCE),
    _command(
        "instances.instances_held",
        "List the instances and runs that people hold: who, since when, why",
        (args.HELD_IN, args.RECORD_LIMIT, args.OFFSET, *args.OUTPUT),
        "instances held",
        "instances held --dag-id sales_mart_daily --output json",
    ),
)

RUNS = tuple(
    _command(
        f"instances.runs_{verb}",
        help_,
        (args.DAG_ID, args.RUN_IDS, *args.CHANGE_OF_INSTANCES, args.YES, *args.OUTPUT),
        f"runs {verb} sales_mart_daily scheduled__2026-01-01T00:00:00+00:00",
        more="\n".join(filter(None, (more, EXIT_CODES))),
    )
    for verb, help_, more in (
        (
            "hold",
            "Hold whole runs: nothing starts in them until they are released, also if something is cleared",
            "What is under way goes on; its next try is held.",
        ),
        ("release", "Release held runs; instances that are held one by one stay held", ""),
    )
)

OPERATIONS = (
    _command(
        "operations.operations_list",
        "List operations, newest first: who did what, when, from where, why, and with which outcome",
        (*args.RECORD_FILTERS, args.RECORD_ORDER, args.RECORD_LIMIT, args.OFFSET, *args.OUTPUT),
        "operations list --dag-id sales_mart_daily",
        "operations list --actor op --source ui --since=-1d",
    ),
    _command(
        "operations.operations_show",
        "Show one operation and the outcome for each target",
        (args.OPERATION_ID, *args.OUTPUT),
        "operations show 7",
    ),
    _command(
        "operations.operations_undo",
        "Undo an operation on tasks or workflows, except for targets that something newer changed",
        (args.OPERATION_ID, args.DRY_RUN, args.PLAN_HASH, args.YES, *args.OUTPUT),
        "operations undo 7 --dry-run",
        "operations undo 7",
        more=EXIT_CODES,
    ),
)

STRICT_MODE = tuple(
    _command(
        f"strict_mode.strict_mode_{verb}",
        help_,
        (args.PROJECT, *args.OUTPUT),
        f"strict-mode {verb}",
        f"strict-mode {verb} --project retail",
    )
    for verb, help_ in {
        "show": "Show which projects are in strict mode, and who set it",
        "on": "Turn strict mode on: a task can stop only if all its direct downstream tasks are offline or deleted",
        "off": "Turn strict mode off",
    }.items()
)

REPLENISH = (
    _command(
        "replenish.replenish_plan",
        "Show the cells (task by cycle) that a replenishment would execute, and change nothing",
        (*args.REPLENISHMENT, *args.UNRECORDED, args.GRID, *args.OUTPUT),
        "replenish plan --workflow sales_mart_daily --range 2026-01-01 2026-01-31 --grid",
        "replenish plan --task sales_mart_daily publish_mart --downstream-depth 2 --range 2026-01-01 2026-01-31",
    ),
    _command(
        "replenish.replenish_create",
        "Create a replenishment, which executes missing and failed cells (task by cycle) of workflows or tasks",
        (*args.REPLENISHMENT, *args.NAME_AND_REASON, *args.WAIT, args.YES, *args.OUTPUT),
        "replenish create --workflow sales_mart_daily --range 2026-01-01 2026-01-31 --max-active-runs 4 --wait",
        "replenish create --task sales_mart_daily publish_mart --range 2026-01-01 2026-01-31 --cells all "
        "--window 22:00-06:00",
        more="The monitor executes it, also after this command has ended. replenish plan shows what it would do.\n"
        "Exit codes: 0 created, or with --wait succeeded; 1 error, nothing created; 2 wrong usage; 3 with --wait: not\n"
        "every cell succeeded.",
    ),
    _command(
        "replenish.replenish_list",
        "List replenishments with their progress, newest first",
        (*args.REPLENISHMENT_FILTERS, args.REPLENISHMENT_ORDER, args.RECORD_LIMIT, args.OFFSET, *args.OUTPUT),
        "replenish list --state running",
        "replenish list --dag-id sales_mart_daily --since=-24h",
    ),
    _command(
        "replenish.replenish_show",
        "Show one replenishment: progress, expected end, cells by class and state, its workflows",
        (args.REPLENISHMENT_ID, *args.SHOW_CELLS, *args.OUTPUT),
        "replenish show 3",
    ),
    _command(
        "replenish.replenish_cells",
        "List the cells of a replenishment, task by cycle: what each was when planned, and its state now",
        (args.REPLENISHMENT_ID, *args.CELL_FILTERS, *args.OUTPUT),
        "replenish cells 3",
        "replenish cells 3 --state failed --dag-id sales_mart_daily",
    ),
    *(
        _command(
            f"replenish.replenish_{verb}",
            help_,
            (
                args.REPLENISHMENT_ID,
                *more,
                args.CONTROL_REASON,
                *args.OUTPUT,
            ),
            f"replenish {verb} 3",
        )
        for verb, help_, more in (
            ("pause", "Pause a replenishment: start no more runs; running ones finish", ()),
            ("resume", "Resume a paused replenishment", ()),
            ("cancel", "Cancel a replenishment: nothing more starts", (args.END_RUNNING,)),
            ("retry", "Execute the failed and cancelled cells of a finished replenishment again", ()),
        )
    ),
)

ALARMS = (
    _command(
        "alarms.alarms_list",
        "List alarm rules, newest first",
        (*alarms.RULE_FILTERS, *args.OUTPUT),
        "alarms list --dag-id sales_mart_daily",
    ),
    _command(
        "alarms.alarms_create",
        "Create an alarm rule for a task, a workflow or a project",
        (*alarms.RULE, *args.OUTPUT),
        "alarms create --task sales_mart_daily publish_mart --kind failed --owners --level 2",
        "alarms create --workflow sales_mart_daily --kind not_finished_by --by 08:00 --zone Europe/Berlin "
        "--address ops@example.com",
        "alarms create --project retail --kind failed --on first_failure --channel chat",
        more="Give one of --task, --workflow and --project, and a --kind. The rule watches what happens from now on.\n"
        "docs/alarms.md explains kinds, channels and quiet hours.",
    ),
    _command(
        "alarms.alarms_update",
        "Change the given fields of a rule",
        (alarms.RULE_ID, *alarms.RULE, *args.OUTPUT),
        "alarms update 3 --quiet-hours 22:00-07:00 --quiet-zone Europe/Berlin",
        "alarms update 3 --disable",
        more="The recipients (--owners, --user, --address) are one field: give all of them. So are the channels, the\n"
        "quiet hours, the repeats, the escalation, and the flags that go with a kind.",
    ),
    _command(
        "alarms.alarms_delete",
        "Delete an alarm rule; its past alarms stay listed",
        (alarms.RULE_ID, *args.OUTPUT),
        "alarms delete 3",
    ),
    _command(
        "alarms.alarms_events",
        "List alarms: what happened, when, who was notified, who acknowledged it",
        (*alarms.ALARM_FILTERS, *args.OUTPUT),
        "alarms events --unacknowledged --since=-1d",
    ),
    _command(
        "alarms.alarms_acknowledge",
        "Acknowledge alarms: they are no longer repeated or escalated",
        (alarms.ALARM_IDS, *args.OUTPUT),
        "alarms acknowledge 17 18",
    ),
    _command(
        "alarms.alarms_confirm",
        "The old name of acknowledge",
        (alarms.ALARM_IDS, *args.OUTPUT),
        "alarms acknowledge 17 18",
    ),
    _command(
        "alarms.alarms_test",
        "Send a test message now, through each channel of a rule and to its recipients",
        (alarms.RULE_ID, *args.OUTPUT),
        "alarms test 3",
        more="Exit codes: 0 everything was sent; 1 error; 2 wrong usage; 3 something was not sent.",
    ),
)

WINDOWS = (
    _command(
        "windows.windows_list",
        "List windows with what they do, what they cover and when they are open, newest first",
        (*windows.WINDOW_FILTERS, *args.OUTPUT),
        "windows list --open",
        "windows list --dag-id sales_mart_daily --kind freeze",
    ),
    _command(
        "windows.windows_show",
        "Show one window: what it does, what it covers, when it is open",
        (windows.WINDOW_ID, *args.OUTPUT),
        "windows show 3",
    ),
    _command(
        "windows.windows_create",
        "Create a window: a planned pause, a freeze, or a time in which nothing is replenished",
        (*windows.WINDOW, *args.OUTPUT),
        'windows create --name night --kind pause --workflow sales_mart_daily --cron "0 22 * * *" '
        "--zone Europe/Berlin --until 06:00",
        "windows create --name close --kind freeze --kind no_replenish --project retail --from +1h --to +3h "
        '--reason "close of the year"',
        more="Name what it covers, one --kind or more, and its times: --from and --to, or --rrule or --cron with\n"
        "--duration or --until. docs/windows.md explains them.",
    ),
    _command(
        "windows.windows_update",
        "Change the given fields of a window",
        (windows.WINDOW_ID, *windows.WINDOW, *args.OUTPUT),
        "windows update 3 --downstream-effect hold",
        "windows update 3 --disable",
        more="What it covers is one field: give all of it. So are its times. What is open then ends now.",
    ),
    _command(
        "windows.windows_delete",
        "Delete a window: what is open ends now, and what it held goes on",
        (windows.WINDOW_ID, *args.OUTPUT),
        "windows delete 3",
    ),
    _command(
        "windows.windows_preview",
        "Show when a window would be open next, and which cycles it would stop; change nothing",
        (windows.KEPT, windows.OCCURRENCES, *windows.WINDOW, *args.OUTPUT),
        "windows preview --window 3",
        'windows preview --name night --kind pause --workflow sales_mart_daily --cron "0 22 * * *" --duration 8h',
    ),
    _command(
        "windows.windows_import",
        "Create the windows of an iCalendar file: all, or none",
        (windows.FILE, *windows.DEFAULTS, *args.OUTPUT),
        "windows import holidays.ics --kind pause --project retail",
        more="The flags are for events that do not say it themselves; those that windows export wrote do.",
    ),
    _command(
        "windows.windows_export",
        "Write windows as an iCalendar file, for other calendars and for windows import",
        (windows.TO, args.OUTPUT[1]),
        "windows export --to windows.ics",
    ),
    _command(
        "windows.windows_skip_next",
        "Leave out the next cycles of tasks or workflows, however late their runs are created",
        (*windows.SKIP, *args.OUTPUT),
        "windows skip-next --task sales_mart_daily publish_mart --cycles 2",
        name="skip-next",
    ),
    _command(
        "windows.windows_hold_all",
        "Hold everything, or a project, until it is released: after an outage, say",
        (*windows.HOLD, *args.OUTPUT),
        'windows hold-all --reason "the warehouse is down"',
        more="What has not begun waits, also in runs that are there. What runs or is deferred goes on.",
        name="hold-all",
    ),
    _command(
        "windows.windows_release_all",
        "Release what hold-all holds, at once or in waves",
        (*windows.RELEASE, *args.OUTPUT),
        "windows release-all --wave 20 --every 5",
        name="release-all",
    ),
)

COMMANDS: tuple[CLICommand, ...] = (
    GroupCommand("workflows", help="List and operate workflows", subcommands=WORKFLOWS),
    GroupCommand("tasks", help="List and operate tasks", subcommands=TASKS),
    GroupCommand("instances", help="Rerun, force, hold and end single task instances", subcommands=INSTANCES),
    GroupCommand("runs", help="Hold and release whole runs", subcommands=RUNS),
    GroupCommand("replenish", help="Execute missing and failed cycles of tasks and workflows", subcommands=REPLENISH),
    GroupCommand("alarms", help="Alarm rules and alarms", subcommands=ALARMS),
    GroupCommand("windows", help="Planned pauses, freezes, and holding everything", subcommands=WINDOWS),
    GroupCommand("operations", help="List and undo operations", subcommands=OPERATIONS),
    GroupCommand("strict-mode", help="Show and set the strict mode of projects", subcommands=STRICT_MODE),
    _command(
        "system.taskops_sync",
        "Refresh the index of workflows and tasks from the parsed Dags now",
        args.OUTPUT,
        "sync",
    ),
    _command(
        "system.taskops_monitor",
        "Run the monitor as a separate process (SIGINT or SIGTERM ends it)",
        (args.ONCE, args.OUTPUT[1]),
        "monitor",
        "monitor --once",
        more="It settles gated instances, drains workflows, starts tasks at their time, executes replenishments,\n"
        "sends alarms and keeps the index fresh. You can run several: one works, the others stand by.",
    ),
    _command(
        "uninstall.taskops_uninstall",
        "Set right what TaskOps has in Airflow's tables, so that the package can be removed",
        (*args.UNINSTALL, args.DRY_RUN, args.YES, *args.OUTPUT),
        "uninstall --dry-run",
        "uninstall",
        "uninstall --drop-tables",
        "uninstall --stay",
        more="It stops the monitors, cancels replenishments, ends or releases waiting instances, pauses Dags with\n"
        "stopped tasks, and deletes the gate pools; --drop-tables removes the tables, when nothing asks them.\n"
        "docs/install.md says in which order to leave. It can be repeated. Exit codes: 0 done or shown; 1 error.",
    ),
    _command(
        "system.taskops_check",
        "Check the installation: Airflow's version, tables, gate, schedulers, pools, index, monitor, drains, alarms",
        args.OUTPUT,
        "check",
        more="It sees the gate of its own process, of all live schedulers, and runs that a process without the gate\n"
        "created in the last day. Exit codes: 0 no errors (warnings do not count); 1 errors.",
    ),
)


def get_taskops_cli_commands() -> list[CLICommand]:
    """Return the command group; Airflow reads it through the provider's ``cli`` entry."""
    return [
        GroupCommand(
            name="taskops",
            help="Operate tasks and workflows: start, pause, offline, delete, submit, owners, records",
            description=(
                "TaskOps: a scheduling state for each task, which the scheduler obeys.\n"
                "Changes to tasks and workflows take --dry-run, are recorded (operations list) and can be undone\n"
                "(operations undo). The examples use the workflows of the demo.\n" + EXIT_CODES
            ),
            subcommands=COMMANDS,
            epilog=_examples(
                "tasks list --status paused",
                'tasks pause shop_orders_hourly load_orders --reason "source is late" --resume-at +2h',
                "workflows offline --file old.txt --dry-run",
                "check",
            ),
        )
    ]
