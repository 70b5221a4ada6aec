"""The operation records: who did what, when, from where, why, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from taskops_provider.services.records import EXPORT, NEWEST_FIRST, RecordFilter, list_actors, list_operations
from taskops_provider.services.records_targets import Touched, touched
from taskops_provider.www.asked import Asked
from taskops_provider.www.presenters import downloads, filters, listing, moments, text, told
from taskops_provider.www.presenters.columns import Column
from taskops_provider.www.presenters.filters import Quick

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


def present(asked: Asked) -> dict[str, Any]:
    """Return what the template ``operations.html`` shows."""
    problems = filters.Problems()
    where = _filter(asked, problems)
    order_by = listing.order_of(asked, COLUMNS, NEWEST_FIRST, problems)
    read = partial(list_operations, asked.session, asked.actor, where)
    found, page = listing.fetch(read, listing.page_of(asked, problems), order_by, problems)
    about = touched(asked.session, asked.actor, found.rows)
    fields = _fields(asked, where)
    query = {field.name: field.values for field in fields}
    query["zone"] = (asked.one("zone"),) if where.since or where.until else ()
    query["sort"] = (order_by,) if order_by != NEWEST_FIRST else ()
    address = listing.Address(asked, PAGE, query)
    return {
        "page": PAGE,
        "title": "Operation records",
        "problems": problems.lines,
        "fields": fields,
        "quick": _quick(asked, where),
        "quick_label": "Views",
        "zone": "".join(query["zone"]),
        "chips": listing.chips(fields, address),
        "sort": "".join(query["sort"]),
        "reset_url": asked.urls.page(PAGE),
        "refresh_url": address.url(page=str(page) if page > 1 else ""),
        "headers": listing.headers(COLUMNS, order_by, address),
        "rows": [_row(asked, record, about.get(record["operation_id"])) for record in found.rows],
        "pager": listing.pager(found, page, address),
        "counted": text.count(found.total_entries, "operation"),
        "reads_all": asked.actor.permissions.readable() is None,
    }


def _filter(asked: Asked, problems: filters.Problems) -> RecordFilter:
    since, until = moments.period(asked, problems)
    return RecordFilter(
        verbs=asked.many("verb"),
        actors=asked.many("actor"),
        sources=problems.only("Source", asked.many("source"), told.SOURCES),
        outcomes=problems.only("Outcome", asked.many("outcome"), told.OUTCOMES),
        dag_id=asked.one("dag_id"),
        task_id=asked.one("task_id"),
        workflow=asked.one("workflow"),
        task=asked.one("task"),
        ticket=asked.one("ticket"),
        since=since,
        until=until,
    )


def _fields(asked: Asked, where: RecordFilter) -> list[filters.Field]:
    # operations of other versions of TaskOps keep their own words
    verbs = {verb: words.label for verb, words in told.VERBS.items()} | {verb: told.label(verb) for verb in where.verbs}
    outcomes = {outcome: badge.text for outcome, badge in told.OUTCOMES.items()}
    return [
        filters.text_field("workflow", "Workflow name or ID", where.workflow, "Workflow"),
        filters.text_field("task", "Task name or ID", where.task, "Task"),
        filters.hidden_field("dag_id", "Workflow", [where.dag_id] if where.dag_id else []),
        filters.hidden_field("task_id", "Task", [where.task_id] if where.task_id else []),
        filters.fixed_field("verb", "What", where.verbs, verbs),
        filters.found_field("actor", "Who", where.actors, list_actors(asked.session, asked.actor)),
        filters.fixed_field("source", "From", where.sources, told.SOURCES),
        filters.fixed_field("outcome", "Outcome", where.outcomes, outcomes),
        filters.text_field("ticket", "Ticket", where.ticket, "Ticket"),
        filters.moment_field("since", "Since", asked.one("since") if where.since else "", asked.one("zone")),
        filters.moment_field("until", "Until", asked.one("until") if where.until else "", asked.one("zone")),
    ]


def _quick(asked: Asked, where: RecordFilter) -> list[Quick]:
    """The views that people want most: all, their own, their downloads."""
    me = asked.actor.name
    views: Sequence[tuple[str, RecordFilter, dict[str, str]]] = (
        ("All", RecordFilter(), {}),
        ("Mine", RecordFilter(actors=(me,)), {"actor": me}),
        ("Downloads", RecordFilter(verbs=(EXPORT,)), {"verb": EXPORT}),
    )
    return [Quick(label, asked.urls.page(PAGE, query), "", where == view) for label, view, query in views]


def _row(asked: Asked, record: Mapping[str, Any], about: Touched | None) -> dict[str, Any]:
    number = record["operation_id"]
    return {
        "number": f"{number}",
        "url": url_of(asked, number),
        "at": text.time(record["at"]),
        "what": told.sentence(record, about),
        "filter": told.filter_words(record),
        "actor": record["actor"],
        "source": told.SOURCES.get(record["source"], record["source"]),
        "badge": told.OUTCOMES[record["outcome"]],
        "counts": told.counts(record),
        "download": downloads.of_record(asked, record),
        "reason": record["reason"] or "",
        "ticket": told.ticket(record["ticket"]),
        "undo": undo_links(asked, record),
    }


def url_of(asked: Asked, number: int) -> str:
    """Return the address of an operation's page."""
    return asked.urls.page("operation", {"id": str(number)})


def undo_links(asked: Asked, record: Mapping[str, Any]) -> Sequence[Mapping[str, str]]:
    """Return the operations that undid this one, and that this one undid."""
    links = (("Undone by", record["undone_by"]), ("Undoes", record["undoes"]))
    return [{"label": label, "number": str(number), "url": url_of(asked, number)} for label, number in links if number]
