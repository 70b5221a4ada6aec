"""The rows that a request is about: read once, whatever is decided from them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy import Select, and_, or_, select
from sqlalchemy.orm import Session

from taskops_provider.domain.operations.targets import Scope
from taskops_provider.domain.states import OUT_OF_SERVICE, TaskState, Verb
from taskops_provider.exceptions import ResourceNotFound
from taskops_provider.inputs.operation import Request
from taskops_provider.models import Task, Workflow
from taskops_provider.services.catalog.filters import join_for_tasks
from taskops_provider.services.catalog.lineage import MANY_DAGS
from taskops_provider.services.catalog.status import task_status
from taskops_provider.services.shared.actor import Actor
from taskops_provider.services.shared.bulk_reads import read_in_bulk
from taskops_provider.services.shared.task_keys import TaskKey

#: what counts for strict mode: a task that is in its Dag and not out of service (queries join the workflow)
IS_LIVE = and_(Task.is_present.is_(True), Workflow.is_present.is_(True), Task.state.not_in(OUT_OF_SERVICE))
#: what strict mode asks of a task, and shows of one that blocks
BLOCKER_COLUMNS = (
    Task.dag_id,
    Task.task_id,
    Task.display_name,
    Task.task_type,
    Workflow.period,
    IS_LIVE.label("may_block"),
)


class BlockerRow(Protocol):
    """A row of :data:`BLOCKER_COLUMNS`."""

    dag_id: str
    task_id: str
    display_name: str
    task_type: str
    period: str
    may_block: bool


class TaskSnapshot(BlockerRow, Protocol):
    """A row of a task that a request is about: its shown status, and what undo would give back."""

    status: str
    state: str
    is_present: bool
    downstream: str | None
    reason: str | None
    ticket: str | None
    resume_at: datetime | None
    state_operation_id: int | None
    owners_operation_id: int | None


class WorkflowSnapshot(Protocol):
    """A row of a workflow that a request is about."""

    dag_id: str
    project: str
    default_state: str
    owners_operation_id: int | None


@dataclass(frozen=True)
class Snapshot:
    """The rows that an operation looked at, by key.

    Tasks of the whole-workflow form are those that are present; to start them or take them offline, also those that are
    gone but paused, for older runs may hold instances of them.
    """

    tasks: dict[TaskKey, TaskSnapshot]
    workflows: dict[str, WorkflowSnapshot]

    def newest_operation(self) -> int:
        """Return the newest operation that these rows come from; any that changes them later has a greater number.

        The newest of all would tell of Dags that may not be read.
        """
        numbers = [row.state_operation_id or 0 for row in self.tasks.values()]
        numbers += [row.owners_operation_id or 0 for row in self.tasks.values()]
        numbers += [row.owners_operation_id or 0 for row in self.workflows.values()]
        return max(numbers, default=0)


def take_snapshot(session: Session, actor: Actor, request: Request, now: datetime) -> Snapshot:
    """Read the workflows and tasks of a request.

    :raises ResourceNotFound: for a target that does not exist or may not be seen
    """
    dag_ids = sorted({target.dag_id for target in request.targets})
    many = len(dag_ids) > MANY_DAGS
    query = select(Workflow.dag_id, Workflow.project, Workflow.default_state, Workflow.owners_operation_id)
    wanted = actor.readable_of(dag_ids)
    if not many:
        query = query.where(Workflow.dag_id.in_(wanted))
    workflows: dict[str, WorkflowSnapshot] = {row.dag_id: row for row in session.execute(query) if row.dag_id in wanted}
    _refuse_unknown("Dag", [dag_id for dag_id in dag_ids if dag_id not in workflows])
    tasks: dict[TaskKey, TaskSnapshot] = {}
    for row in read_in_bulk(session, _task_query(dag_ids, request, now, many=many)):
        if (dag_id := row.dag_id) in wanted:
            tasks[dag_id, row.task_id] = row
    if request.scope is Scope.TASK:
        unknown = [target for target in request.targets if target not in tasks]
        _refuse_unknown("task", [f"{target.dag_id} {target.task_id}" for target in unknown])
    return Snapshot(tasks, workflows)


def _task_query(dag_ids: Collection[str], request: Request, now: datetime, *, many: bool) -> Select[*tuple[Any, ...]]:
    query = join_for_tasks(
        select(
            *BLOCKER_COLUMNS,
            # somebody can end Airflow's draining at any time; a pause stays
            task_status(now, but_draining=request.verb is Verb.PAUSE).label("status"),
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
        is_gone_but_paused = and_(Task.is_present.is_(False), Task.state == TaskState.PAUSED.value)
        ends_pause = request.verb in (Verb.START, Verb.OFFLINE)
        query = query.where(
            or_(Task.is_present.is_(True), is_gone_but_paused) if ends_pause else Task.is_present.is_(True)
        )
    elif len(request.targets) <= MANY_DAGS:
        query = query.where(Task.task_id.in_({target.task_id for target in request.targets}))
    return query.order_by(Task.dag_id, Task.task_id)


def _refuse_unknown(what: str, names: list[str]) -> None:
    if names:
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        raise ResourceNotFound(
            f"{what} {', '.join(repr(name) for name in names[:3])}{more} does not exist; "
            "`airflow taskops sync` reads new Dags in"
        )
