"""Workflows: list, details, diagram, changes."""

from __future__ import annotations

from typing import Annotated, Any

from airflow.api_fastapi.common.db.common import SessionDep
from fastapi import APIRouter, Body, Query

from taskops_provider.api.changing import CHANGING, change
from taskops_provider.api.datamodels.changes import ChangeAnswer, WorkflowChange
from taskops_provider.api.datamodels.common import Name
from taskops_provider.api.datamodels.graphs import Diagram
from taskops_provider.api.datamodels.workflows import WorkflowDetails, Workflows, WorkflowsQuery
from taskops_provider.api.errors import NOT_FOUND
from taskops_provider.api.examples import WORKFLOW_CHANGES
from taskops_provider.api.security import ActorDep, NowDep
from taskops_provider.domain.states import Verb
from taskops_provider.services import workflows
from taskops_provider.services.details import workflow_details
from taskops_provider.services.lineage_walk import workflow_graph

router = APIRouter(prefix="/workflows", tags=["Workflows"])


@router.get("", response_model=Workflows, response_model_exclude_unset=True)
def list_workflows(
    query: Annotated[WorkflowsQuery, Query()], session: SessionDep, actor: ActorDep, now: NowDep
) -> dict[str, Any]:
    """List workflows that you may read."""
    page = workflows.list_workflows(
        session, actor, query.filter(), now, limit=query.limit, offset=query.offset, order_by=query.order_by
    )
    return {"workflows": [row.as_json() for row in page.rows], "total_entries": page.total_entries}


@router.get("/{dag_id}", response_model=WorkflowDetails, response_model_exclude_unset=True, responses=NOT_FOUND)
def show_workflow(dag_id: Name, session: SessionDep, actor: ActorDep, now: NowDep) -> dict[str, Any]:
    """Show one workflow, also a deleted one or one whose Dag is gone."""
    return workflow_details(session, actor, dag_id, now)


@router.get("/{dag_id}/diagram", response_model=Diagram, response_model_exclude_unset=True, responses=NOT_FOUND)
def show_diagram(dag_id: Name, session: SessionDep, actor: ActorDep, now: NowDep) -> dict[str, Any]:
    """Show the tasks of a workflow and what waits for what inside it."""
    return {"dag_id": dag_id, **workflow_graph(session, actor, dag_id, now).as_json()}


@router.post(
    "/{verb}",
    response_model=ChangeAnswer,
    response_model_exclude_unset=True,
    **CHANGING,
)
def change_workflows(
    verb: Verb,
    body: Annotated[WorkflowChange, Body(openapi_examples=WORKFLOW_CHANGES)],
    session: SessionDep,
    actor: ActorDep,
    now: NowDep,
) -> dict[str, Any]:
    """Start, pause, take offline, delete or submit whole workflows, or set their owners.

    200 also where targets were left alone or blocked, even all of them: `outcome` and `items` say so. 404 where a
    target does not exist, and then nothing was done.
    """
    return change(session, actor, body.request(verb), body, now)
