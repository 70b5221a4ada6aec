"""The task list."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from taskops_provider.domain.answers import copy_as
from taskops_provider.domain.states import TASK_MAY_BE, TaskState, TaskStatus
from taskops_provider.services.catalog import filter_choices
from taskops_provider.services.catalog.code_links import development_urls
from taskops_provider.services.catalog.filters import TaskFilter
from taskops_provider.services.catalog.preferences import read_preference
from taskops_provider.services.catalog.tasks import TaskRow, list_tasks
from taskops_provider.www.page_request import PageRequest
from taskops_provider.www.presenters import text
from taskops_provider.www.presenters.lists import filters, rows
from taskops_provider.www.presenters.lists.columns import Arranged, Column, ColumnVisibility, arrange
from taskops_provider.www.presenters.lists.frame import ListFrame, ListKind, list_frame, read_page
from taskops_provider.www.urls import Urls

PAGE = "tasks"
DEFAULT_ORDER = "dag_id"
NAME = Column("name", "Task", "task_id")
#: the twelve that each person may hide and put in another order (requirements B25)
COLUMNS = (
    Column("status", "Status", "status"),
    Column("workflow", "Workflow", "dag_id"),
    Column("owners", "Owners"),
    Column("type", "Type", "task_type"),
    Column("schedule", "Schedule", "period"),
    Column("pool", "Pool", "pool"),
    Column("last_submitted", "Last submission", "last_submitted_at", largest_first=True, kind="time"),
    Column("first_run", "First run", "first_run_at", largest_first=True, kind="time", shown=ColumnVisibility.WIDE),
    Column("folder", "Folder", "folder", shown=ColumnVisibility.WIDE),
    Column(
        "first_submitted", "Created", "first_submitted_at", largest_first=True, kind="time", shown=ColumnVisibility.WIDE
    ),
    Column(
        "effective_from",
        "Effective from",
        "effective_from",
        largest_first=True,
        kind="time",
        shown=ColumnVisibility.HIDDEN,
    ),
    Column("effective_to", "Expires", "effective_to", largest_first=True, kind="time", shown=ColumnVisibility.HIDDEN),
)
#: what may be done with a task
ROWS = rows.ListScope(PAGE, "task", TASK_MAY_BE, text.TASK_BADGES, {})
#: on a Dag's own page these say the same in each row
_SAME_IN_A_DAG = frozenset({"workflow", "folder", "schedule"})


@dataclass(frozen=True)
class ListedTask:
    """A row.

    :param target: what its operations are sent; empty where there are none
    :param why: why it does not run, as far as the row tells
    :param beside_pool: the queue and the executor, in words
    """

    target: str
    actions: Sequence[rows.Action]
    links: Sequence[rows.CellLink]
    id: text.Name
    name: text.Name
    url: str
    badge: text.Badge
    why: str
    resume_at: text.Time | None
    dag_id: str
    workflow: text.Name
    workflow_url: str
    owners: text.Owners
    type: str
    period: str
    schedule: str
    pool: str
    beside_pool: str
    folder: str
    last_submitted: text.Time | None
    first_run: text.Time | None
    first_submitted: text.Time | None
    effective_from: text.Time | None
    effective_to: text.Time | None


@dataclass(frozen=True)
class TasksPage(ListFrame):
    """What the template ``lists/tasks.html`` shows.

    :param in_dag: on the tab of its Dag
    :param fixed: what every address of the page has
    """

    title: str
    in_dag: bool
    fixed: Mapping[str, str]
    quick: Sequence[filters.Quick]
    arranged: Arranged
    toolbar: Sequence[rows.Action]
    rows: Sequence[ListedTask]
    page: str = PAGE


def tasks_page(asked: PageRequest) -> TasksPage:
    """Return the list of tasks."""
    problems = filters.Problems()
    where = filter_of(asked, problems)
    in_dag = asked.one("tab") == "dag" and len(where.dag_ids) == 1
    fixed = {"tab": "dag", "dag_id": where.dag_ids[0]} if in_dag else {}
    chosen = read_preference(asked.session, asked.actor, f"columns.{PAGE}")
    arranged = arrange(NAME, COLUMNS, chosen, _SAME_IN_A_DAG if in_dag else ())
    kind = ListKind(PAGE, "task", (NAME, *COLUMNS), "task_id" if in_dag else DEFAULT_ORDER)
    read = read_page(asked, kind, problems, partial(list_tasks, asked.session, asked.actor, where, asked.now))
    fields = _fields(asked, where, in_dag=in_dag)
    frame = list_frame(asked, replace(kind, columns=arranged.columns), read, fields, problems, fixed)
    offers, development = _offers(asked, read.found.rows)
    return copy_as(
        TasksPage,
        frame,
        title=f"Tasks of {where.dag_ids[0]}" if len(where.dag_ids) == 1 else "Tasks",
        in_dag=in_dag,
        fixed=fixed,
        quick=filters.quick(fields, frame.address.url),
        arranged=arranged,
        toolbar=offers.toolbar(),
        rows=[_row(row, asked.urls, offers, development, in_dag=in_dag) for row in read.found.rows],
    )


def filter_of(asked: PageRequest, problems: filters.Problems) -> TaskFilter:
    """Return what the list's fields ask for, for all that is done with the rows that match."""
    return TaskFilter(
        search=asked.one("q"),
        dag_ids=asked.many("dag_id"),
        workflows=_terms(asked.one("workflow")),
        owners=filters.owners_of(asked),
        folders=asked.many("folder"),
        statuses=problems.only("Status", asked.many("status"), text.TASK_BADGES),
        task_types=asked.many("type"),
        source_table=asked.one("source"),
        target_table=asked.one("target"),
        deleted=filters.with_deleted(asked, problems),
    )


def _terms(words: str) -> tuple[str, ...]:
    """The whole, for a name that has a | in it, and its parts."""
    parts = [words, *(part.strip() for part in words.split("|"))]
    return tuple(dict.fromkeys(part for part in parts if part))


def _fields(asked: PageRequest, where: TaskFilter, *, in_dag: bool) -> list[filters.Field]:
    session, actor = asked.session, asked.actor
    workflow = [
        filters.text_field("workflow", "Workflow name or ID", asked.one("workflow"), "Workflow"),
        filters.hidden_field("dag_id", "Workflow", where.dag_ids),
    ]
    found = filters.found_field
    return [
        filters.text_field("q", "Task name or ID", where.search, "Task name or ID"),
        *([] if in_dag else workflow),
        filters.status_field(where.statuses, text.TASK_BADGES),
        found("type", "Type", where.task_types, filter_choices.task_types(session, actor)),
        filters.owner_field(asked, filter_choices.owners(session, actor)),
        *([] if in_dag else [filters.folder_field(asked)]),
        filters.text_field("source", "Source table", where.source_table, "Source table"),
        filters.text_field("target", "Target table", where.target_table, "Target table"),
        filters.deleted_field(is_shown=where.deleted),
    ]


def _offers(asked: PageRequest, found: Sequence[TaskRow]) -> tuple[rows.Offers, Mapping[str, str]]:
    """What may be done with the rows, and where the code of their Dags is developed."""
    dag_ids = {row.dag_id for row in found}
    editable = asked.actor.permissions.editable(dag_ids)
    # a task is deleted by who may edit its Dag
    offers = rows.Offers(asked.urls, ROWS, editable=editable, deletable=editable)
    return offers, development_urls(asked.session, asked.actor, dag_ids)


def _row(row: TaskRow, urls: Urls, offers: rows.Offers, development: Mapping[str, str], *, in_dag: bool) -> ListedTask:
    page = partial(_task_page, row, urls, in_dag=in_dag)
    return ListedTask(
        target=f"{row.dag_id} {row.task_id}" if offers.may_select(row.dag_id) else "",
        actions=offers.menu(row.dag_id, row.status),
        links=[
            rows.CellLink("View instances", page("history")),
            rows.CellLink("Details", page("info")),
            rows.CellLink("Lineage", page("lineage")),
            rows.CellLink("Alarms", urls.page("alarms", {"dag_id": row.dag_id, "task_id": row.task_id})),
            rows.CellLink("Diagram of the workflow", urls.page("diagram", {"dag_id": row.dag_id})),
            *rows.development(urls, row.dag_id, development),
            rows.CellLink("Task in Airflow", urls.task(row.dag_id, row.task_id), "airflow"),
        ],
        id=text.name(row.task_id),
        name=text.name(row.display_name or row.task_id),
        url=page("lineage"),
        badge=text.TASK_BADGES[row.status],
        why=_why(row),
        resume_at=text.time(row.resume_at) if row.status == TaskStatus.PAUSED else None,
        dag_id=row.dag_id,
        workflow=text.name(row.workflow_name or row.dag_id),
        workflow_url=urls.page("workflow", {"dag_id": row.dag_id}),
        owners=text.owners(row.owners),
        type=row.task_type,
        period=text.PERIODS.get(row.period, row.period),
        schedule=row.schedule or "",
        pool=row.pool or "",
        beside_pool=_beside_pool(row),
        folder=row.folder,
        last_submitted=text.time(row.last_submitted_at),
        first_run=text.time(row.first_run_at),
        first_submitted=text.time(row.first_submitted_at),
        effective_from=text.time(row.effective_from),
        effective_to=text.time(row.effective_to),
    )


def _task_page(row: TaskRow, urls: Urls, view: str, *, in_dag: bool) -> str:
    query = {"dag_id": row.dag_id, "task_id": row.task_id, "view": view}
    # on a Dag's own page it stays inside that
    return urls.page("task", query | {"embedded": "1"} if in_dag else query)


def _beside_pool(row: TaskRow) -> str:
    """The queue and the executor, in words."""
    parts = [f"queue {row.queue}" if row.queue else "", f"executor {row.executor}" if row.executor else ""]
    return ", ".join(part for part in parts if part)


def _why(row: TaskRow) -> str:
    """Why a task does not run, as far as the row tells."""
    if row.status == TaskStatus.PAUSED and row.state == TaskState.SCHEDULING:
        return "with its workflow"
    if row.status in (TaskStatus.PAUSED, TaskStatus.OFFLINE):
        return row.reason or ""
    return f"paused by window {row.window}" if row.window else ""
