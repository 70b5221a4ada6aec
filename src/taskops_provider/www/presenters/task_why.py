"""Why is this not running? (D9), a part of a task's page and a dialog of one of its runs."""

from __future__ import annotations

from typing import Any

from taskops_provider.exceptions import BadInput
from taskops_provider.services.why import Reason, why
from taskops_provider.www.asked import Asked
from taskops_provider.www.presenters import text
from taskops_provider.www.presenters.task_instances import name_of, state_badge


def present(asked: Asked) -> dict[str, Any]:
    """Return what the template ``task_why.html`` shows.

    :raises BadInput: when no task is named
    :raises NotFound: when there is no such task or run, or its Dag may not be read
    :raises Forbidden: when a run is asked for whose instances may not be seen
    """
    dag_id, task_id, run_id = asked.one("dag_id"), asked.one("task_id"), asked.one("run_id")
    if not dag_id or not task_id:
        raise BadInput("The address names no task: it needs dag_id and task_id")
    answer = why(asked.session, asked.actor, dag_id, task_id, asked.now, run_id=run_id or None)
    more = (answer.unfinished or 0) - len(answer.instances)
    return {
        "title": f"Why is {task_id} not running?" if not run_id else f"{task_id} in run {run_id}",
        "page": "task",
        "section": "tasks",
        "run_id": run_id,
        "task_url": asked.urls.page("task", {"dag_id": dag_id, "task_id": task_id}),
        "reasons": [_reason(reason, asked) for reason in answer.reasons],
        "instances": [
            {
                "name": name_of(each.run_id, each.map_index),
                "url": asked.urls.instance(dag_id, each.run_id, task_id, each.map_index),
                "badge": state_badge(each.state),
                "reasons": [_reason(reason, asked) for reason in each.reasons],
            }
            for each in answer.instances
        ],
        "more": text.count(more, "further instance") if more > 0 else "",
    }


def _reason(reason: Reason, asked: Asked) -> dict[str, Any]:
    urls = asked.urls
    links = []
    if reason.operation_id is not None:
        record_url = urls.page("operation", {"id": str(reason.operation_id)})
        links.append((f"Operation {reason.operation_id}", record_url, False))
    if reason.dag_id and reason.task_id:
        links.append((reason.task_id, urls.page("task", {"dag_id": reason.dag_id, "task_id": reason.task_id}), False))
    if reason.pool:
        links.append(("Pools", urls.pools(), True))
    return {
        "code": reason.code,
        "text": reason.text,
        "since": text.time(reason.since),
        "until": text.time(reason.until),
        "links": links,
    }
