"""Operation records as people read them."""

from __future__ import annotations

from collections.abc import Sequence

from taskops_provider.cli.output import Columns, heading, print_table
from taskops_provider.domain.operations.answers import OperationRecord


def _came_of_it(record: OperationRecord) -> str:
    numbers = record.counts.by_outcome()
    told = ", ".join(f"{number:,} {name.replace('_', ' ')}" for name, number in numbers.items() if number)
    undone = f"; undone by {record.undone_by}" if record.undone_by else ""
    return f"{record.outcome}: {told or 'nothing'}{undone}"


COLUMNS: Columns = {
    "operation": lambda record: record.operation_id,
    "at": lambda record: record.at,
    "actor": lambda record: record.actor,
    "source": lambda record: record.source,
    "verb": lambda record: record.verb,
    "scope": lambda record: record.scope,
    "outcome": _came_of_it,
    "reason": lambda record: " ".join(filter(None, (record.ticket, record.reason))),
}


def print_last_operations(records: Sequence[OperationRecord], output: str) -> None:
    """Print them below the details."""
    if records:
        heading("last operations")
        print_table(records, COLUMNS, output, empty="")
