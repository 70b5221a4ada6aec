"""Workflows: list, details, diagram, changes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from airflow.api_fastapi.common.db.common import SessionDep
from fastapi import APIRouter, Body, Query

from taskops_provider.api.apply_change import CHANGING, change
from taskops_provider.api.datamodels import changes
from taskops_provider.api.datamodels.changes import WorkflowChange
from taskops_provider.api.datamodels.graphs import Diagram
from taskops_provider.api.datamodels.workflows import WorkflowDetails, Workflows, WorkflowsQuery
from taskops_provider.api.errors import NOT_FOUND
from taskops_provider.api.examples import WORKFLOW_CHANGES
from taskops_provider.api.security import ActorDep, NowDep
from taskops_provider.domain.operations.answers import ChangeAnswer
from taskops_provider.domain.states import Verb
from taskops_provider.inputs.fields import Name
from taskops_provider.services import details
from taskops_provider.services.catalog import workflows
from taskops_provider.services.catalog.lineage_graph import Graph, workflow_graph

router = APIRouter(prefix="/workflows", tags=["Workflows"])


@router.get("", response_model=Workflows)
def list_workflows(
    query: Annotated[WorkflowsQuery, Query()], session: SessionDep, actor: ActorDep, now: NowDep
) -> Mapping[str, object]:
    """List workflows that you may read."""
    page = workflows.list_workflows(
        session, actor, query.filter(), now, limit=query.limit, offset=query.offset, order_by=query.order_by
    )
    return {"workflows": page.rows, "total_entries": page.total_entries}


@router.get("/{dag_id}", response_model=WorkflowDetails, responses=NOT_FOUND)
def show_workflow(dag_id: Name, session: SessionDep, actor: ActorDep, now: NowDep) -> details.WorkflowDetails:
    """Show one workflow, also a deleted one or one whose Dag is gone."""
    return details.workflow_details(session, actor, dag_id, now)


@router.get("/{dag_id}/diagram", response_model=Diagram, responses=NOT_FOUND)
def show_diagram(dag_id: Name, session: SessionDep, actor: ActorDep, now: NowDep) -> Graph:
    """Show the tasks of a workflow and what waits for what inside it."""
    return workflow_graph(session, actor, dag_id, now)


@router.post(
    "/{verb}",
    response_model=changes.ChangeAnswer,
    **CHANGING,
)
def change_workflows(
    verb: Verb,
    body: Annotated[WorkflowChange, Body(openapi_examples=WORKFLOW_CHANGES)],
    session: SessionDep,
    actor: ActorDep,
    now: NowDep,
) -> ChangeAnswer:
    """Start, pause, take offline, delete or submit whole workflows, or set their owners.

    200 also where targets were left alone or blocked, even all of them: `outcome` and `items` say so. 404 where a
    target does not exist, and then nothing was done.
    """
    return change(session, actor, body.request(verb), body, now)
