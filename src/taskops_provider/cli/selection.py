"""The targets of a change: named, from a file, or everything that filters match; exactly one of the three."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Iterable, Iterator
from pathlib import Path

from taskops_provider.cli.filters import given_filters, task_filter, workflow_filter
from taskops_provider.cli.run import UsageError, Work
from taskops_provider.domain.operations.targets import Scope, Target
from taskops_provider.domain.states import Verb
from taskops_provider.exceptions import BadInput
from taskops_provider.services.catalog.tasks import matching_targets
from taskops_provider.services.catalog.workflows import matching_workflows


def read_targets(args: Namespace, scope: Scope) -> tuple[Target, ...] | None:
    """Return the targets that were named or are in the file; None when filters are to find them.

    :raises UsageError: when not exactly one way was taken
    :raises BadInput: for a file that cannot be read, naming the line
    """
    named = _named(args, scope)
    _check_one_way(args, named=bool(named) or (scope is Scope.TASK and bool(args.dag_id)))
    if args.all_matching:
        return None
    if args.file is not None:
        return tuple(_from_file(args.file, scope))
    if not named:
        raise UsageError(f"name at least one task of {args.dag_id}: DAG_ID TASK_ID [TASK_ID ...]")
    return named


def find_targets(args: Namespace, scope: Scope, verb: Verb, work: Work) -> tuple[Target, ...]:
    """Return what the filters match.

    :raises BadInput: when that is nothing, or a filter cannot be
    """
    # what was deleted can be submitted: look among those too
    deleted = verb is Verb.SUBMIT
    if scope is Scope.TASK:
        pairs = matching_targets(work.session, work.actor, task_filter(args), work.now, deleted=deleted)
        targets = tuple(Target(dag_id, task_id) for dag_id, task_id in pairs)
    else:
        dag_ids = matching_workflows(work.session, work.actor, workflow_filter(args), work.now, deleted=deleted)
        targets = tuple(Target(dag_id) for dag_id in dag_ids)
    if not targets:
        raise BadInput(f"no {scope.value} matches the filters")
    return targets


def _named(args: Namespace, scope: Scope) -> tuple[Target, ...]:
    if scope is Scope.TASK:
        return tuple(Target(args.dag_id, task_id) for task_id in args.task_ids)
    return tuple(Target(dag_id) for dag_id in args.dag_ids)


def _check_one_way(args: Namespace, *, named: bool) -> None:
    ways = {"targets by name": named, "--file": args.file is not None, "--all-matching": args.all_matching}
    taken = [way for way, was_taken in ways.items() if was_taken]
    filters = given_filters(args)
    if len(taken) > 1:
        raise UsageError(f"{' and '.join(taken)} do not go together; take one of them")
    if filters and not args.all_matching:
        raise UsageError(f"{', '.join(filters)} choose targets only together with --all-matching")
    if not taken:
        raise UsageError("nothing is selected; name targets, or give --file, or filters with --all-matching")
    if args.all_matching and not given_filters(args, widening=False):
        raise UsageError("--all-matching needs a filter, as --folder, --owner or --status")


def _from_file(path: str, scope: Scope) -> Iterator[Target]:
    """Yield the targets of a file.

    :raises BadInput: when it cannot be read, holds none, or a line is no target
    """
    where = "standard input" if path == "-" else path
    wanted = "DAG_ID TASK_ID" if scope is Scope.TASK else "DAG_ID"
    found = False
    try:
        for number, line in enumerate(_lines(path), start=1):
            words = line.partition("#")[0].split()
            if not words:
                continue
            if len(words) != len(wanted.split()):
                raise BadInput(f"{where}, line {number}: {line.strip()[:80]!r} is not {wanted!r}")
            found = True
            yield Target(*words)
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise BadInput(f"{where} cannot be read: {reason}") from None
    if not found:
        raise BadInput(f"{where} names no {scope.value}")


def _lines(path: str) -> Iterable[str]:
    # splitlines would also split at characters such as U+2028
    text = sys.stdin.read() if path == "-" else Path(path).read_text(encoding="utf-8-sig")
    return text.removeprefix("\N{ZERO WIDTH NO-BREAK SPACE}").split("\n")
