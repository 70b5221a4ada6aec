"""Operation records as people read them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from taskops_provider.cli.output import Columns, heading, print_table
from taskops_provider.cli.run import Work
from taskops_provider.services.records import RecordFilter, list_operations

#: operations that `show` tells of
LAST = 5


def _came_of_it(record: dict[str, Any]) -> str:
    counts = {name.replace("_", " "): count for name, count in record["counts"].items() if count}
    told = ", ".join(f"{count:,} {name}" for name, count in counts.items())
    undone = f"; undone by {record['undone_by']}" if record["undone_by"] else ""
    return f"{record['outcome']}: {told or 'nothing'}{undone}"


COLUMNS: Columns = {
    "operation": lambda record: record["operation_id"],
    "at": lambda record: record["at"],
    "actor": lambda record: record["actor"],
    "source": lambda record: record["source"],
    "verb": lambda record: record["verb"],
    "scope": lambda record: record["scope"],
    "outcome": _came_of_it,
    "reason": lambda record: " ".join(filter(None, (record["ticket"], record["reason"]))),
}


def last_operations(work: Work, dag_id: str, task_id: str = "") -> list[dict[str, Any]]:
    """Return the last operations on a workflow, or on one task."""
    where = RecordFilter(dag_id=dag_id, task_id=task_id)
    return list_operations(work.session, work.actor, where, limit=LAST).rows


def print_last_operations(records: Sequence[dict[str, Any]], output: str) -> None:
    """Print them below the details."""
    if records:
        heading("last operations")
        print_table(records, COLUMNS, output, empty="")
