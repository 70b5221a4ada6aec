"""The commands of ``airflow taskops``: what they are called, take and say of themselves.

Every airflow command imports this; what a command does is loaded when it runs.
"""

from __future__ import annotations

from collections.abc import Iterable

from airflow.cli.cli_config import ActionCommand, Arg, CLICommand, GroupCommand, lazy_load_command

from taskops_provider.cli import arguments as args
from taskops_provider.cli import arguments_alarms as alarms
from taskops_provider.cli.as_given import as_given
from taskops_provider.cli.deprecated import is_old, with_old_flags

EXIT_CODES = "Exit codes: 0 all applied or listed, 1 error and nothing changed, 2 usage, 3 some targets refused."


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
        func=lazy_load_command(f"taskops_provider.cli.commands.{handler}"),
        args=tuple(map(as_given, with_old_flags(path, arguments))),
        epilog=_examples(*examples),
        hide=is_old(path),
    )


# verb: what it says, the options it takes, an example of them
_VERBS: dict[str, tuple[str, tuple[Arg, ...], str]] = {
    "start": (
        "Start paused {}: runs created from now on execute them",
        (args.HELD, args.FILL_GAP),
        "--fill-gap",
    ),
    "pause": (
        "Pause {}: runs created from now on do not execute them, existing instances go on",
        (args.DOWNSTREAM_EFFECT, args.TERMINATE_INSTANCES, args.RESUME_AT, args.FILL_GAP),
        '--downstream-effect run --resume-at +2h --reason "source is late"',
    ),
    "offline": (
        "Take {} offline (decommission): they stay so, through new versions too, until someone submits them",
        (args.DOWNSTREAM_EFFECT, args.TERMINATE_INSTANCES, args.CASCADE),
        "--terminate-instances --ticket OPS-17",
    ),
    "delete": (
        "Delete offline {} from the lists and from scheduling; Dag file and history stay, submit brings them back",
        (args.DOWNSTREAM_EFFECT,),
        "--downstream-effect run --yes",
    ),
    "submit": (
        "Submit offline or deleted {} again: they are scheduled from now on",
        (),
        '--reason "back in use"',
    ),
    "set-owners": (
        "Give {} other owners, in place of those of the Dag file",
        args.NEW_OWNERS,
        "--owner alice --owner bob",
    ),
}


def _change(group: str, verb: str) -> ActionCommand:
    """The command of one verb on tasks or workflows."""
    help_, options, example = _VERBS[verb]
    tasks = group == "tasks"
    targets = args.TASK_TARGETS if tasks else args.WORKFLOW_TARGETS
    filters = args.TASK_FILTERS if tasks else args.WORKFLOW_FILTERS
    if verb == "set-owners":
        filters = args.without_owner_flag(filters)
    named = "orders_daily clean.orders clean.items" if tasks else "orders_daily"
    owner = "--owner alice" if verb == "delete" else example
    return _command(
        f"{group}.{group}_{verb.replace('-', '_')}",
        help_.format(group),
        (*targets, args.ALL_MATCHING, *filters, *options, *args.CHANGE, args.YES, *args.OUTPUT),
        f"{group} {verb} {named} {example}",
        f"{group} {verb} --file {group}.txt {example}",
        f"{group} {verb} --all-matching --folder dags-folder/sales {owner} --dry-run",
        more="Name the targets, or give a --file, or filters with --all-matching. Ids stand together, options before\n"
        f"or after them. {EXIT_CODES}",
        name=verb,
    )


WORKFLOWS = (
    _command(
        "workflows.workflows_list",
        "List workflows with their status, tasks, owners, folder and schedule",
        (*args.WORKFLOW_FILTERS, *args.PAGE, *args.OUTPUT),
        "workflows list",
        'workflows list --search "orders|stock" --status partially_scheduling',
        "workflows list --folder dags-folder/sales --owner alice --output json",
    ),
    _command(
        "workflows.workflows_show",
        "Show one workflow: details, tasks by status, runs left while draining, last operations",
        (args.DAG_ID, *args.OUTPUT),
        "workflows show orders_daily",
    ),
    _command(
        "workflows.workflows_diagram",
        "Show the tasks of a workflow in the order in which they run, with type and status",
        (args.DAG_ID, args.DIAGRAM_FORMAT, args.OUTPUT[1]),
        "workflows diagram orders_daily",
        "workflows diagram orders_daily --output dot | dot -Tsvg > orders_daily.svg",
    ),
    *(_change("workflows", verb) for verb in _VERBS),
)

TASKS = (
    _command(
        "tasks.tasks_list",
        "List tasks with their status, owners, type, period and why they are stopped",
        (*args.TASK_FILTERS, *args.PAGE, *args.OUTPUT),
        "tasks list --dag-id orders_daily",
        "tasks list --status paused --status offline",
        "tasks list --type BashOperator --target-table s3://lake/orders --output json",
    ),
    _command(
        "tasks.tasks_show",
        "Show one task: every detail, why it is not running, and its last operations",
        (args.DAG_ID, args.TASK_ID, *args.OUTPUT),
        "tasks show orders_daily clean.orders",
    ),
    _command(
        "tasks.tasks_instances",
        "List the recent instances of a task: state, times, whether gated, and the note that says why",
        (args.DAG_ID, args.TASK_ID, args.INSTANCE_LIMIT, args.STATE, *args.OUTPUT),
        "tasks instances orders_daily clean.orders",
        "tasks instances orders_daily clean.orders --state failed --limit 5",
    ),
    _command(
        "tasks.tasks_lineage",
        "Show what a task waits for and what waits for it, across workflows too",
        (args.DAG_ID, args.TASK_ID, args.DEPTH, *args.DIRECTION, *args.OUTPUT),
        "tasks lineage orders_daily clean.orders",
        "tasks lineage orders_daily clean.orders --direction downstream --depth 10 --output json",
    ),
    _command(
        "tasks.tasks_export",
        "Write all matching tasks with all their columns, as CSV or JSON",
        (*args.TASK_FILTERS, args.EXPORT_FORMAT, args.EXPORT_TO, args.OUTPUT[1]),
        "tasks export --to tasks.csv",
        "tasks export --status offline --output json > offline.json",
    ),
    *(_change("tasks", verb) for verb in _VERBS),
)

OPERATIONS = (
    _command(
        "operations.operations_list",
        "List the last operations: who did what, when, from where, why, and what came of it",
        (*args.RECORD_FILTERS, args.RECORD_ORDER, args.RECORD_LIMIT, args.OFFSET, *args.OUTPUT),
        "operations list --dag-id orders_daily",
        "operations list --actor alice --source ui --since=-1d",
    ),
    _command(
        "operations.operations_show",
        "Show one operation and what came of each target",
        (args.OPERATION_ID, *args.OUTPUT),
        "operations show 7",
    ),
    _command(
        "operations.operations_undo",
        "Undo an operation on states or owners where nothing newer changed them",
        (args.OPERATION_ID, args.DRY_RUN, args.YES, *args.OUTPUT),
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
        f"strict-mode {verb} --project dags-folder",
    )
    for verb, help_ in {
        "show": "Show which projects are in strict mode, and who chose it",
        "on": "Turn strict mode on: only tasks without live downstream tasks can be paused, taken offline or deleted",
        "off": "Turn strict mode off",
    }.items()
)

REPLENISH = (
    _command(
        "replenish.replenish_plan",
        "Show the cells, task by cycle, that a replenishment would execute, and change nothing",
        (*args.REPLENISHMENT, args.GRID, *args.OUTPUT),
        "replenish plan --workflow orders_daily --range 2026-01-01 2026-01-31 --grid",
        "replenish plan --task orders_daily clean.orders --downstream-depth 2 --range 2026-01-01 2026-01-31",
    ),
    _command(
        "replenish.replenish_create",
        "Execute missing and failed cells of workflows or tasks: plan, ask, queue; the monitor does the rest",
        (*args.REPLENISHMENT, *args.WAIT, args.YES, *args.OUTPUT),
        "replenish create --workflow orders_daily --range 2026-01-01 2026-01-31 --max-active-runs 4 --wait",
        "replenish create --task orders_daily load --range 2026-01-01 2026-01-31 --cells all --window 22:00-06:00",
        more=EXIT_CODES,
    ),
    _command(
        "replenish.replenish_list",
        "List replenishments with their progress, newest first",
        (*args.REPLENISHMENT_FILTERS, args.REPLENISHMENT_ORDER, args.RECORD_LIMIT, args.OFFSET, *args.OUTPUT),
        "replenish list --state running",
        "replenish list --dag-id orders_daily --since=-24h",
    ),
    _command(
        "replenish.replenish_show",
        "Show one replenishment: progress, expected end, cells by class and state, each workflow",
        (args.REPLENISHMENT_ID, *args.SHOW_CELLS, *args.OUTPUT),
        "replenish show 3",
    ),
    _command(
        "replenish.replenish_cells",
        "List the cells of a replenishment, task by cycle: what had become of each, and what it does now",
        (args.REPLENISHMENT_ID, *args.CELL_FILTERS, *args.OUTPUT),
        "replenish cells 3",
        "replenish cells 3 --state failed --dag-id orders_daily",
    ),
    *(
        _command(
            f"replenish.replenish_{verb}",
            help_,
            (
                args.REPLENISHMENT_ID,
                *more,
                args.CHANGE_REASON,
                *args.OUTPUT,
            ),
            f"replenish {verb} 3",
        )
        for verb, help_, more in (
            ("pause", "Start nothing more of a replenishment; what runs goes on", ()),
            ("resume", "Go on with a paused replenishment", ()),
            ("cancel", "End a replenishment: what has not started never will", (args.END_RUNNING,)),
            ("retry", "Execute the failed and cancelled cells of a replenishment that is over once more", ()),
        )
    ),
)

ALARMS = (
    _command(
        "alarms.alarms_list",
        "List alarm rules, newest first",
        (*alarms.RULE_FILTERS, *args.OUTPUT),
        "alarms list --dag-id orders_daily",
    ),
    _command(
        "alarms.alarms_create",
        "Make an alarm rule on a task, a workflow or a project",
        (*alarms.RULE, *args.OUTPUT),
        "alarms create --task orders_daily load --kind failed --owners --level 2",
        "alarms create --workflow orders_daily --kind not_finished_by --by 08:00 --zone Europe/Berlin "
        "--address ops@example.com",
        "alarms create --project dags-folder --kind failed --on first_failure --channel webhook:chat",
        more="It sees what happens from now on. docs/alarms.md explains kinds, channels and quiet hours.",
    ),
    _command(
        "alarms.alarms_update",
        "Change an alarm rule: what is named replaces what was",
        (alarms.RULE_ID, *alarms.RULE, *args.OUTPUT),
        "alarms update 3 --quiet-hours 22:00-07:00 --quiet-zone Europe/Berlin",
        "alarms update 3 --disable",
    ),
    _command(
        "alarms.alarms_delete",
        "Delete an alarm rule; what it fired stays in the list",
        (alarms.RULE_ID, *args.OUTPUT),
        "alarms delete 3",
    ),
    _command(
        "alarms.alarms_events",
        "List alarms: what, when, who was told, who acknowledged it",
        (*alarms.ALARM_FILTERS, *args.OUTPUT),
        "alarms events --unacknowledged --since=-1d",
    ),
    _command(
        "alarms.alarms_acknowledge",
        "Acknowledge alarms: they are neither repeated nor escalated any more",
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
        "Send one message by each channel of a rule now, to those it would tell",
        (alarms.RULE_ID, *args.OUTPUT),
        "alarms test 3",
        more="Exit codes: 0 everything was sent, 1 error, 3 something was not.",
    ),
)

COMMANDS: tuple[CLICommand, ...] = (
    GroupCommand("workflows", help="List and operate workflows", subcommands=WORKFLOWS),
    GroupCommand("tasks", help="List and operate tasks", subcommands=TASKS),
    GroupCommand("replenish", help="Execute missing and failed cycles of tasks and workflows", subcommands=REPLENISH),
    GroupCommand("alarms", help="Alarm rules, alarms, tests", subcommands=ALARMS),
    GroupCommand("operations", help="Operation records, and undo", subcommands=OPERATIONS),
    GroupCommand("strict-mode", help="Strict mode of projects", subcommands=STRICT_MODE),
    _command(
        "system.taskops_sync",
        "Refresh the index of workflows and tasks from the parsed Dags now",
        args.OUTPUT,
        "sync",
    ),
    _command(
        "system.taskops_monitor",
        "Run the monitor loop as a process of its own (SIGINT and SIGTERM end it)",
        (args.ONCE, args.OUTPUT[1]),
        "monitor",
        "monitor --once",
        more="It settles gated instances, drains, resumes, sends alarms, keeps the index fresh. Any number may run.",
    ),
    _command(
        "system.taskops_check",
        "Check the installation: tables, gate, pools, index, monitor, draining workflows, messages of alarms",
        args.OUTPUT,
        "check",
        more="Exit codes: 0 nothing is an error, 1 something is.",
    ),
)


def get_taskops_cli_commands() -> list[CLICommand]:
    """Return the command group; Airflow reads it through the provider's ``cli`` entry."""
    return [
        GroupCommand(
            name="taskops",
            help="Operate tasks and workflows: start, pause, offline, delete, submit, owners, records",
            description=(
                "TaskOps: scheduling state per task, which the scheduler obeys.\n"
                "Changes take --dry-run, are recorded (operations list) and can be undone (operations undo).\n"
                + EXIT_CODES
            ),
            subcommands=COMMANDS,
            epilog=_examples(
                "tasks list --status paused",
                'tasks pause orders_daily clean.orders --reason "source is late" --resume-at +2h',
                "workflows offline --file old.txt --dry-run",
                "check",
            ),
        )
    ]
