"""What all changes have in common: targets, options, the question, the answer."""

from __future__ import annotations

from argparse import Namespace
from datetime import UTC, datetime

from taskops_provider.cli import confirm
from taskops_provider.cli.plans import print_plan
from taskops_provider.cli.run import EXIT_REFUSED, UsageError, opened
from taskops_provider.cli.selection import find_targets, read_targets
from taskops_provider.cli.times import parse_time
from taskops_provider.domain.operations import OperationOutcome, Options, Plan, Request, Scope, check_options
from taskops_provider.domain.states import Downstream, Verb
from taskops_provider.services import operations, planning


def change(args: Namespace, verb: Verb, scope: Scope) -> int:
    """Preview or apply one operation and print it; return the exit code."""
    if args.dry_run and args.plan_hash is not None:
        raise UsageError("--plan-hash is for applying a plan, --dry-run makes one; take one of them")
    targets = read_targets(args, scope)
    options = _options(args, verb)
    if targets is None:
        with opened() as work:
            targets = find_targets(args, scope, verb, work)
    request = Request(verb, scope, targets, options)
    plan, seen = (_preview(request), False) if args.dry_run else _apply(args, request)
    print_plan(plan, args.output, terminates=options.terminate_instances, seen=seen)
    return exit_code(plan)


def exit_code(plan: Plan) -> int:
    """0 where every target was applied, else 3."""
    return 0 if plan.outcome() is OperationOutcome.SUCCESS else EXIT_REFUSED


def _preview(request: Request) -> Plan:
    with opened() as work:
        return planning.preview(work.session, work.actor, request, work.now)


def _apply(args: Namespace, request: Request) -> tuple[Plan, bool]:
    """Ask where a person is there, and apply; return what was done, and whether the person saw it coming."""
    expected, seen = args.plan_hash, False
    if confirm.is_asked(args):
        # in a session of its own: no transaction waits for a person
        plan = _preview(request)
        seen = confirm.ask(plan, terminates=request.options.terminate_instances)
        # what was agreed to is what is done, or nothing
        expected = expected or plan.plan_hash
    with opened() as work:
        return operations.apply(work.session, work.actor, request, expected_hash=expected), seen


def _options(args: Namespace, verb: Verb) -> Options:
    """Read the options that the verb's command has.

    :raises BadInput: for a combination that cannot be
    """
    now = datetime.now(UTC)
    downstream = getattr(args, "downstream", None)
    resume_at = getattr(args, "resume_at", None)
    options = Options(
        reason=args.reason or None,
        ticket=args.ticket or None,
        downstream=Downstream(downstream) if downstream else None,
        terminate_instances=getattr(args, "terminate_instances", False),
        resume_at=None if resume_at is None else parse_time("--resume-at", resume_at, now, sign="+"),
        held=getattr(args, "held", "run"),
        cascade=getattr(args, "cascade", False),
        fill_gap=getattr(args, "fill_gap", False),
        owners=_owners(args),
        notify_owners=args.notify_owners,
    )
    # what cannot be is said before the database is asked
    check_options(verb, options, now=now)
    return options


def _owners(args: Namespace) -> tuple[str, ...]:
    listed = getattr(args, "new_owner_list", None)
    return (*(getattr(args, "new_owners", None) or ()), *(listed.split(",") if listed is not None else ()))
