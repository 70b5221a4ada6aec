"""Downloads of whole lists, prepared in the background."""

from __future__ import annotations

from contextlib import AbstractContextManager

from airflow.api_fastapi.common.db.common import SessionDep
from airflow.utils.session import create_session
from fastapi import APIRouter, status
from fastapi.responses import StreamingResponse
from sqlalchemy.orm import Session

from taskops_provider.api.apply_change import CHANGING
from taskops_provider.api.datamodels.exports import Export, ExportRequest
from taskops_provider.api.deprecated import OldWordsRoute
from taskops_provider.api.errors import CHANGE, NOT_FOUND
from taskops_provider.api.security import ActorDep, NowDep
from taskops_provider.inputs.fields import Number
from taskops_provider.services.exports import request

router = APIRouter(prefix="/exports", tags=["Exports"], route_class=OldWordsRoute)


@router.post(
    "",
    response_model=Export,
    status_code=status.HTTP_202_ACCEPTED,
    **CHANGING,
)
def request_export(body: ExportRequest, session: SessionDep, actor: ActorDep, now: NowDep) -> request.ExportAnswer:
    """Ask for all that matches a filter, on all pages and with all columns.

    The monitor prepares it; ask for its state and fetch the content when it is `ready`. It holds what you may read
    now. Cells that a spreadsheet would take for a formula have an apostrophe in front.
    """
    return request.request_export(session, actor, body.filter.filter(), body.format, now)


@router.get("/{export_id}", response_model=Export, responses=NOT_FOUND)
def show_export(export_id: Number, session: SessionDep, actor: ActorDep) -> request.ExportAnswer:
    """Show how far a download of yours is."""
    return request.get_export(session, actor, export_id)


@router.get(
    "/{export_id}/content",
    response_class=StreamingResponse,
    responses={
        **{code: CHANGE[code] for code in (404, 409)},
        200: {
            "description": "The file.",
            "content": {"text/csv": {"schema": {"type": "string"}}, "application/json": {"schema": {"type": "array"}}},
        },
    },
)
def fetch_export(export_id: Number, session: SessionDep, actor: ActorDep) -> StreamingResponse:
    """Fetch a download of yours that is `ready`."""
    content = request.open_content(session, actor, export_id, _open_session)
    return StreamingResponse(
        content.pieces,
        media_type=content.media_type,
        headers={
            "Content-Disposition": f'attachment; filename="{content.name}"',
            "Content-Length": str(content.size),
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
        },
    )


def _open_session() -> AbstractContextManager[Session]:
    return create_session(scoped=False)
