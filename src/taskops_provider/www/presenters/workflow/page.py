"""One workflow: its page, the opened row of the list, the line on the tab of its Dag (requirements A2-A9, A13-A17)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from taskops_provider.domain.answers import copy_as
from taskops_provider.domain.states import TaskStatus
from taskops_provider.exceptions import BadInput
from taskops_provider.services.catalog.workflows import WorkflowRow, get_workflow
from taskops_provider.services.details import details_of
from taskops_provider.services.operations.on_runs import may_change_runs
from taskops_provider.www.page_request import PageRequest
from taskops_provider.www.presenters import text
from taskops_provider.www.presenters.lists import rows
from taskops_provider.www.presenters.lists.workflows import ROWS, has_stopped
from taskops_provider.www.presenters.operations.last import LastOperation, last_operation
from taskops_provider.www.presenters.workflow import rings
from taskops_provider.www.presenters.workflow import runs as workflow_runs


@dataclass(frozen=True)
class WorkflowState:
    """Its state, in one line.

    :param draining: that it drains, and how many runs are left; empty: it does not
    """

    badge: text.Badge
    is_present: bool
    draining: str
    owners: text.Owners
    period: str
    schedule: str


@dataclass(frozen=True)
class WorkflowFacts(WorkflowState):
    """All that is shown of it.

    :param deleted_tasks: how many; empty: none
    :param runs: its last runs; None where ``runs_not_shown`` says why
    """

    id: text.Name
    name: text.Name
    all_owners: Sequence[str]
    project: str
    folder: str
    folder_url: str
    timezone: str | None
    first_submitted: text.Time | None
    last_submitted: text.Time | None
    effective_from: text.Time | None
    effective_to: text.Time | None
    task_count: str
    deleted_tasks: str
    deleted_url: str
    rings: Sequence[rings.Ring]
    runs: Sequence[workflow_runs.RunBar] | None
    runs_not_shown: str | None
    may_hold_runs: bool
    hold_url: str
    release_url: str
    operations: Sequence[LastOperation]
    operations_url: str
    url: str
    tasks_url: str
    diagram_url: str
    diagram_part_url: str
    dag_url: str
    code_url: str
    bundle_url: str | None


@dataclass(frozen=True)
class WorkflowPage:
    """What the template ``workflow/page.html`` shows.

    :param embedded: inside Airflow's own page of the Dag
    :param fixed: what every address of the page has
    """

    title: str
    embedded: bool
    fixed: Mapping[str, str]
    flow: WorkflowFacts
    buttons: Sequence[rows.Action]
    page: str = "workflow"
    section: str = "workflows"


@dataclass(frozen=True)
class WorkflowSummary:
    """What the template ``workflow/summary.html`` shows: the opened row of the list."""

    fixed: Mapping[str, str]
    flow: WorkflowFacts


@dataclass(frozen=True)
class WorkflowBar:
    """What the template ``workflow/state.html`` shows: the line on the tab of its Dag."""

    flow: WorkflowState


def workflow_page(asked: PageRequest) -> WorkflowPage:
    """Return the page of a workflow.

    :raises BadInput: when no workflow is named
    :raises ResourceNotFound: when there is none, or the Dag may not be read
    """
    row = _row(asked)
    in_dag = asked.one("tab") == "dag"
    fixed = {"tab": "dag", "dag_id": row.dag_id} if in_dag else {"dag_id": row.dag_id}
    return WorkflowPage(
        title=row.display_name or row.dag_id,
        embedded=in_dag,
        fixed=fixed,
        flow=_facts(asked, row),
        buttons=_buttons(asked, row),
    )


def workflow_summary(asked: PageRequest) -> WorkflowSummary:
    """Return the opened row of a workflow.

    :raises BadInput: when no workflow is named
    :raises ResourceNotFound: when there is none, or the Dag may not be read
    """
    row = _row(asked)
    return WorkflowSummary({"dag_id": row.dag_id}, _facts(asked, row))


def workflow_bar(asked: PageRequest) -> WorkflowBar:
    """Return the line of a workflow's state.

    :raises BadInput: when no workflow is named
    :raises ResourceNotFound: when there is none, or the Dag may not be read
    """
    return WorkflowBar(_state(_row(asked)))


def _row(asked: PageRequest) -> WorkflowRow:
    dag_id = asked.one("dag_id")
    if not dag_id:
        raise BadInput("The address names no workflow: it needs dag_id")
    return get_workflow(asked.session, asked.actor, dag_id, asked.now)


def _state(row: WorkflowRow) -> WorkflowState:
    return WorkflowState(
        badge=text.WORKFLOW_BADGES[row.status],
        is_present=row.is_present,
        draining=text.draining(row.is_draining, row.draining_runs),
        owners=text.owners(row.owners),
        period=text.PERIODS.get(row.period, row.period),
        schedule=row.schedule or "",
    )


def _facts(asked: PageRequest, row: WorkflowRow) -> WorkflowFacts:
    urls, dag_id = asked.urls, row.dag_id
    details = details_of(asked.session, asked.actor, row)
    runs = details.runs
    return copy_as(
        WorkflowFacts,
        _state(row),
        id=text.name(dag_id),
        name=text.name(row.display_name or dag_id),
        all_owners=row.owners,
        project=row.project,
        folder=row.folder,
        folder_url=urls.page("workflows", {"folder": row.folder}),
        timezone=details.timezone,
        first_submitted=text.time(row.first_submitted_at),
        last_submitted=text.time(row.last_submitted_at),
        effective_from=text.time(details.effective_from),
        effective_to=text.time(details.effective_to),
        task_count=f"{row.task_count:,}",
        deleted_tasks=f"{row.deleted_tasks:,}" if row.deleted_tasks else "",
        deleted_url=urls.page("tasks", {"dag_id": dag_id, "status": TaskStatus.DELETED.value}),
        rings=[
            rings.ring("Task types", details.type_counts),
            rings.ring("Periods", details.period_counts, labels=text.PERIODS),
            _status_ring(row),
        ],
        runs=None if runs is None else workflow_runs.bars(dag_id, runs, asked.now, urls),
        runs_not_shown=details.runs_not_shown,
        may_hold_runs=may_change_runs(asked.actor, dag_id),
        hold_url=urls.page("runs/hold"),
        release_url=urls.page("runs/release"),
        operations=[last_operation(record, urls) for record in details.last_operations],
        operations_url=urls.page("operations", {"dag_id": dag_id}),
        url=urls.page("workflow", {"dag_id": dag_id}),
        tasks_url=urls.page("tasks", {"dag_id": dag_id}),
        diagram_url=urls.page("diagram", {"dag_id": dag_id}),
        diagram_part_url=urls.page("diagram/part", {"dag_id": dag_id}),
        dag_url=urls.dag(dag_id),
        code_url=urls.dag(dag_id, "code"),
        bundle_url=details.bundle_url,
    )


def _status_ring(row: WorkflowRow) -> rings.Ring:
    badges = text.TASK_BADGES
    return rings.ring(
        "Statuses",
        row.status_counts,
        labels={status: badges[status].text for status in row.status_counts},
        tones={status: badges[status].tone for status in row.status_counts},
    )


def _buttons(asked: PageRequest, row: WorkflowRow) -> list[rows.Action]:
    """The operations that the person may do at all; those that do not apply now say why."""
    may, dag_ids = asked.actor.permissions, [row.dag_id]
    offers = rows.Offers(asked.urls, ROWS, editable=may.editable(dag_ids), deletable=may.deletable(dag_ids))
    return list(offers.menu(row.dag_id, row.status, has_stopped=has_stopped(row)))
