"""Why a task does not run, as people read it."""

from __future__ import annotations

from collections.abc import Iterable

from taskops_provider.cli.output import heading
from taskops_provider.cli.text import clean, out, shown_time
from taskops_provider.domain.gate import WAITS_IN_GATE
from taskops_provider.domain.text import plural
from taskops_provider.services.why.reason import Reason
from taskops_provider.services.why.task import Explanation


def print_why(answer: Explanation) -> None:
    """Print one line a reason: those of the task, then those of its unfinished instances."""
    heading("why is it not running")
    _print_lines(answer.reasons)
    for instance in answer.instances:
        index = f"[{instance.map_index}]" if instance.map_index >= 0 else ""
        state = WAITS_IN_GATE if instance.waits_in_gate else instance.state or "no state yet"
        out(f"  {clean(instance.run_id)}{index} ({state}):")
        _print_lines(instance.reasons, "    ")
    more = (answer.unfinished_instances or 0) - len(answer.instances)
    if more > 0:
        out(f"  and {plural(more, 'further unfinished instance')}")


def _print_lines(reasons: Iterable[Reason], indent: str = "  ") -> None:
    for reason in reasons:
        times = [f"{word} {shown_time(at)}" for word, at in (("since", reason.since), ("until", reason.until)) if at]
        operation = [f"operation {reason.operation_id}"] if reason.operation_id is not None else []
        told = ", ".join(operation + times)
        out(f"{indent}{clean(reason.text)}{f' ({told})' if told else ''}")
