"""The rows that a request is about: read once, whatever is decided from them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import and_, select
from sqlalchemy.orm import Session

from taskops_provider.domain.operations import Request, Scope
from taskops_provider.domain.states import TaskState
from taskops_provider.exceptions import NotFound
from taskops_provider.models import Task, Workflow
from taskops_provider.services.actor import Actor
from taskops_provider.services.filters import join_for_tasks
from taskops_provider.services.lineage import MANY_DAGS
from taskops_provider.services.pairs import Pair
from taskops_provider.services.rows import plain_rows
from taskops_provider.services.status import task_status

#: what strict mode asks of a task, and shows of one that blocks
BLOCKER_COLUMNS = (
    Task.dag_id,
    Task.task_id,
    Task.display_name,
    Task.task_type,
    Workflow.period,
    and_(
        Task.is_present.is_(True),
        Workflow.is_present.is_(True),
        Task.state.not_in((TaskState.OFFLINE.value, TaskState.DELETED.value)),
    ).label("may_block"),
)


@dataclass(frozen=True)
class Known:
    """Rows by key. Tasks of the whole-workflow form are those that are present."""

    tasks: dict[Pair, Any]
    workflows: dict[str, Any]


def load(session: Session, actor: Actor, request: Request, now: datetime) -> Known:
    """Read the workflows and tasks of a request.

    :raises NotFound: for a target that does not exist or may not be seen
    """
    dag_ids = sorted({target.dag_id for target in request.targets})
    many = len(dag_ids) > MANY_DAGS
    query = select(Workflow.dag_id, Workflow.project, Workflow.default_state, Workflow.is_present)
    if not many:
        query = query.where(Workflow.dag_id.in_(dag_ids))
    wanted = set(dag_ids)
    workflows = {
        row.dag_id: row for row in session.execute(query) if row.dag_id in wanted and actor.may_read(row.dag_id)
    }
    _refuse_unknown("Dag", [dag_id for dag_id in dag_ids if dag_id not in workflows])
    tasks = {}
    for row in plain_rows(session, _task_query(dag_ids, request, now, many=many)):
        if (dag_id := row.dag_id) in wanted:
            tasks[dag_id, row.task_id] = row
    if request.scope is Scope.TASK:
        unknown = [target for target in request.targets if target not in tasks]
        _refuse_unknown("task", [f"{target.dag_id} {target.task_id}" for target in unknown])
    return Known(tasks, workflows)


def _task_query(dag_ids: Collection[str], request: Request, now: datetime, *, many: bool) -> Any:
    query = join_for_tasks(
        select(
            *BLOCKER_COLUMNS,
            task_status(now).label("status"),
            Task.state,
            Task.is_present,
            Task.downstream,
            Task.reason,
            Task.ticket,
            Task.resume_at,
            Task.state_operation_id,
            Task.owners_operation_id,
        ).select_from(Task)
    )
    if not many:
        query = query.where(Task.dag_id.in_(dag_ids))
    if request.scope is Scope.WORKFLOW:
        query = query.where(Task.is_present.is_(True))
    elif len(request.targets) <= MANY_DAGS:
        query = query.where(Task.task_id.in_({target.task_id for target in request.targets}))
    return query.order_by(Task.dag_id, Task.task_id)


def _refuse_unknown(what: str, names: list[str]) -> None:
    if names:
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        raise NotFound(
            f"{what} {', '.join(repr(name) for name in names[:3])}{more} does not exist; "
            "`airflow taskops sync` reads new Dags in"
        )
