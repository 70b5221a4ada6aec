"""Windows: planned pauses, freezes, skipped cycles, and holding everything."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from airflow.api_fastapi.common.db.common import SessionDep
from fastapi import APIRouter, Query, Response, status

from taskops_provider.api.apply_change import CHANGING
from taskops_provider.api.datamodels.windows import (
    CalendarEntries,
    CalendarQuery,
    HeldOrReleased,
    ImportBody,
    MadeWindows,
    PreviewBody,
    PreviewQuery,
    Window,
    WindowPreview,
    Windows,
    WindowsQuery,
)
from taskops_provider.api.deprecated import OldWordsRoute
from taskops_provider.api.errors import NOT_FOUND
from taskops_provider.api.security import ActorDep, NowDep
from taskops_provider.inputs.fields import Number
from taskops_provider.inputs.windows.holding import HoldAll, ReleaseAll, SkipNext
from taskops_provider.inputs.windows.window import WindowChange, WindowCreate
from taskops_provider.services.shared.paging import Page
from taskops_provider.services.windows import answers, changes, listing, preview
from taskops_provider.services.windows import hold_all as holding
from taskops_provider.services.windows.calendar import calendar
from taskops_provider.services.windows.calendar_file import export_windows, read_windows
from taskops_provider.services.windows.skip_next import skip_next

router = APIRouter(prefix="/windows", tags=["Windows"], route_class=OldWordsRoute)


@router.get("", response_model=Windows)
def list_windows(
    query: Annotated[WindowsQuery, Query()], session: SessionDep, actor: ActorDep, now: NowDep
) -> Page[answers.WindowAnswer]:
    """List windows that cover something you may read, the newest first."""
    return listing.list_windows(session, actor, query.filter(), now, limit=query.limit, offset=query.offset)


@router.post("", response_model=Window, status_code=status.HTTP_201_CREATED, **CHANGING)
def create_window(body: WindowCreate, session: SessionDep, actor: ActorDep, now: NowDep) -> answers.WindowAnswer:
    """Make a window and lay it ahead.

    It needs to edit each Dag that it names; on folders, projects, tags and everything, to edit every Dag.
    """
    return changes.create_window(session, actor, body, now)


@router.post("/preview", response_model=WindowPreview, **CHANGING)
def preview_window(body: PreviewBody, session: SessionDep, actor: ActorDep, now: NowDep) -> answers.WindowPreview:
    """Show when a window would be open, and which cycles it would stop. Changes nothing; needs what making it needs."""
    return preview.preview_window(session, actor, body.asked(), now, occurrences=body.occurrences)


@router.get("/calendar", response_model=CalendarEntries)
def show_calendar(
    query: Annotated[CalendarQuery, Query()], session: SessionDep, actor: ActorDep
) -> Mapping[str, object]:
    """Show what lies in a time: windows, and pauses that end by themselves."""
    return {"entries": calendar(session, actor, query.begin, query.end)}


@router.get(
    "/export",
    response_class=Response,
    responses={
        200: {"content": {"text/calendar": {"schema": {"type": "string"}}}, "description": "An iCalendar file."}
    },
)
def export_windows_file(session: SessionDep, actor: ActorDep, now: NowDep) -> Response:
    """Return the windows that you may see as an iCalendar file."""
    return Response(export_windows(session, actor, now), media_type="text/calendar")


@router.post("/import", response_model=MadeWindows, status_code=status.HTTP_201_CREATED, **CHANGING)
def import_windows(
    body: ImportBody, session: SessionDep, actor: ActorDep, now: NowDep
) -> Mapping[str, list[answers.WindowAnswer]]:
    """Make the windows of an iCalendar file: all, or none."""
    windows = read_windows(body.content, body.defaults(), who=actor.name)
    return {"windows": changes.create_windows(session, actor, windows, now)}


@router.post("/skip-next", response_model=MadeWindows, status_code=status.HTTP_201_CREATED, **CHANGING)
def skip_next_cycles(
    body: SkipNext, session: SessionDep, actor: ActorDep, now: NowDep
) -> Mapping[str, list[answers.WindowAnswer]]:
    """Leave out the next cycles of tasks or workflows, however late their runs are created."""
    return {"windows": skip_next(session, actor, body, now)}


@router.post("/hold-all", response_model=HeldOrReleased, **CHANGING)
def hold_everything(body: HoldAll, session: SessionDep, actor: ActorDep, now: NowDep) -> answers.HeldOrReleased:
    """Hold everything, or a project, until it is released. What runs or is deferred goes on.

    It needs to edit every Dag, and to change the instances that would wait.
    """
    return holding.hold_all(session, actor, body, now)


@router.post("/release-all", response_model=HeldOrReleased, **CHANGING)
def release_everything(body: ReleaseAll, session: SessionDep, actor: ActorDep, now: NowDep) -> answers.HeldOrReleased:
    """Release what is held: at once, or so many workflows at a time. It needs to edit every Dag."""
    return holding.release_all(session, actor, body, now)


@router.get("/{window_id}", response_model=Window, responses=NOT_FOUND)
def show_window(window_id: Number, session: SessionDep, actor: ActorDep, now: NowDep) -> answers.WindowAnswer:
    """Show one window, as far as you may see what it covers."""
    return listing.show_window(session, actor, window_id, now)


@router.get("/{window_id}/preview", response_model=WindowPreview, responses=NOT_FOUND)
def preview_kept_window(
    window_id: Number, query: Annotated[PreviewQuery, Query()], session: SessionDep, actor: ActorDep, now: NowDep
) -> answers.WindowPreview:
    """Show when a window is open next, and which cycles it stops, as far as you may see them."""
    return preview.preview_kept(session, actor, window_id, now, occurrences=query.occurrences)


@router.patch("/{window_id}", response_model=Window, **CHANGING)
def update_window(
    window_id: Number, body: WindowChange, session: SessionDep, actor: ActorDep, now: NowDep
) -> answers.WindowAnswer:
    """Change the fields that are sent, each as a whole. What is open and no longer wanted ends now."""
    return changes.update_window(session, actor, window_id, body, now)


@router.delete("/{window_id}", response_model=Window, responses=NOT_FOUND)
def delete_window(window_id: Number, session: SessionDep, actor: ActorDep, now: NowDep) -> answers.WindowAnswer:
    """Delete a window and show it once more: what is open ends now, and what it held goes on."""
    return changes.delete_window(session, actor, window_id, now)
