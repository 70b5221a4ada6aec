"""The operation records: who did what, when, from where, why, and what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from taskops_provider.domain.answers import copy_as
from taskops_provider.domain.operations.answers import OperationRecord
from taskops_provider.services.operations.record_targets import Touched, touched
from taskops_provider.services.operations.records import (
    EXPORT,
    NEWEST_FIRST,
    RecordFilter,
    list_actors,
    list_operations,
)
from taskops_provider.www.page_request import PageRequest
from taskops_provider.www.presenters import operation_words, text
from taskops_provider.www.presenters.lists import filters, moments
from taskops_provider.www.presenters.lists.columns import Column
from taskops_provider.www.presenters.lists.filters import Quick
from taskops_provider.www.presenters.lists.frame import ListFrame, ListKind, list_frame, read_page
from taskops_provider.www.presenters.operations import downloads
from taskops_provider.www.presenters.text import Badge, Piece, Time

PAGE = "operations"
COLUMNS = (
    Column("number", "No.", "operation_id", largest_first=True),
    Column("at", "Time", "at", largest_first=True, kind="time"),
    Column("what", "What"),
    Column("actor", "Who", "actor"),
    Column("source", "From"),
    Column("outcome", "Outcome"),
    Column("reason", "Reason"),
    Column("ticket", "Ticket"),
    Column("undo", "Undo"),
)
LIST = ListKind(PAGE, "operation", COLUMNS, NEWEST_FIRST)


@dataclass(frozen=True, slots=True)
class UndoLink:
    """An operation that undid this one, or that this one undid."""

    label: str
    number: str
    url: str


@dataclass(frozen=True, slots=True)
class RecordRow:
    """One operation of the list."""

    number: str
    url: str
    at: Time | None
    what: Sequence[Piece]
    filter: str
    actor: str
    source: str
    badge: Badge
    counts: str
    download: downloads.Download | None
    reason: str
    ticket: operation_words.Ticket | None
    undo: Sequence[UndoLink]


@dataclass(frozen=True)
class RecordsPage(ListFrame):
    """What the template ``operations/records.html`` shows."""

    quick: Sequence[Quick]
    rows: Sequence[RecordRow]
    page: str = PAGE
    title: str = "Operation records"
    quick_label: str = "Views"


def records_page(asked: PageRequest) -> RecordsPage:
    """Return the list of operations."""
    problems = filters.Problems()
    where = _filter(asked, problems)
    read = read_page(asked, LIST, problems, partial(list_operations, asked.session, asked.actor, where))
    records = read.found.rows
    about = touched(asked.session, asked.actor, records)
    return copy_as(
        RecordsPage,
        list_frame(asked, LIST, read, _fields(asked, where), problems),
        quick=_quick(asked, where),
        rows=[_row(asked, record, about.get(record.operation_id)) for record in records],
    )


def _filter(asked: PageRequest, problems: filters.Problems) -> RecordFilter:
    since, until = moments.period(asked, problems)
    return RecordFilter(
        verbs=asked.many("verb"),
        actors=asked.many("actor"),
        sources=problems.only("Source", asked.many("source"), operation_words.SOURCES),
        outcomes=problems.only("Outcome", asked.many("outcome"), operation_words.OUTCOMES),
        dag_id=asked.one("dag_id"),
        task_id=asked.one("task_id"),
        workflow=asked.one("workflow"),
        task=asked.one("task"),
        ticket=asked.one("ticket"),
        since=since,
        until=until,
    )


def _fields(asked: PageRequest, where: RecordFilter) -> list[filters.Field]:
    # operations of other versions of TaskOps keep their own words
    verbs = {verb: words.label for verb, words in operation_words.VERBS.items()} | {
        verb: operation_words.label(verb) for verb in where.verbs
    }
    outcomes = {outcome: badge.text for outcome, badge in operation_words.OUTCOMES.items()}
    return [
        filters.text_field("workflow", "Workflow name or ID", where.workflow, "Workflow"),
        filters.text_field("task", "Task name or ID", where.task, "Task"),
        filters.hidden_field("dag_id", "Workflow", [where.dag_id] if where.dag_id else []),
        filters.hidden_field("task_id", "Task", [where.task_id] if where.task_id else []),
        filters.fixed_field("verb", "What", where.verbs, verbs),
        filters.found_field("actor", "Who", where.actors, list_actors(asked.session, asked.actor)),
        filters.fixed_field("source", "From", where.sources, operation_words.SOURCES),
        filters.fixed_field("outcome", "Outcome", where.outcomes, outcomes),
        filters.text_field("ticket", "Ticket", where.ticket, "Ticket"),
        filters.moment_field("since", "Since", asked.one("since") if where.since else "", asked.one("zone")),
        filters.moment_field("until", "Until", asked.one("until") if where.until else "", asked.one("zone")),
    ]


def _quick(asked: PageRequest, where: RecordFilter) -> list[Quick]:
    """The views that people want most: all, their own, their downloads."""
    me = asked.actor.name
    views: Sequence[tuple[str, RecordFilter, dict[str, str]]] = (
        ("All", RecordFilter(), {}),
        ("Mine", RecordFilter(actors=(me,)), {"actor": me}),
        ("Downloads", RecordFilter(verbs=(EXPORT,)), {"verb": EXPORT}),
    )
    return [Quick(label, asked.urls.page(PAGE, query), "", where == view) for label, view, query in views]


def _row(asked: PageRequest, record: OperationRecord, about: Touched | None) -> RecordRow:
    return RecordRow(
        number=f"{record.operation_id}",
        url=url_of(asked, record.operation_id),
        at=text.time(record.at),
        what=operation_words.sentence(record, about),
        filter=operation_words.filter_words(record),
        actor=record.actor,
        source=operation_words.SOURCES.get(record.source, record.source),
        badge=operation_words.OUTCOMES[record.outcome],
        counts=operation_words.counts(record),
        download=downloads.of_record(asked, record),
        reason=record.reason or "",
        ticket=operation_words.ticket(record.ticket),
        undo=undo_links(asked, record),
    )


def url_of(asked: PageRequest, number: int) -> str:
    """Return the address of an operation's page."""
    return asked.urls.page("operation", {"id": str(number)})


def undo_links(asked: PageRequest, record: OperationRecord) -> list[UndoLink]:
    """Return the operations that undid this one, and that this one undid."""
    links = (("Undone by", record.undone_by), ("Undoes", record.undoes))
    return [UndoLink(label, str(number), url_of(asked, number)) for label, number in links if number]
