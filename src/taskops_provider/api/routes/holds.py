"""Holding: what people hold, and whole runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from airflow.api_fastapi.common.db.common import SessionDep
from fastapi import APIRouter, Query

from taskops_provider.api.apply_change import CHANGING, refuse_hash_of_preview
from taskops_provider.api.datamodels.holds import Holds, HoldsQuery
from taskops_provider.api.datamodels.instances import InstanceChangeAnswer, RunChange
from taskops_provider.api.errors import NOT_FOUND
from taskops_provider.api.security import ActorDep, NowDep
from taskops_provider.domain.instances import RunVerb
from taskops_provider.domain.operations.answers import ChangeAnswer
from taskops_provider.inputs.fields import Name
from taskops_provider.services.catalog.holds import list_holds
from taskops_provider.services.operations.on_runs import RunRequest, apply_on_runs, preview_on_runs

router = APIRouter(tags=["Instances"])


@router.get("/holds", response_model=Holds, responses=NOT_FOUND)
def show_holds(query: Annotated[HoldsQuery, Query()], session: SessionDep, actor: ActorDep) -> Mapping[str, object]:
    """List the instances and runs that people hold, of the Dags whose instances you may see."""
    page = list_holds(session, actor, dag_id=query.dag_id or "", limit=query.limit, offset=query.offset)
    return {"holds": page.rows, "total_entries": page.total_entries}


@router.post("/workflows/{dag_id}/runs/{verb}", response_model=InstanceChangeAnswer, **CHANGING)
def change_runs(
    dag_id: Name, verb: RunVerb, body: RunChange, session: SessionDep, actor: ActorDep, now: NowDep
) -> ChangeAnswer:
    """Hold whole runs, or release them.

    Nothing starts in a held run: no task, no next try, nothing that is cleared. What is under way ends by itself.
    `release` lets it go on; what was held by itself stays held.

    It needs the permission to edit the Dag and its runs.
    """
    request = RunRequest(dag_id, verb, body.run_ids, body.explanation(), body.override_freeze)
    if body.dry_run:
        refuse_hash_of_preview(body.plan_hash)
        return preview_on_runs(session, actor, request, now).answer()
    return apply_on_runs(session, actor, request, expected_hash=body.plan_hash).answer()
