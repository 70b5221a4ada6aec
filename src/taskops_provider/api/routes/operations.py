"""Operation records, and undoing what they tell of."""

from __future__ import annotations

from typing import Annotated, Any

from airflow.api_fastapi.common.db.common import SessionDep
from fastapi import APIRouter, Query

from taskops_provider.api.changing import CHANGING
from taskops_provider.api.datamodels.changes import ChangeAnswer
from taskops_provider.api.datamodels.common import Number
from taskops_provider.api.datamodels.operations import OperationDetails, Operations, OperationsQuery, Undo
from taskops_provider.api.errors import NOT_FOUND
from taskops_provider.api.security import ActorDep
from taskops_provider.services.records import get_operation
from taskops_provider.services.records import list_operations as list_records
from taskops_provider.services.undo import preview_undo, undo

router = APIRouter(prefix="/operations", tags=["Operations"])


@router.get("", response_model=Operations, response_model_exclude_unset=True)
def list_operations(query: Annotated[OperationsQuery, Query()], session: SessionDep, actor: ActorDep) -> dict[str, Any]:
    """List operations, the newest first: those that touched a Dag you may read, settings, and your own exports."""
    page = list_records(session, actor, query.filter(), limit=query.limit, offset=query.offset, order_by=query.order_by)
    return {"operations": page.rows, "total_entries": page.total_entries}


@router.get("/{operation_id}", response_model=OperationDetails, response_model_exclude_unset=True, responses=NOT_FOUND)
def show_operation(operation_id: Number, session: SessionDep, actor: ActorDep) -> dict[str, Any]:
    """Show one operation and what came of each target that you may see."""
    return get_operation(session, actor, operation_id)


@router.post(
    "/{operation_id}/undo",
    response_model=ChangeAnswer,
    response_model_exclude_unset=True,
    **CHANGING,
)
def undo_operation(operation_id: Number, body: Undo, session: SessionDep, actor: ActorDep) -> dict[str, Any]:
    """Restore the states or owners that an operation changed, where nothing newer did. Itself an operation."""
    plan = (preview_undo if body.dry_run else undo)(session, actor, operation_id)
    return plan.as_json()
