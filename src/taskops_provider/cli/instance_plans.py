"""Plans of operations on instances and runs as people read them."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout

from taskops_provider.cli import confirm
from taskops_provider.cli.output import STRUCTURED, Columns, print_object
from taskops_provider.cli.plans import print_items, summary
from taskops_provider.cli.text import out, say
from taskops_provider.domain.answers import to_plain_data
from taskops_provider.services.operations.instance_request import InstancePlan

_IN_WORDS = {"applied": "applied", "left_alone": "left alone", "blocked": "blocked"}

COLUMNS: Columns = {
    "dag_id": lambda item: item.dag_id,
    "task_id": lambda item: item.task_id or "(run)",
    "run_id": lambda item: item.run_id,
    "map_index": lambda item: "" if item.map_index < 0 else item.map_index,
    "outcome": lambda item: _IN_WORDS.get(item.outcome, item.outcome),
    "state": lambda item: _change_of_state(item.before, item.after, item.outcome),
    "why": lambda item: item.reason or "",
}


def print_instance_plan(plan: InstancePlan, output: str, *, was_shown: bool = False) -> None:
    """Print what was done, or would be.

    :param was_shown: the person just saw the targets, in the question
    """
    answer = plan.answer()
    if output in STRUCTURED:
        print_object(to_plain_data(answer), output)
        return
    tell = say if output == "plain" else out
    for line in summary(plan.plan):
        tell(line)
    for one in plan.followers:
        tell(f"follows: a new run of {one.dag_id}, by {one.by} ({one.of_task})")
    if plan.plan.dry_run and plan.plan.plan_hash:
        tell(f"plan hash: {plan.plan.plan_hash}")
    if not was_shown or output == "plain":
        print_items(answer.items, output, columns=COLUMNS)


def ask(plan: InstancePlan) -> bool:
    """Show a plan and wait for a yes; tell whether there was a question. There is none where it applies to nothing.

    :raises Cancelled: when the answer is anything else
    """
    if not plan.plan.counts().applied:
        return False
    for line in summary(plan.plan):
        say(line.replace("dry run: ", "", 1))
    for one in plan.followers:
        say(f"follows: a new run of {one.dag_id}, by {one.by} ({one.of_task})")
    # stdout is for the answer, which may be read by a program
    with redirect_stdout(sys.stderr):
        print_items(plan.answer().items, "table", shorten=True, columns=COLUMNS)
    confirm.ask_whether("Go on?")
    return True


def _change_of_state(before: str | None, after: str | None, outcome: str) -> str:
    was = before or "none"
    return was if outcome != "applied" or before == after else f"{was} -> {after or 'none'}"
