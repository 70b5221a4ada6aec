"""Operation records, and undoing what they tell of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from airflow.api_fastapi.common.db.common import SessionDep
from fastapi import APIRouter, Query

from taskops_provider.api.apply_change import CHANGING
from taskops_provider.api.datamodels.changes import ChangeAnswer
from taskops_provider.api.datamodels.operations import OperationDetails, Operations, OperationsQuery, Undo
from taskops_provider.api.deprecated import OldWordsRoute
from taskops_provider.api.errors import NOT_FOUND
from taskops_provider.api.security import ActorDep
from taskops_provider.domain.operations import answers
from taskops_provider.exceptions import BadInput
from taskops_provider.inputs.fields import Number
from taskops_provider.services.operations.records import get_operation
from taskops_provider.services.operations.records import list_operations as list_records
from taskops_provider.services.operations.undo import preview_undo, undo

router = APIRouter(prefix="/operations", tags=["Operations"], route_class=OldWordsRoute)


@router.get("", response_model=Operations)
def list_operations(
    query: Annotated[OperationsQuery, Query()], session: SessionDep, actor: ActorDep
) -> Mapping[str, object]:
    """List operations, the newest first: those that touched a Dag you may read, settings, and your own exports."""
    page = list_records(session, actor, query.filter(), limit=query.limit, offset=query.offset, order_by=query.order_by)
    return {"operations": page.rows, "total_entries": page.total_entries}


@router.get("/{operation_id}", response_model=OperationDetails, responses=NOT_FOUND)
def show_operation(operation_id: Number, session: SessionDep, actor: ActorDep) -> answers.OperationDetails:
    """Show one operation and what came of each target that you may see."""
    return get_operation(session, actor, operation_id)


@router.post(
    "/{operation_id}/undo",
    response_model=ChangeAnswer,
    **CHANGING,
)
def undo_operation(operation_id: Number, body: Undo, session: SessionDep, actor: ActorDep) -> answers.ChangeAnswer:
    """Restore the states or owners that an operation changed, where nothing newer did. Itself an operation."""
    if body.dry_run:
        if body.plan_hash is not None:
            raise BadInput("plan_hash is for applying a plan, dry_run makes one; take one of them")
        return preview_undo(session, actor, operation_id).answer()
    return undo(session, actor, operation_id, expected_hash=body.plan_hash).answer()
