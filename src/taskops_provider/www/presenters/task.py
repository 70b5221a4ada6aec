"""One task: the head of its page, and which of its four views is below it (B19, B20, C1-C4)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from taskops_provider.domain.states import TASK_MAY_BE, Downstream, TaskState, TaskStatus, Verb
from taskops_provider.exceptions import BadInput
from taskops_provider.services.development import development_urls
from taskops_provider.services.task_facts import TaskFacts, task_facts
from taskops_provider.services.tasks import TaskRow, get_task
from taskops_provider.www.asked import Asked
from taskops_provider.www.presenters import filters, rows, task_curve, task_history, task_info, task_lineage, text
from taskops_provider.www.presenters.task_page import PAGE, TaskPage

VIEWS: Mapping[str, tuple[str, Callable[[TaskPage], dict[str, Any]]]] = {
    "lineage": ("Task lineage", task_lineage.present),
    "history": ("Execution history", task_history.present),
    "curve": ("Execution curve", task_curve.present),
    "info": ("Basic information", task_info.present),
}
DEFAULT_VIEW = "lineage"
#: what Airflow leaves in the address of a tab where the page is not of one task: a group's, say
PLACEHOLDER = "{TASK_ID}"

_ROWS = rows.Scope("tasks", "task", TASK_MAY_BE, text.TASK_BADGES, {})
_EFFECTS: Mapping[str, str] = {
    Downstream.SKIP: "Its instances are skipped",
    Downstream.RUN: "Its instances count as success without executing",
    Downstream.FAIL: "Its instances fail without executing",
    Downstream.HOLD: "Its instances wait until it is started",
}


def present(asked: Asked) -> dict[str, Any]:
    """Return what the template ``task.html`` shows.

    :raises BadInput: when no task is named
    :raises NotFound: when there is no such task, or its Dag may not be read
    """
    dag_id, task_id = asked.one("dag_id"), asked.one("task_id")
    is_embedded = asked.one("embedded") == "1"
    if not dag_id or not task_id:
        raise BadInput("The address names no task: it needs dag_id and task_id")
    common = {"page": PAGE, "section": "tasks", "embedded": is_embedded}
    if task_id == PLACEHOLDER:
        tasks_url = asked.urls.page("tasks", {"dag_id": dag_id} | ({"tab": "dag"} if is_embedded else {}))
        return common | {"title": "A group of tasks", "task": None, "tasks_url": tasks_url}
    problems = filters.Problems()
    given = asked.one("view") or DEFAULT_VIEW
    view = given if problems.only("View", [given], VIEWS) else DEFAULT_VIEW
    row = get_task(asked.session, asked.actor, dag_id, task_id, asked.now)
    facts = task_facts(asked.session, dag_id, task_id)
    page = TaskPage(asked, row, facts, view, is_embedded, problems)
    body = VIEWS[view][1](page)
    return {
        **common,
        "title": row.display_name or task_id,
        "fixed": page.fixed,
        "view": view,
        "views": [(name, label, page.url(view=name)) for name, (label, _) in VIEWS.items()],
        "problems": problems.lines,
        "refresh_url": page.url(view=view),
        "task": _head(page),
        "buttons": _buttons(page),
        "links": _links(page),
        "why_url": asked.urls.page("task/why", {"dag_id": dag_id, "task_id": task_id}),
        "asks_why": row.status != TaskStatus.SCHEDULING,
        **body,
    }


def _head(page: TaskPage) -> dict[str, Any]:
    row, facts, urls = page.row, page.facts, page.asked.urls
    return {
        "id": text.name(row.task_id),
        "name": text.name(row.display_name or row.task_id),
        "target": f"{row.dag_id} {row.task_id}",
        "badge": text.TASK_BADGES[row.status],
        "type": row.task_type,
        "is_mapped": facts.is_mapped,
        "is_present": row.is_present,
        "workflow": text.name(facts.workflow_name or row.dag_id),
        "workflow_url": urls.page("workflow", {"dag_id": row.dag_id}),
        "owners": text.owners(row.owners),
        "state": _state(row, facts, page),
    }


def _state(row: TaskRow, facts: TaskFacts, page: TaskPage) -> dict[str, Any]:
    """What stands beside the status: by whom, when, why, until when, with which effect."""
    is_stopped = row.state != TaskState.SCHEDULING
    return {
        "with_workflow": row.status == TaskStatus.PAUSED and not is_stopped,
        "operation_url": page.operation_url(facts.operation_id) if is_stopped and facts.operation_id else "",
        "operation_id": facts.operation_id if is_stopped else None,
        "actor": facts.actor if is_stopped else None,
        "at": text.time(facts.at) if is_stopped else None,
        "reason": row.reason if is_stopped else None,
        "ticket": row.ticket if is_stopped else None,
        "resume_at": text.time(row.resume_at) if row.state == TaskState.PAUSED else None,
        "effect": _EFFECTS.get(row.downstream or "", "") if is_stopped else "",
    }


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


def _links(page: TaskPage) -> list[rows.Link]:
    """Where it is developed: the Dag's code in Airflow, and in its repository where there is one (B21)."""
    row, asked = page.row, page.asked
    found = [rows.Link("Code", asked.urls.dag(row.dag_id, "code"), "airflow")]
    if elsewhere := development_urls(asked.session, asked.actor, [row.dag_id]).get(row.dag_id):
        found.append(rows.Link("Repository", elsewhere, "outside"))
    found.append(rows.Link("Alarms", asked.urls.page("alarms", {"dag_id": row.dag_id, "task_id": row.task_id})))
    if not page.is_embedded:
        found.append(rows.Link("Task in Airflow", asked.urls.task(row.dag_id, row.task_id), "airflow"))
    return found
