"""Why a task does not run, as people read it."""

from __future__ import annotations

from collections.abc import Iterable

from taskops_provider.cli.output import heading
from taskops_provider.cli.text import clean, out, plural, shown_time
from taskops_provider.services.why import Why
from taskops_provider.services.why_reason import Reason


def print_why(answer: Why) -> None:
    """Print one line a reason: those of the task, then those of its unfinished instances."""
    heading("why is it not running")
    _print_lines(answer.reasons)
    for instance in answer.instances:
        index = f"[{instance.map_index}]" if instance.map_index >= 0 else ""
        out(f"  {clean(instance.run_id)}{index} ({instance.state or 'no state yet'}):")
        _print_lines(instance.reasons, "    ")
    more = (answer.unfinished or 0) - len(answer.instances)
    if more > 0:
        out(f"  and {plural(more, 'further unfinished instance')}")


def _print_lines(reasons: Iterable[Reason], indent: str = "  ") -> None:
    for reason in reasons:
        times = [f"{word} {shown_time(at)}" for word, at in (("since", reason.since), ("until", reason.until)) if at]
        operation = [f"operation {reason.operation_id}"] if reason.operation_id is not None else []
        told = ", ".join(operation + times)
        out(f"{indent}{clean(reason.text)}{f' ({told})' if told else ''}")
