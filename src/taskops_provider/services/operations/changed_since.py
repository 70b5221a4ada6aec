"""What has changed targets since a plan was made, by what the targets themselves say."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import select
from sqlalchemy.orm import Session

from taskops_provider.models import Task, Workflow
from taskops_provider.services.catalog.lineage import MANY_DAGS
from taskops_provider.services.shared.bulk_reads import read_in_bulk
from taskops_provider.services.shared.task_keys import TaskKey


def changed_since(session: Session, targets: Collection[TaskKey], operation_id: int) -> dict[TaskKey, int]:
    """Return the newest operation on each of some tasks and workflows (``""`` for the task) that one came after.

    Two queries of the size of the Dags: whatever the number that is asked from, records are not looked through.
    """
    wanted = set(targets)
    dag_ids = {dag_id for dag_id, _ in wanted}
    of_tasks = select(Task.dag_id, Task.task_id, Task.state_operation_id, Task.owners_operation_id)
    of_workflows = select(Workflow.dag_id, Workflow.owners_operation_id)
    if len(dag_ids) <= MANY_DAGS:
        of_tasks, of_workflows = (
            of_tasks.where(Task.dag_id.in_(dag_ids)),
            of_workflows.where(Workflow.dag_id.in_(dag_ids)),
        )
    found: dict[TaskKey, int] = {}
    for dag_id, task_id, state_by, owners_by in read_in_bulk(session, of_tasks):
        found[dag_id, task_id] = max(state_by or 0, owners_by or 0)
    for dag_id, owners_by in read_in_bulk(session, of_workflows):
        found[dag_id, ""] = owners_by or 0
    return {key: number for key, number in found.items() if number > operation_id and key in wanted}
