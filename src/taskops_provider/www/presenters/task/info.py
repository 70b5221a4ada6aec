"""Basic information of a task (requirements C1)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from taskops_provider.services.details import task_details
from taskops_provider.www.presenters import text
from taskops_provider.www.presenters.operations.last import LastOperation, last_operation
from taskops_provider.www.presenters.task.page import TaskPage


@dataclass(frozen=True)
class InfoView:
    """What the template ``task/info.html`` shows; texts without a value are empty.

    :param sources: the tables that it reads; ``targets``: that it writes
    """

    refresh_url: str
    workflow_id: str
    project: str
    folder: str
    folder_url: str
    owners: Sequence[str]
    type: str
    is_mapped: bool
    period: str
    schedule: str
    timezone: str
    pool: str
    pool_url: str
    queue: str
    executor: str
    effective_from: text.Time | None
    effective_to: text.Time | None
    first_submitted: text.Time | None
    last_submitted: text.Time | None
    first_run: text.Time | None
    sources: Sequence[str]
    targets: Sequence[str]
    operations: Sequence[LastOperation]
    operations_url: str


def info_view(page: TaskPage) -> InfoView:
    """Return the basic information."""
    row, facts, asked = page.row, page.facts, page.asked
    urls = asked.urls
    details = task_details(asked.session, asked.actor, row.dag_id, row.task_id, asked.now)
    return InfoView(
        refresh_url=page.url(view=page.view),
        project=row.project,
        folder=row.folder,
        folder_url=urls.page("tasks", {"folder": row.folder}),
        workflow_id=row.dag_id,
        owners=row.owners,
        type=row.task_type,
        is_mapped=facts.is_mapped,
        period=text.PERIODS.get(row.period, row.period),
        schedule=row.schedule or "",
        timezone=facts.timezone or "",
        pool=row.pool or "",
        pool_url=urls.pools(),
        queue=row.queue or "",
        executor=facts.executor or "",
        effective_from=text.time(row.effective_from),
        effective_to=text.time(row.effective_to),
        first_submitted=text.time(row.first_submitted_at),
        last_submitted=text.time(row.last_submitted_at),
        first_run=text.time(row.first_run_at),
        sources=row.source_tables,
        targets=row.target_tables,
        operations=[last_operation(record, urls) for record in details.last_operations],
        operations_url=urls.page("operations", {"dag_id": row.dag_id, "task_id": row.task_id}),
    )
