"""The workflow list."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from taskops_provider.domain.answers import copy_as
from taskops_provider.domain.states import WORKFLOW_MAY_BE, TaskStatus, Verb
from taskops_provider.services.catalog import filter_choices
from taskops_provider.services.catalog.code_links import development_urls
from taskops_provider.services.catalog.filters import WorkflowFilter
from taskops_provider.services.catalog.preferences import read_preference
from taskops_provider.services.catalog.workflows import WorkflowRow, list_workflows
from taskops_provider.www.page_request import PageRequest
from taskops_provider.www.presenters import text
from taskops_provider.www.presenters.lists import filters, rows
from taskops_provider.www.presenters.lists.columns import Arranged, Column, ColumnVisibility, arrange
from taskops_provider.www.presenters.lists.frame import ListFrame, ListKind, list_frame, read_page
from taskops_provider.www.urls import Urls

PAGE = "workflows"
DEFAULT_ORDER = "dag_id"
NAME = Column("name", "Workflow", "dag_id")
#: what each person may hide and put in another order (requirements B25)
COLUMNS = (
    Column("status", "Status", "status"),
    Column("tasks", "Tasks", "task_count", largest_first=True),
    Column("owners", "Owners"),
    Column("folder", "Folder", "folder"),
    Column("schedule", "Schedule", "period"),
    Column("last_submitted", "Last submission", "last_submitted_at", largest_first=True, kind="time"),
    Column(
        "first_submitted",
        "First submission",
        "first_submitted_at",
        largest_first=True,
        kind="time",
        shown=ColumnVisibility.WIDE,
    ),
    Column("project", "Project", shown=ColumnVisibility.HIDDEN),
)
#: what may be done with a workflow
ROWS = rows.ListScope(
    PAGE,
    "workflow",
    WORKFLOW_MAY_BE,
    text.WORKFLOW_BADGES,
    {Verb.START: "Start all", Verb.PAUSE: "Pause all", Verb.OFFLINE: "Take all offline"},
)


@dataclass(frozen=True)
class ListedWorkflow:
    """A row.

    :param target: what its operations are sent; empty where there are none
    :param breakdown: how many tasks have which status
    :param draining: that it drains, and how many runs are left; empty: it does not
    """

    target: str
    actions: Sequence[rows.Action]
    links: Sequence[rows.CellLink]
    id: text.Name
    name: text.Name
    url: str
    summary_url: str
    tasks_url: str
    badge: text.Badge
    breakdown: str
    draining: str
    task_count: str
    owners: text.Owners
    folder: str
    project: str
    period: str
    schedule: str
    first_submitted: text.Time | None
    last_submitted: text.Time | None


@dataclass(frozen=True)
class WorkflowsPage(ListFrame):
    """What the template ``lists/workflows.html`` shows."""

    quick: Sequence[filters.Quick]
    arranged: Arranged
    toolbar: Sequence[rows.Action]
    rows: Sequence[ListedWorkflow]
    title: str = "Workflows"
    page: str = PAGE


def workflows_page(asked: PageRequest) -> WorkflowsPage:
    """Return the list of workflows."""
    problems = filters.Problems()
    where = filter_of(asked, problems)
    chosen = read_preference(asked.session, asked.actor, f"columns.{PAGE}")
    arranged = arrange(NAME, COLUMNS, chosen)
    kind = ListKind(PAGE, "workflow", (NAME, *COLUMNS), DEFAULT_ORDER)
    read = read_page(asked, kind, problems, partial(list_workflows, asked.session, asked.actor, where, asked.now))
    fields = _fields(asked, where)
    frame = list_frame(asked, replace(kind, columns=arranged.columns), read, fields, problems)
    offers, development = _offers(asked, read.found.rows)
    return copy_as(
        WorkflowsPage,
        frame,
        quick=filters.quick(fields, frame.address.url),
        arranged=arranged,
        toolbar=offers.toolbar(),
        rows=[_row(row, asked.urls, offers, development) for row in read.found.rows],
    )


def filter_of(asked: PageRequest, problems: filters.Problems) -> WorkflowFilter:
    """Return what the list's fields ask for, for all that is done with the rows that match."""
    return WorkflowFilter(
        search=asked.one("q"),
        owners=filters.owners_of(asked),
        folders=asked.many("folder"),
        statuses=problems.only("Status", asked.many("status"), text.WORKFLOW_BADGES),
        periods=problems.only("Period", asked.many("period"), text.PERIODS),
        projects=asked.many("project"),
        deleted=filters.with_deleted(asked, problems),
    )


def _fields(asked: PageRequest, where: WorkflowFilter) -> list[filters.Field]:
    found = filters.found_field
    session, actor = asked.session, asked.actor
    return [
        filters.text_field("q", "Name or ID", where.search, "Name or ID, several separated by |"),
        filters.status_field(where.statuses, text.WORKFLOW_BADGES),
        filters.owner_field(asked, filter_choices.owners(session, actor)),
        filters.folder_field(asked),
        filters.fixed_field("period", "Period", where.periods, text.PERIODS),
        found("project", "Project", where.projects, filter_choices.projects(session, actor)),
        filters.deleted_field(is_shown=where.deleted),
    ]


def _offers(asked: PageRequest, found: Sequence[WorkflowRow]) -> tuple[rows.Offers, Mapping[str, str]]:
    """What may be done with the rows, and where their Dags are developed."""
    dag_ids = {row.dag_id for row in found}
    may = asked.actor.permissions
    offers = rows.Offers(asked.urls, ROWS, editable=may.editable(dag_ids), deletable=may.deletable(dag_ids))
    return offers, development_urls(asked.session, asked.actor, dag_ids)


def _row(row: WorkflowRow, urls: Urls, offers: rows.Offers, development: Mapping[str, str]) -> ListedWorkflow:
    workflow = {"dag_id": row.dag_id}
    return ListedWorkflow(
        target=row.dag_id if offers.may_select(row.dag_id) else "",
        actions=offers.menu(row.dag_id, row.status, has_stopped=has_stopped(row)),
        links=[
            rows.CellLink("Details", urls.page("workflow", workflow)),
            rows.CellLink("Tasks", urls.page("tasks", workflow)),
            rows.CellLink("Diagram", urls.page("diagram", workflow)),
            *rows.development(urls, row.dag_id, development),
            rows.CellLink("Dag in Airflow", urls.dag(row.dag_id), "airflow"),
        ],
        id=text.name(row.dag_id),
        name=text.name(row.display_name or row.dag_id),
        url=urls.page("workflow", workflow),
        summary_url=urls.page("workflow/summary", workflow),
        tasks_url=urls.page("tasks", workflow),
        badge=text.WORKFLOW_BADGES[row.status],
        breakdown=_breakdown(row),
        draining=text.draining(row.is_draining, row.draining_runs),
        task_count=f"{row.task_count:,}",
        owners=text.owners(row.owners),
        folder=row.folder,
        project=row.project,
        period=text.PERIODS.get(row.period, row.period),
        schedule=row.schedule or "",
        first_submitted=text.time(row.first_submitted_at),
        last_submitted=text.time(row.last_submitted_at),
    )


def has_stopped(row: WorkflowRow) -> bool:
    """Whether any of its tasks is offline or deleted."""
    return row.deleted_tasks > 0 or row.status_counts.get(TaskStatus.OFFLINE, 0) > 0


def _breakdown(row: WorkflowRow) -> str:
    """How many tasks have which status, where they differ: ``3 scheduling, 1 offline``."""
    present = [(status.value, row.status_counts.get(status.value, 0)) for status in TaskStatus]
    differing = [f"{number:,} {status}" for status, number in present if number]
    return ", ".join(differing) if len(differing) > 1 else ""
