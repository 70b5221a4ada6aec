"""Why is this not running? (requirements D9), a part of a task's page and a dialog of one of its runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from taskops_provider.exceptions import BadInput
from taskops_provider.services.why.task import Reason, why
from taskops_provider.www.page_request import PageRequest
from taskops_provider.www.presenters import text
from taskops_provider.www.presenters.instances.badges import name_of, state_badge
from taskops_provider.www.presenters.text import Badge, Time


@dataclass(frozen=True)
class ReasonLine:
    """One reason.

    :param code: what scripts go by
    :param links: label, address, whether it leads into Airflow
    """

    code: str
    text: str
    since: Time | None
    until: Time | None
    links: Sequence[tuple[str, str, bool]]


@dataclass(frozen=True)
class InstanceReasons:
    """An instance with its reasons."""

    name: str
    url: str
    badge: Badge
    reasons: Sequence[ReasonLine]


@dataclass(frozen=True)
class WhyPage:
    """What the template ``task/why.html`` shows.

    :param run_id: the run that was asked for; empty: none
    :param more: how many instances are not shown
    """

    title: str
    run_id: str
    task_url: str
    reasons: Sequence[ReasonLine]
    instances: Sequence[InstanceReasons]
    more: str
    page: str = "task"
    section: str = "tasks"


def why_page(asked: PageRequest) -> WhyPage:
    """Return why a task, or its instances in one run, do not run.

    :raises BadInput: when no task is named
    :raises ResourceNotFound: when there is no such task or run, or its Dag may not be read
    :raises Forbidden: when a run is asked for whose instances may not be seen
    """
    dag_id, task_id, run_id = asked.one("dag_id"), asked.one("task_id"), asked.one("run_id")
    if not dag_id or not task_id:
        raise BadInput("The address names no task: it needs dag_id and task_id")
    answer = why(asked.session, asked.actor, dag_id, task_id, asked.now, run_id=run_id or None)
    more = (answer.unfinished_instances or 0) - len(answer.instances)
    return WhyPage(
        title=f"Why is {task_id} not running?" if not run_id else f"{task_id} in run {run_id}",
        run_id=run_id,
        task_url=asked.urls.page("task", {"dag_id": dag_id, "task_id": task_id}),
        reasons=[_reason(reason, asked) for reason in answer.reasons],
        instances=[
            InstanceReasons(
                name=name_of(each.run_id, each.map_index),
                url=asked.urls.instance(dag_id, each.run_id, task_id, each.map_index),
                badge=state_badge(each.state, waits=each.waits_in_gate),
                reasons=[_reason(reason, asked) for reason in each.reasons],
            )
            for each in answer.instances
        ],
        more=text.count(more, "further instance") if more > 0 else "",
    )


def _reason(reason: Reason, asked: PageRequest) -> ReasonLine:
    urls = asked.urls
    links = []
    if reason.operation_id is not None:
        record_url = urls.page("operation", {"id": str(reason.operation_id)})
        links.append((f"Operation {reason.operation_id}", record_url, False))
    if reason.dag_id and reason.task_id:
        links.append((reason.task_id, urls.page("task", {"dag_id": reason.dag_id, "task_id": reason.task_id}), False))
    if reason.pool:
        links.append(("Pools", urls.pools(), True))
    return ReasonLine(reason.code, reason.text, text.time(reason.since), text.time(reason.until), links)
