"""What people are shown of the targets of a plan beside their ids: name, type, period, owners, workflow."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from taskops_provider.models import Task, Workflow
from taskops_provider.services.shared.owners import owners_by_key
from taskops_provider.services.shared.task_keys import TaskKey, is_one_of


@dataclass(frozen=True)
class TargetDetails:
    """A task, or with an empty ``task_type`` a workflow."""

    name: str
    workflow: str
    task_type: str
    period: str
    owners: list[str]


def target_details(session: Session, pairs: Collection[TaskKey]) -> dict[TaskKey, TargetDetails]:
    """Return what is shown of some targets, few enough for a page: three queries, whatever their number.

    :param pairs: (dag_id, task_id) in Dags that the actor may read; ``task_id`` empty for a workflow
    """
    if not pairs:
        return {}
    owners = owners_by_key(session, set(pairs))
    found: dict[TaskKey, TargetDetails] = {}
    flows = select(Workflow.dag_id, Workflow.display_name, Workflow.period)
    for row in session.execute(flows.where(Workflow.dag_id.in_({dag_id for dag_id, _ in pairs}))):
        found[row.dag_id, ""] = TargetDetails(
            row.display_name, row.display_name, "", row.period, owners.get((row.dag_id, ""), [])
        )
    tasks = select(Task.dag_id, Task.task_id, Task.display_name, Task.task_type)
    named = [pair for pair in pairs if pair[1]]
    if named:
        for dag_id, task_id, name, task_type in session.execute(
            tasks.where(is_one_of(Task.dag_id, Task.task_id, named))
        ):
            flow, owned = found[dag_id, ""], owners.get((dag_id, task_id), [])
            found[dag_id, task_id] = TargetDetails(name, flow.name, task_type, flow.period, owned)
    return found
