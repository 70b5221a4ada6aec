"""Tasks: list, details, lineage, changes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from airflow.api_fastapi.common.db.common import SessionDep
from fastapi import APIRouter, Body, Query

from taskops_provider.api.apply_change import CHANGING, change
from taskops_provider.api.datamodels import changes
from taskops_provider.api.datamodels.changes import TaskChange
from taskops_provider.api.datamodels.graphs import Lineage, LineageQuery
from taskops_provider.api.datamodels.tasks import TaskDetails, Tasks, TasksQuery
from taskops_provider.api.datamodels.why import Why, WhyQuery
from taskops_provider.api.deprecated import OldWordsRoute
from taskops_provider.api.errors import NOT_FOUND
from taskops_provider.api.examples import TASK_CHANGES
from taskops_provider.api.security import ActorDep, NowDep
from taskops_provider.domain.operations.answers import ChangeAnswer
from taskops_provider.domain.states import Verb
from taskops_provider.inputs.fields import Name
from taskops_provider.services import details
from taskops_provider.services.catalog import lineage_graph, tasks
from taskops_provider.services.why.task import Explanation, why

router = APIRouter(prefix="/tasks", tags=["Tasks"], route_class=OldWordsRoute)


@router.get("", response_model=Tasks)
def list_tasks(
    query: Annotated[TasksQuery, Query()], session: SessionDep, actor: ActorDep, now: NowDep
) -> Mapping[str, object]:
    """List tasks of Dags that you may read."""
    page = tasks.list_tasks(
        session, actor, query.filter(), now, limit=query.limit, offset=query.offset, order_by=query.order_by
    )
    return {"tasks": page.rows, "total_entries": page.total_entries}


@router.get("/{dag_id}/{task_id}", response_model=TaskDetails, responses=NOT_FOUND)
def show_task(dag_id: Name, task_id: Name, session: SessionDep, actor: ActorDep, now: NowDep) -> details.TaskDetails:
    """Show one task, also a deleted one or one that is no longer in its Dag."""
    return details.task_details(session, actor, dag_id, task_id, now)


@router.get("/{dag_id}/{task_id}/lineage", response_model=Lineage, responses=NOT_FOUND)
def show_lineage(
    dag_id: Name,
    task_id: Name,
    query: Annotated[LineageQuery, Query()],
    session: SessionDep,
    actor: ActorDep,
    now: NowDep,
) -> lineage_graph.Graph:
    """Show the tasks around a task, across workflows. Tasks that you may not see are left out, with what is behind."""
    reach = lineage_graph.LineageReach(query.depth, query.direction)
    return lineage_graph.lineage(session, actor, dag_id, task_id, now, reach)


@router.get("/{dag_id}/{task_id}/why", response_model=Why, responses=NOT_FOUND)
def show_why(
    dag_id: Name,
    task_id: Name,
    query: Annotated[WhyQuery, Query()],
    session: SessionDep,
    actor: ActorDep,
    now: NowDep,
) -> Explanation:
    """Tell why a task does not run: reasons of TaskOps and of Airflow, each in a plain line.

    Those of its oldest unfinished instances as well, or of its instances in one run.
    """
    return why(session, actor, dag_id, task_id, now, run_id=query.run_id)


@router.post(
    "/{verb}",
    response_model=changes.ChangeAnswer,
    **CHANGING,
)
def change_tasks(
    verb: Verb,
    body: Annotated[TaskChange, Body(openapi_examples=TASK_CHANGES)],
    session: SessionDep,
    actor: ActorDep,
    now: NowDep,
) -> ChangeAnswer:
    """Start, pause, take offline, delete or submit tasks, or set their owners.

    200 also where targets were left alone or blocked, even all of them: `outcome` and `items` say so. 404 where a
    target does not exist, and then nothing was done.
    """
    return change(session, actor, body.request(verb), body, now)
