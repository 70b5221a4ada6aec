"""The last operations, a line each, on the pages of workflows and tasks."""

from __future__ import annotations

from dataclasses import dataclass

from taskops_provider.domain.operations.answers import OperationRecord
from taskops_provider.www.presenters import operation_words, text
from taskops_provider.www.urls import Urls


@dataclass(frozen=True)
class LastOperation:
    """One operation, with the way to its record.

    :param reason: the ticket and the reason
    """

    url: str
    label: str
    at: text.Time | None
    actor: str
    outcome: str
    reason: str


def last_operation(record: OperationRecord, urls: Urls) -> LastOperation:
    """Return the line of a record."""
    return LastOperation(
        url=urls.page("operation", {"id": str(record.operation_id)}),
        label=operation_words.label(record.verb),
        at=text.time(record.at),
        actor=record.actor,
        outcome=record.outcome.replace("_", " "),
        reason=" ".join(filter(None, (record.ticket, record.reason))),
    )
