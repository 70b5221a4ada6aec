"""``airflow taskops uninstall``."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Sequence
from contextlib import redirect_stdout
from dataclasses import asdict

from taskops_provider.cli.confirm import ask_whether, is_asked
from taskops_provider.cli.output import STRUCTURED, Columns, print_list, print_object
from taskops_provider.cli.run import UsageError, changes, opened
from taskops_provider.cli.text import say
from taskops_provider.domain.leaving import StoppedTasks, WaitingInstances
from taskops_provider.services.uninstall.apply import stay, uninstall
from taskops_provider.services.uninstall.plan import UninstallChoices, UninstallPlan, plan_uninstall

#: names that a line of the table has
_NAMED = 5
_COLUMNS: Columns = {"what": lambda row: row[0], "found": lambda row: row[1], "happens": lambda row: row[2]}


@changes
def taskops_uninstall(args: Namespace) -> None:
    """Prepare for the package's removal."""
    if args.stay:
        _stay(args)
        return
    choices = UninstallChoices(StoppedTasks(args.stopped), WaitingInstances(args.waiting), args.drop_tables)
    with opened() as work:
        if args.dry_run or is_asked(args):
            plan = plan_uninstall(work.session, choices, work.now)
            work.session.rollback()
            if args.dry_run:
                _print(plan, args.output)
                return
            with redirect_stdout(sys.stderr):
                _print(plan, "table")
            ask_whether("Go on?")
        plan = uninstall(work.session, work.actor, choices, work.now)
    _print(plan, args.output)
    say(_what_is_next(choices))


def _stay(args: Namespace) -> None:
    if args.dry_run or args.drop_tables:
        raise UsageError("--stay goes with no other choice")
    with opened() as work:
        was = stay(work.session)
    say("the monitors work again" if was else "TaskOps is not being uninstalled: nothing to do")


def _what_is_next(choices: UninstallChoices) -> str:
    if choices.drop_tables:
        return "done: remove airflow-provider-taskops from every component, then start Airflow"
    return (
        "done: stop Airflow, or restart all of it without the package; then drop the tables with "
        "`airflow taskops uninstall --drop-tables` where the package still is, or with SQL"
    )


def _print(plan: UninstallPlan, output: str) -> None:
    if output in STRUCTURED:
        print_object(asdict(plan), output)
        return
    print_list(_rows(plan), _COLUMNS, output, empty="")


def _rows(plan: UninstallPlan) -> list[tuple[str, str, str]]:
    executes = plan.choices.stopped is StoppedTasks.EXECUTE
    settles = plan.choices.waiting is WaitingInstances.SETTLE
    drops = plan.choices.drop_tables
    waiting = ", ".join(f"{number} by {effect}" for effect, number in plan.waiting.items())
    return [
        ("monitors", "", "stand still until `airflow taskops uninstall --stay`"),
        ("replenishments", _told(plan.replenishments), "cancelled; what runs goes on to its end"),
        (
            "stopped tasks",
            _told(plan.stopped_tasks),
            "execute in new runs" if executes else "execute once you unpause their Dags",
        ),
        (
            "waiting instances",
            waiting or "none",
            "end by their effect, held ones as skipped" if settles else "execute when their turn comes",
        ),
        ("Dags to pause", _told(plan.pause), "paused in Airflow; runs under way stand still until you unpause them"),
        ("Dags to unpause", _told(plan.unpause), "unpaused in Airflow"),
        ("paused by TaskOps", _told(plan.stay_paused), "stay paused"),
        ("messages", str(plan.messages), "not sent any more"),
        ("pools", _told(plan.pools), "deleted"),
        ("tables", f"{len(plan.tables)}", "dropped, with all records" if drops else "stay until --drop-tables"),
        ("schedulers with the gate", _told(plan.gated_schedulers), "must end before the tables go"),
        ("connections", _told(plan.connections), "stay: delete them in Airflow"),
    ]


def _told(found: Sequence[object]) -> str:
    if not found:
        return "none"
    more = f" and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
    return f"{len(found)}: {', '.join(map(str, found[:_NAMED]))}{more}"
