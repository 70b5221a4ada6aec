"""One workflow: its page, what a row of the list opens to, and the line on the tab of its Dag (A2-A9, A13-A17)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from taskops_provider.domain.states import Verb
from taskops_provider.exceptions import BadInput
from taskops_provider.services.details import details_of
from taskops_provider.services.workflows import WorkflowRow, get_workflow
from taskops_provider.www.asked import Asked
from taskops_provider.www.presenters import rings, rows, run_history, text, told
from taskops_provider.www.presenters.workflows import ROWS
from taskops_provider.www.urls import Urls

_DELETED = text.Badge("Deleted", "red")


def present(asked: Asked) -> dict[str, Any]:
    """Return what the template ``workflow.html`` shows.

    :raises BadInput: when no workflow is named
    :raises NotFound: when there is none, or the Dag may not be read
    """
    row = _row(asked)
    in_dag = asked.one("tab") == "dag"
    fixed = {"tab": "dag", "dag_id": row.dag_id} if in_dag else {"dag_id": row.dag_id}
    return {
        "page": "workflow",
        "section": "workflows",
        "title": row.display_name or row.dag_id,
        "embedded": in_dag,
        "fixed": fixed,
        "flow": _shown(asked, row),
        "buttons": _buttons(asked, row),
    }


def present_summary(asked: Asked) -> dict[str, Any]:
    """Return what the template ``workflow_summary.html`` shows.

    :raises BadInput: when no workflow is named
    :raises NotFound: when there is none, or the Dag may not be read
    """
    row = _row(asked)
    return {"fixed": {"dag_id": row.dag_id}, "flow": _shown(asked, row)}


def present_bar(asked: Asked) -> dict[str, Any]:
    """Return what the template ``workflow_state.html`` shows.

    :raises BadInput: when no workflow is named
    :raises NotFound: when there is none, or the Dag may not be read
    """
    return {"flow": _state(_row(asked))}


def _row(asked: Asked) -> WorkflowRow:
    dag_id = asked.one("dag_id")
    if not dag_id:
        raise BadInput("The address names no workflow: it needs dag_id")
    return get_workflow(asked.session, asked.actor, dag_id, asked.now)


def _state(row: WorkflowRow) -> dict[str, Any]:
    return {
        "badge": _DELETED if row.is_deleted else text.WORKFLOW_BADGES[row.status],
        "is_present": row.is_present,
        "draining": None if row.draining_runs is None else text.count(row.draining_runs, "run"),
        "owners": text.owners(row.owners),
        "period": text.PERIODS.get(row.period, row.period),
        "schedule": row.schedule or "",
    }


def _shown(asked: Asked, row: WorkflowRow) -> dict[str, Any]:
    urls, dag_id = asked.urls, row.dag_id
    details = details_of(asked.session, asked.actor, row)
    runs = details["runs"]
    return {
        **_state(row),
        "id": text.name(dag_id),
        "name": text.name(row.display_name or dag_id),
        "all_owners": row.owners,
        "project": row.project,
        "folder": row.folder,
        "folder_url": urls.page("workflows", {"folder": row.folder}),
        "timezone": details["timezone"],
        "first_submitted": text.time(row.first_submitted_at),
        "last_submitted": text.time(row.last_submitted_at),
        "effective_from": text.time(details["effective_from"]),
        "effective_to": text.time(details["effective_to"]),
        "task_count": f"{row.task_count:,}",
        "rings": [
            rings.ring("Task types", details["type_counts"]),
            rings.ring("Periods", details["period_counts"], labels=text.PERIODS),
            _status_ring(row),
        ],
        "runs": None if runs is None else run_history.bars(dag_id, runs, asked.now, urls),
        "runs_not_shown": details["runs_not_shown"],
        "operations": [_operation(record, urls) for record in details["last_operations"]],
        "operations_url": urls.page("operations", {"dag_id": dag_id}),
        "url": urls.page("workflow", {"dag_id": dag_id}),
        "tasks_url": urls.page("tasks", {"dag_id": dag_id}),
        "diagram_url": urls.page("diagram", {"dag_id": dag_id}),
        "diagram_part_url": urls.page("diagram/part", {"dag_id": dag_id}),
        "dag_url": urls.dag(dag_id),
        "code_url": urls.dag(dag_id, "code"),
        "bundle_url": details["bundle_url"],
    }


def _status_ring(row: WorkflowRow) -> rings.Ring:
    badges = text.TASK_BADGES
    return rings.ring(
        "Statuses",
        row.status_counts,
        labels={status: badges[status].text for status in row.status_counts},
        tones={status: badges[status].tone for status in row.status_counts},
    )


def _operation(record: Mapping[str, Any], urls: Urls) -> dict[str, Any]:
    return {
        "url": urls.page("operation", {"id": str(record["operation_id"])}),
        "label": told.label(record["verb"]),
        "at": text.time(record["at"]),
        "actor": record["actor"],
        "outcome": record["outcome"].replace("_", " "),
        "reason": " ".join(filter(None, (record["ticket"], record["reason"]))),
    }


def _buttons(asked: Asked, row: WorkflowRow) -> list[rows.Action]:
    """The operations that the person may do at all; those that do not apply now say why."""
    may, dag_ids = asked.actor.permissions, [row.dag_id]
    offers = rows.Offers(asked.urls, ROWS, editable=may.editable(dag_ids), deletable=may.deletable(dag_ids))
    actions = offers.menu(row.dag_id, row.status)
    if not row.is_deleted:
        return list(actions)
    why_not = "This workflow is deleted; it would have to be submitted again first"
    return [action if action.verb == Verb.SUBMIT else replace(action, why_not=why_not) for action in actions]
