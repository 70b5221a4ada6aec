"""Basic information of a task (C1)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from taskops_provider.services.details import task_details
from taskops_provider.www.presenters import text, told
from taskops_provider.www.presenters.task_page import TaskPage


def present(page: TaskPage) -> dict[str, Any]:
    """Return what the template ``task_info.html`` shows."""
    row, facts, asked = page.row, page.facts, page.asked
    urls = asked.urls
    details = task_details(asked.session, asked.actor, row.dag_id, row.task_id, asked.now)
    return {
        "info": {
            "project": row.project,
            "folder": row.folder,
            "folder_url": urls.page("tasks", {"folder": row.folder}),
            "workflow_id": row.dag_id,
            "owners": row.owners,
            "type": row.task_type,
            "is_mapped": facts.is_mapped,
            "period": text.PERIODS.get(row.period, row.period),
            "schedule": row.schedule or "",
            "timezone": facts.timezone or "",
            "pool": row.pool or "",
            "pool_url": urls.pools(),
            "queue": row.queue or "",
            "executor": facts.executor or "",
            "effective_from": text.time(row.effective_from),
            "effective_to": text.time(row.effective_to),
            "first_submitted": text.time(row.first_submitted_at),
            "last_submitted": text.time(row.last_submitted_at),
            "first_run": text.time(row.first_run_at),
            "sources": row.source_tables,
            "targets": row.target_tables,
            "operations": [_operation(record, page) for record in details["last_operations"]],
            "operations_url": urls.page("operations", {"dag_id": row.dag_id, "task_id": row.task_id}),
        }
    }


def _operation(record: Mapping[str, Any], page: TaskPage) -> dict[str, Any]:
    return {
        "url": page.operation_url(record["operation_id"]),
        "label": told.label(record["verb"]),
        "at": text.time(record["at"]),
        "actor": record["actor"],
        "outcome": record["outcome"].replace("_", " "),
        "reason": " ".join(filter(None, (record["ticket"], record["reason"]))),
    }
