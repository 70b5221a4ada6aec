"""Asking before a change."""

from __future__ import annotations

import sys
from argparse import Namespace
from contextlib import redirect_stdout

from taskops_provider.cli.plans import print_items, summary
from taskops_provider.cli.run import Cancelled
from taskops_provider.cli.text import say
from taskops_provider.domain.operations.plan import Plan


def is_asked(args: Namespace) -> bool:
    """Tell whether a person is there to be asked: a terminal without ``--yes``, never a pipe."""
    dry_run = getattr(args, "dry_run", False)
    return not args.yes and not dry_run and sys.stdin.isatty() and sys.stderr.isatty()


def ask(plan: Plan, *, terminates: bool = False) -> bool:
    """Show a plan and wait for a yes; tell whether there was a question.

    There is none where the plan applies to nothing: it changes nothing.

    :raises Cancelled: when the answer is anything else
    """
    if not plan.counts().applied:
        return False
    for line in summary(plan, terminates=terminates):
        say(line.replace("dry run: ", "", 1))
    # stdout is for the answer, which may be read by a program
    with redirect_stdout(sys.stderr):
        print_items(plan.answer().items, "table", shorten=True)
    ask_whether("Go on?")
    return True


def ask_whether(question: str) -> None:
    """Wait for a yes.

    :raises Cancelled: when the answer is anything else
    """
    sys.stderr.write(f"{question} [y/N] ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise Cancelled("cancelled; nothing was changed")
