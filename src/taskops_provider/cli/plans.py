"""Plans of operations as people read them."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence

from taskops_provider.cli.output import STRUCTURED, Columns, print_object, print_table
from taskops_provider.cli.text import clean, out, say
from taskops_provider.domain.alarms.deliveries import EMAIL
from taskops_provider.domain.answers import to_plain_data
from taskops_provider.domain.operations.answers import BlockingTask, Gap, TargetOutcome
from taskops_provider.domain.operations.outcomes import Outcome
from taskops_provider.domain.operations.plan import Plan
from taskops_provider.domain.text import plural

#: applied targets shown on a terminal, where what was refused must not scroll away
SHOWN_APPLIED = 50

_IN_WORDS = {"applied": "applied", "left_alone": "left alone", "blocked": "blocked"}
_FUTURE = {"applied": "would be applied", "left_alone": "left alone", "blocked": "blocked"}
_REFUSED_FIRST = {Outcome.BLOCKED.value: 0, Outcome.LEFT_ALONE.value: 1, Outcome.APPLIED.value: 2}

ITEM_COLUMNS: Columns = {
    "dag_id": lambda item: item.dag_id,
    "task_id": lambda item: item.task_id or "(workflow)",
    "outcome": lambda item: _IN_WORDS.get(item.outcome, item.outcome),
    "status": lambda item: _change_of_status(item),
    "why": lambda item: why_refused(item),
}
WITH_WAVES: Columns = {**ITEM_COLUMNS, "wave": lambda item: item.wave}


def print_plan(plan: Plan, output: str, *, terminates: bool = False, was_shown: bool = False) -> None:
    """Print what was done, or would be.

    :param terminates: unfinished instances end
    :param was_shown: the person just saw the targets, in the question
    """
    answer = plan.answer()
    if output in STRUCTURED:
        print_object(to_plain_data(answer), output)
        return
    # plain is rows and nothing else on stdout
    tell = say if output == "plain" else out
    for line in summary(plan, terminates=terminates):
        tell(line)
    if plan.dry_run and plan.plan_hash:
        tell(f"plan hash: {plan.plan_hash}")
    if not was_shown or output == "plain":
        print_items(answer.items, output)


def summary(plan: Plan, *, terminates: bool = False) -> Iterable[str]:
    """Yield the lines above the targets: what, how many, what else it touches."""
    counts = plan.counts()
    words = _FUTURE if plan.dry_run else _IN_WORDS
    # left alone and blocked are of interest only where there are any
    numbers = counts.by_outcome()
    told = ", ".join(f"{numbers[key]:,} {words[key]}" for key in words if numbers[key] or key == "applied")
    yield f"{f'operation {plan.operation_id}' if plan.operation_id else 'dry run'}: {plan.verb}: {told}"
    if plan.notified is not None:
        others = [f"by {channel}" for channel in plan.notified.channels if channel != EMAIL]
        yield f"told: {', '.join([*plan.notified.told, *others]) or 'nobody'}"
        if plan.notified.unreachable:
            yield f"without an e-mail address: {', '.join(plan.notified.unreachable)}"
    affects = plan.affects
    if affects.instances:
        instances = plural(affects.instances, "unfinished instance")
        what = "would be ended" if terminates else "would go on to their end"
        yield f"{instances} {what if plan.dry_run else 'ended or gated'}"
    if affects.downstream_tasks:
        workflows = plural(affects.downstream_workflows, "workflow")
        more = affects.downstream_workflows - len(affects.workflows)
        named = ", ".join([*map(clean, affects.workflows), *([f"{more:,} more"] if more else [])])
        yield f"{plural(affects.downstream_tasks, 'task')} downstream, in {workflows}: {named}"
    for dag_id in affects.drains:
        yield f"no task of {clean(dag_id)} stays scheduling: it drains, then its Dag is paused in Airflow"
    for window in plan.windows:
        tasks = plural(window.tasks, "task")
        yield f"{tasks} in window {clean(window.name)} until {window.until}: runs created in it do not execute them"
    if plan.gap is not None and counts.applied:
        yield from _gap(plan.gap, is_done=not plan.dry_run)


def _gap(gap: Gap, *, is_done: bool) -> Iterable[str]:
    if not gap.cells:
        yield "nothing was missed that is to be replenished"
    elif is_done:
        yield f"replenishment {gap.replenishment_id}: {plural(gap.cells, 'missed cell')}"
        yield f"follow it with: airflow taskops replenish show {gap.replenishment_id}"
    else:
        runs = f"{plural(gap.new_runs, 'new run')}, {plural(gap.existing_runs, 'existing run')}"
        yield f"{plural(gap.cells, 'missed cell')} would be replenished: {runs}"
    for note in gap.notes:
        yield f"  note: {note}"


def print_items(
    items: Sequence[TargetOutcome], output: str, *, shorten: bool | None = None, columns: Columns | None = None
) -> None:
    """Print the targets with what came of each, the refused ones first.

    :param shorten: leave most of the applied ones out; default: on a terminal
    :param columns: other columns than those of tasks
    """
    ordered = sorted(items, key=lambda item: _REFUSED_FIRST.get(item.outcome, 3))
    applied = sum(item.outcome == Outcome.APPLIED.value for item in items)
    left_out = 0
    if applied > SHOWN_APPLIED and (sys.stdout.isatty() if shorten is None else shorten):
        left_out = applied - SHOWN_APPLIED
        ordered = ordered[:-left_out]
    if columns is None:
        columns = WITH_WAVES if any(item.wave is not None for item in items) else ITEM_COLUMNS
    print_table(ordered, columns, output, empty="no targets")
    if left_out:
        out(f"... and {left_out:,} more applied (--output json has them all)")


def why_refused(item: TargetOutcome) -> str:
    """The reason of an item with what blocks it."""
    reason = item.reason or ""
    if not item.blocked_by:
        return reason
    return f"{reason}: {', '.join(map(_blocker, item.blocked_by))}"


def _blocker(by: BlockingTask) -> str:
    """A blocking task as ``dag.task``."""
    return clean(f"{by.dag_id}.{by.task_id}" if by.dag_id else by.name)


def _change_of_status(item: TargetOutcome) -> str:
    before, after = item.before or "", item.after or ""
    return before if before == after or not after else f"{before} -> {after}"
