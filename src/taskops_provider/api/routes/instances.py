"""Instances of a task: history, curve, operations on single ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from airflow.api_fastapi.common.db.common import SessionDep
from fastapi import APIRouter, Query

from taskops_provider.api.apply_change import CHANGING, refuse_hash_of_preview
from taskops_provider.api.datamodels.instances import (
    Curve,
    CurveQuery,
    InstanceChange,
    InstanceChangeAnswer,
    Instances,
    InstancesQuery,
)
from taskops_provider.api.errors import NOT_FOUND
from taskops_provider.api.security import ActorDep, NowDep
from taskops_provider.domain.operations.answers import ChangeAnswer
from taskops_provider.inputs.fields import Name
from taskops_provider.services.catalog.curve import curve
from taskops_provider.services.catalog.instances import InstanceSearch, page_of_instances
from taskops_provider.services.operations.on_instances import (
    InstanceRequest,
    InstanceVerb,
    Ref,
    apply_on_instances,
    preview_on_instances,
)

router = APIRouter(prefix="/tasks/{dag_id}/{task_id}", tags=["Instances"])


@router.get("/instances", response_model=Instances, responses=NOT_FOUND)
def list_instances(
    dag_id: Name,
    task_id: Name,
    query: Annotated[InstancesQuery, Query()],
    session: SessionDep,
    actor: ActorDep,
    now: NowDep,
) -> Mapping[str, object]:
    """List the instances of a task, those of the newest run first, and count what they are doing."""
    page = page_of_instances(
        session,
        actor,
        InstanceSearch(dag_id, task_id, query.filter(), tuple(status.value for status in query.status)),
        now,
        limit=query.limit,
        offset=query.offset,
        order_by=query.order_by,
    )
    return {
        "instances": page.rows,
        "total_entries": page.total_entries,
        "counts": page.counts,
        "gated": page.gated,
    }


@router.get("/curve", response_model=Curve, responses=NOT_FOUND)
def show_curve(
    dag_id: Name,
    task_id: Name,
    query: Annotated[CurveQuery, Query()],
    session: SessionDep,
    actor: ActorDep,
    now: NowDep,
) -> Mapping[str, object]:
    """Show how long the last instances took, when they started and ended, the oldest first."""
    points = curve(session, actor, dag_id, task_id, now, last=int(query.last))
    return {"dag_id": dag_id, "task_id": task_id, "points": points}


@router.post(
    "/instances/{verb}",
    response_model=InstanceChangeAnswer,
    **CHANGING,
)
def change_instances(
    dag_id: Name,
    task_id: Name,
    verb: InstanceVerb,
    body: InstanceChange,
    session: SessionDep,
    actor: ActorDep,
    now: NowDep,
) -> ChangeAnswer:
    """Rerun, force, hold, release or terminate single instances, or set them success or failed.

    - `rerun` clears exactly these: each runs again, and its run with it. What waits because its task was stopped runs.
      With `with_downstream` also what is downstream of them: in their runs (`workflow`), or in all workflows
      (`everywhere`).
    - `force` runs them now, whatever is upstream of them, earlier runs (`depends_on_past`) or a full `max_active_tasks`
      say. Pools count, and so does a Dag that is paused.
    - `hold` keeps them from starting until somebody says `release`, also if they are cleared or tried again.
    - `terminate` ends those that have not ended, as failed; what runs in a worker is killed.
    - `set-success` and `set-failed` do what Airflow does: what failed below them is cleared.

    It needs the permission to edit the Dag's task instances; a rerun everywhere leaves out what you may not edit.
    """
    request = InstanceRequest(
        dag_id,
        task_id,
        verb,
        [Ref(*key) for key in body.names()],
        body.explanation(),
        body.with_downstream,
        body.override_freeze,
    )
    if body.dry_run:
        refuse_hash_of_preview(body.plan_hash)
        return preview_on_instances(session, actor, request, now).answer()
    return apply_on_instances(session, actor, request, expected_hash=body.plan_hash).answer()
