"""The workflow list."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from taskops_provider.domain.states import WORKFLOW_MAY_BE, TaskStatus, Verb
from taskops_provider.services import choices
from taskops_provider.services.development import development_urls
from taskops_provider.services.filters import WorkflowFilter
from taskops_provider.services.preferences import read_preference
from taskops_provider.services.workflows import WorkflowRow, list_workflows
from taskops_provider.www.asked import Asked
from taskops_provider.www.presenters import filters, listing, rows, text
from taskops_provider.www.presenters.columns import Column, Shown, arrange
from taskops_provider.www.urls import Urls

PAGE = "workflows"
DEFAULT_ORDER = "dag_id"
NAME = Column("name", "Workflow", "dag_id")
#: what each person may hide and put in another order (B25)
COLUMNS = (
    Column("status", "Status", "status"),
    Column("tasks", "Tasks", "task_count", largest_first=True),
    Column("owners", "Owners"),
    Column("folder", "Folder", "folder"),
    Column("schedule", "Schedule", "period"),
    Column("last_submitted", "Last submission", "last_submitted_at", largest_first=True, kind="time"),
    Column(
        "first_submitted", "First submission", "first_submitted_at", largest_first=True, kind="time", shown=Shown.WIDE
    ),
    Column("project", "Project", shown=Shown.HIDDEN),
)
#: what may be done with a workflow
ROWS = rows.Scope(
    PAGE,
    "workflow",
    WORKFLOW_MAY_BE,
    text.WORKFLOW_BADGES,
    {Verb.START: "Start all", Verb.PAUSE: "Pause all", Verb.OFFLINE: "Take all offline"},
)


def present(asked: Asked) -> dict[str, Any]:
    """Return what the template ``workflows.html`` shows."""
    problems = filters.Problems()
    where = filter_of(asked, problems)
    chosen = read_preference(asked.session, asked.actor, f"columns.{PAGE}")
    arranged = arrange(NAME, COLUMNS, chosen)
    order_by = listing.order_of(asked, (NAME, *COLUMNS), DEFAULT_ORDER, problems)
    read = partial(list_workflows, asked.session, asked.actor, where, asked.now)
    found, page = listing.fetch(read, listing.page_of(asked, problems), order_by, problems)
    fields = _fields(asked, where)
    query = {field.name: field.values for field in fields}
    address = listing.Address(asked, PAGE, query | {"sort": (order_by,) if order_by != DEFAULT_ORDER else ()})
    offers, development = _offers(asked, found.rows)
    return {
        "page": PAGE,
        "title": "Workflows",
        "problems": problems.lines,
        "fields": fields,
        "quick": filters.quick(fields, address.url),
        "chips": listing.chips(fields, address),
        "sort": "".join(address.query["sort"]),
        "reset_url": asked.urls.page(PAGE),
        "refresh_url": address.url(page=str(page) if page > 1 else ""),
        "headers": listing.headers(arranged.columns, order_by, address),
        "arranged": arranged,
        "matching": listing.query_string(query),
        "toolbar": offers.toolbar(),
        "rows": [_row(row, asked.urls, offers, development) for row in found.rows],
        "pager": listing.pager(found, page, address),
        "counted": text.count(found.total_entries, "workflow"),
        "reads_all": asked.actor.permissions.readable() is None,
    }


def filter_of(asked: Asked, problems: filters.Problems) -> WorkflowFilter:
    """Return what the list's fields ask for, for all that is done with the rows that match."""
    return WorkflowFilter(
        search=asked.one("q"),
        owners=filters.owners_of(asked),
        folders=asked.many("folder"),
        statuses=problems.only("Status", asked.many("status"), text.WORKFLOW_BADGES),
        periods=problems.only("Period", asked.many("period"), text.PERIODS),
        projects=asked.many("project"),
    )


def _fields(asked: Asked, where: WorkflowFilter) -> list[filters.Field]:
    found = filters.found_field
    session, actor = asked.session, asked.actor
    return [
        filters.text_field("q", "Name or ID", where.search, "Name or ID, several separated by |"),
        filters.status_field(where.statuses, text.WORKFLOW_BADGES),
        filters.owner_field(asked, choices.owners(session, actor)),
        filters.folder_field(asked),
        filters.fixed_field("period", "Period", where.periods, text.PERIODS),
        found("project", "Project", where.projects, choices.projects(session, actor)),
    ]


def _offers(asked: Asked, found: Sequence[WorkflowRow]) -> tuple[rows.Offers, Mapping[str, str]]:
    """What may be done with the rows, and where their Dags are developed."""
    dag_ids = {row.dag_id for row in found}
    may = asked.actor.permissions
    offers = rows.Offers(asked.urls, ROWS, editable=may.editable(dag_ids), deletable=may.deletable(dag_ids))
    return offers, development_urls(asked.session, asked.actor, dag_ids)


def _row(row: WorkflowRow, urls: Urls, offers: rows.Offers, development: Mapping[str, str]) -> dict[str, Any]:
    workflow = {"dag_id": row.dag_id}
    return {
        "target": row.dag_id if offers.may_select(row.dag_id) else "",
        "actions": offers.menu(row.dag_id, row.status),
        "links": [
            rows.Link("Details", urls.page("workflow", workflow)),
            rows.Link("Tasks", urls.page("tasks", workflow)),
            rows.Link("Diagram", urls.page("diagram", workflow)),
            *rows.development(urls, row.dag_id, development),
            rows.Link("Dag in Airflow", urls.dag(row.dag_id), "airflow"),
        ],
        "id": text.name(row.dag_id),
        "name": text.name(row.display_name or row.dag_id),
        "url": urls.page("workflow", workflow),
        "summary_url": urls.page("workflow/summary", workflow),
        "tasks_url": urls.page("tasks", workflow),
        "badge": text.WORKFLOW_BADGES[row.status],
        "breakdown": _breakdown(row),
        "draining": None if row.draining_runs is None else text.count(row.draining_runs, "run"),
        "task_count": f"{row.task_count:,}",
        "owners": text.owners(row.owners),
        "folder": row.folder,
        "project": row.project,
        "period": text.PERIODS.get(row.period, row.period),
        "schedule": row.schedule or "",
        "first_submitted": text.time(row.first_submitted_at),
        "last_submitted": text.time(row.last_submitted_at),
    }


def _breakdown(row: WorkflowRow) -> str:
    """How many tasks have which status, where they differ: ``3 scheduling, 1 offline``."""
    present = [(status.value, row.status_counts.get(status.value, 0)) for status in TaskStatus]
    differing = [f"{number:,} {status}" for status, number in present if number]
    return ", ".join(differing) if len(differing) > 1 else ""
