"""One task: the head of its page, and which of its four views is below it (requirements B19, B20, C1-C4)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from taskops_provider.domain.states import TASK_MAY_BE, Downstream, TaskState, TaskStatus, Verb
from taskops_provider.exceptions import BadInput
from taskops_provider.services.catalog.code_links import development_urls
from taskops_provider.services.catalog.task_facts import TaskFacts, task_facts
from taskops_provider.services.catalog.tasks import TaskRow, get_task
from taskops_provider.www.page_request import PageRequest
from taskops_provider.www.presenters import text
from taskops_provider.www.presenters.lists import filters, rows
from taskops_provider.www.presenters.task.curve import CurveView, curve_view
from taskops_provider.www.presenters.task.history import HistoryView, history_view
from taskops_provider.www.presenters.task.info import InfoView, info_view
from taskops_provider.www.presenters.task.lineage import LineageView, lineage_view
from taskops_provider.www.presenters.task.page import PAGE, TaskPage

TaskView: TypeAlias = LineageView | HistoryView | CurveView | InfoView

VIEWS: Mapping[str, tuple[str, Callable[[TaskPage], TaskView]]] = {
    "lineage": ("Task lineage", lineage_view),
    "history": ("Execution history", history_view),
    "curve": ("Execution curve", curve_view),
    "info": ("Basic information", info_view),
}
DEFAULT_VIEW = "lineage"
#: what Airflow leaves in the address of a tab where the page is not of one task: a group's, say
PLACEHOLDER = "{TASK_ID}"

_ROWS = rows.ListScope("tasks", "task", TASK_MAY_BE, text.TASK_BADGES, {})
_EFFECTS: Mapping[str, str] = {
    Downstream.SKIP: "Its instances are skipped",
    Downstream.RUN: "Its instances count as success without executing",
    Downstream.FAIL: "Its instances fail without executing",
    Downstream.HOLD: "Its instances wait until it is started",
}


@dataclass(frozen=True)
class StopFacts:
    """What stands beside the status: by whom, when, why, until when, with which effect.

    :param with_workflow: it is paused with its workflow
    :param window: the window that it is in, and until when; empty: none
    """

    with_workflow: bool
    operation_url: str = ""
    operation_id: int | None = None
    actor: str | None = None
    at: text.Time | None = None
    reason: str | None = None
    ticket: str | None = None
    resume_at: text.Time | None = None
    effect: str = ""
    window: str = ""


@dataclass(frozen=True)
class TaskHead:
    """The head of the page.

    :param target: what operations on it are sent
    """

    id: text.Name
    name: text.Name
    target: str
    badge: text.Badge
    type: str
    is_mapped: bool
    is_present: bool
    workflow: text.Name
    workflow_url: str
    owners: text.Owners
    state: StopFacts


@dataclass(frozen=True)
class GroupPage:
    """What the template ``task/page.html`` shows where Airflow's page is of a group of tasks."""

    embedded: bool
    tasks_url: str
    title: str = "A group of tasks"
    task: None = None
    page: str = PAGE
    section: str = "tasks"


@dataclass(frozen=True)
class TaskContents:
    """What the template ``task/page.html`` shows.

    :param embedded: inside Airflow's own page of the task
    :param fixed: what every address of the page has
    :param view: the one that is shown, with its contents in ``shown``
    :param views: value, label, address
    """

    title: str
    embedded: bool
    fixed: Mapping[str, str]
    view: str
    views: Sequence[tuple[str, str, str]]
    shown: TaskView
    problems: Sequence[str]
    task: TaskHead
    buttons: Sequence[rows.Action]
    links: Sequence[rows.CellLink]
    why_url: str
    asks_why: bool
    page: str = PAGE
    section: str = "tasks"


def task_page(asked: PageRequest) -> TaskContents | GroupPage:
    """Return the page of a task.

    :raises BadInput: when no task is named
    :raises ResourceNotFound: when there is no such task, or its Dag may not be read
    """
    dag_id, task_id = asked.one("dag_id"), asked.one("task_id")
    is_embedded = asked.one("embedded") == "1"
    if not dag_id or not task_id:
        raise BadInput("The address names no task: it needs dag_id and task_id")
    if task_id == PLACEHOLDER:
        query = {"dag_id": dag_id} | ({"tab": "dag"} if is_embedded else {})
        return GroupPage(is_embedded, asked.urls.page("tasks", query))
    problems = filters.Problems()
    given = asked.one("view") or DEFAULT_VIEW
    view = given if problems.only("View", [given], VIEWS) else DEFAULT_VIEW
    row = get_task(asked.session, asked.actor, dag_id, task_id, asked.now)
    page = TaskPage(asked, row, task_facts(asked.session, dag_id, task_id), view, is_embedded, problems)
    return TaskContents(
        title=row.display_name or task_id,
        embedded=is_embedded,
        fixed=page.fixed,
        view=view,
        views=[(name, label, page.url(view=name)) for name, (label, _) in VIEWS.items()],
        shown=VIEWS[view][1](page),
        problems=problems.lines,
        task=_head(page),
        buttons=_buttons(page),
        links=_links(page),
        why_url=asked.urls.page("task/why", {"dag_id": dag_id, "task_id": task_id}),
        asks_why=row.status != TaskStatus.SCHEDULING,
    )


def _head(page: TaskPage) -> TaskHead:
    row, facts, urls = page.row, page.facts, page.asked.urls
    return TaskHead(
        id=text.name(row.task_id),
        name=text.name(row.display_name or row.task_id),
        target=f"{row.dag_id} {row.task_id}",
        badge=text.TASK_BADGES[row.status],
        type=row.task_type,
        is_mapped=facts.is_mapped,
        is_present=row.is_present,
        workflow=text.name(facts.workflow_name or row.dag_id),
        workflow_url=urls.page("workflow", {"dag_id": row.dag_id}),
        owners=text.owners(row.owners),
        state=_state(row, facts, page),
    )


def _state(row: TaskRow, facts: TaskFacts, page: TaskPage) -> StopFacts:
    if row.state == TaskState.SCHEDULING:
        return StopFacts(with_workflow=row.status == TaskStatus.PAUSED, window=row.window or "")
    return StopFacts(
        with_workflow=False,
        operation_url=page.operation_url(facts.operation_id) if facts.operation_id else "",
        operation_id=facts.operation_id,
        actor=facts.actor,
        at=text.time(facts.at),
        reason=row.reason,
        ticket=row.ticket,
        resume_at=text.time(row.resume_at) if row.state == TaskState.PAUSED else None,
        effect=_EFFECTS.get(row.downstream or "", ""),
        window=row.window or "",
    )


def _buttons(page: TaskPage) -> list[rows.Action]:
    """The operations that the person may do at all; those that do not apply now say why."""
    row = page.row
    # a task is deleted by who may edit its Dag
    editable = page.asked.actor.permissions.editable([row.dag_id])
    offers = rows.Offers(page.asked.urls, _ROWS, editable=editable, deletable=editable)
    actions = offers.menu(row.dag_id, row.status)
    if row.is_present:
        return list(actions)
    why_not = "It is no longer in its Dag"
    needs_dag = (Verb.SUBMIT, rows.REPLENISH, rows.ALARM)
    return [replace(action, why_not=why_not) if action.verb in needs_dag else action for action in actions]


def _links(page: TaskPage) -> list[rows.CellLink]:
    """Where it is developed: the Dag's code in Airflow, and in its repository where there is one (requirements B21)."""
    row, asked = page.row, page.asked
    found = [rows.CellLink("Code", asked.urls.dag(row.dag_id, "code"), "airflow")]
    if elsewhere := development_urls(asked.session, asked.actor, [row.dag_id]).get(row.dag_id):
        found.append(rows.CellLink("Repository", elsewhere, "outside"))
    found.append(rows.CellLink("Alarms", asked.urls.page("alarms", {"dag_id": row.dag_id, "task_id": row.task_id})))
    if not page.is_embedded:
        found.append(rows.CellLink("Task in Airflow", asked.urls.task(row.dag_id, row.task_id), "airflow"))
    return found
