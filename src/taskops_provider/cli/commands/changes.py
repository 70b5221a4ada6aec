"""What all changes have in common: targets, options, the question, the answer."""

from __future__ import annotations

from argparse import Namespace
from datetime import UTC, datetime

from taskops_provider.cli import confirm
from taskops_provider.cli.plans import print_plan
from taskops_provider.cli.run import EXIT_REFUSED, UsageError, opened
from taskops_provider.cli.selection import find_targets, read_targets
from taskops_provider.cli.times import parse_time
from taskops_provider.domain.operations.outcomes import OperationOutcome
from taskops_provider.domain.operations.plan import Plan
from taskops_provider.domain.operations.targets import Scope
from taskops_provider.domain.states import Verb
from taskops_provider.inputs.operation import Options, Request, check_options
from taskops_provider.inputs.problems import flag
from taskops_provider.inputs.reading import read
from taskops_provider.services.operations.apply import apply_operation
from taskops_provider.services.operations.plan import preview_operation


def change(args: Namespace, verb: Verb, scope: Scope) -> int:
    """Preview or apply one operation and print it; return the exit code."""
    if args.dry_run and args.plan_hash is not None:
        raise UsageError("--plan-hash is for applying a plan, --dry-run makes one; take one of them")
    targets = read_targets(args, scope)
    options = options_of(args, verb)
    if targets is None:
        with opened() as work:
            targets = find_targets(args, scope, verb, work)
    request = Request(verb, scope, targets, options)
    plan, was_shown = (_preview(request), False) if args.dry_run else _apply(args, request)
    print_plan(plan, args.output, terminates=options.terminate_instances, was_shown=was_shown)
    return exit_code(plan)


def exit_code(plan: Plan) -> int:
    """0 where every target was applied, else 3."""
    return 0 if plan.outcome() is OperationOutcome.SUCCESS else EXIT_REFUSED


def _preview(request: Request) -> Plan:
    with opened() as work:
        return preview_operation(work.session, work.actor, request, work.now)


def _apply(args: Namespace, request: Request) -> tuple[Plan, bool]:
    """Ask where a person is there, and apply; return what was done, and whether the person saw it coming."""
    expected, was_shown = args.plan_hash, False
    if confirm.is_asked(args):
        # in a session of its own: no transaction waits for a person
        plan = _preview(request)
        was_shown = confirm.ask(plan, terminates=request.options.terminate_instances)
        # what was agreed to is what is done, or nothing
        expected = expected or plan.plan_hash
    with opened() as work:
        return apply_operation(work.session, work.actor, request, expected_hash=expected), was_shown


def options_of(args: Namespace, verb: Verb) -> Options:
    """Read the options that the verb's command has.

    :raises BadInput: for a combination that cannot be
    """
    now = datetime.now(UTC)
    # what a command does not offer, or nobody gave, is left to the model's default
    given = {name: value for name in Options.model_fields if (value := getattr(args, name, None)) is not None}
    if "resume_at" in given:
        given["resume_at"] = parse_time("--resume-at", given["resume_at"], now, sign="+")
    if verb is Verb.SET_OWNERS:
        given["owners"] = _owners(args)
    options = read(Options, given, name=flag)
    # what cannot be is said before the database is asked
    check_options(verb, options, now=now)
    return options


def _owners(args: Namespace) -> tuple[str, ...]:
    listed = args.new_owner_list.split(",") if args.new_owner_list is not None else ()
    return (*(args.new_owners or ()), *listed)
