"""Settings of projects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated

from airflow.api_fastapi.common.db.common import SessionDep
from fastapi import APIRouter, Body, Query

from taskops_provider.api.apply_change import CHANGING
from taskops_provider.api.datamodels.settings import StrictModeChange, StrictModeQuery, StrictModes
from taskops_provider.api.errors import NOT_FOUND
from taskops_provider.api.examples import STRICT_MODE
from taskops_provider.api.security import ActorDep, NowDep
from taskops_provider.exceptions import ResourceNotFound
from taskops_provider.services.operations.strict_mode_setting import StrictMode, list_strict_mode
from taskops_provider.services.operations.strict_mode_setting import set_strict_mode as set_mode

router = APIRouter(prefix="/settings", tags=["Settings"])


@router.get("/strict-mode", response_model=StrictModes, responses=NOT_FOUND)
def show_strict_mode(
    query: Annotated[StrictModeQuery, Query()], session: SessionDep, actor: ActorDep
) -> Mapping[str, object]:
    """Show strict mode of projects: whether only tasks without live downstream tasks may stop."""
    modes = list_strict_mode(session, actor)
    if query.project is None:
        return _answer(modes)
    chosen = [mode for mode in modes if mode.project == query.project]
    if not chosen:
        there_are = ", ".join(mode.project for mode in modes) or "none yet"
        raise ResourceNotFound(f"project {query.project!r} does not exist; there are {there_are}")
    return _answer(chosen)


@router.put("/strict-mode", response_model=StrictModes, **CHANGING)
def set_strict_mode(
    body: Annotated[StrictModeChange, Body(openapi_examples=STRICT_MODE)],
    session: SessionDep,
    actor: ActorDep,
    now: NowDep,
) -> Mapping[str, object]:
    """Turn strict mode of one project, or of all there are, on or off. It needs to edit every Dag."""
    return _answer(set_mode(session, actor, body.project, body.strict_mode, now))


def _answer(modes: Sequence[StrictMode]) -> Mapping[str, object]:
    return {"projects": modes, "total_entries": len(modes)}
