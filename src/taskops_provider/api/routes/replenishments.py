"""Replenishments: plan, create, watch, control."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated

from airflow.api_fastapi.common.db.common import SessionDep
from fastapi import APIRouter, Query, status

from taskops_provider.api.apply_change import CHANGING
from taskops_provider.api.datamodels.replenishments import (
    Cells,
    CellsQuery,
    Control,
    ReplenishmentCreate,
    ReplenishmentDetails,
    ReplenishmentPlan,
    ReplenishmentPlanRequest,
    Replenishments,
    ReplenishmentsQuery,
    Verb,
)
from taskops_provider.api.deprecated import OldWordsDep, OldWordsRoute
from taskops_provider.api.errors import NOT_FOUND
from taskops_provider.api.security import ActorDep, NowDep
from taskops_provider.inputs.fields import Number
from taskops_provider.services.replenishments import control, create, listing, plan, progress
from taskops_provider.services.replenishments.cells import list_cells
from taskops_provider.services.replenishments.control import ControlVerb
from taskops_provider.services.replenishments.plan_summary import PlanSummary, summarize
from taskops_provider.services.replenishments.progress import CreatedReplenishment

router = APIRouter(prefix="/replenishments", tags=["Replenishments"], route_class=OldWordsRoute)


@router.get("", response_model=Replenishments)
def list_replenishments(
    query: Annotated[ReplenishmentsQuery, Query()], session: SessionDep, actor: ActorDep, now: NowDep
) -> Mapping[str, object]:
    """List the replenishments that touch a Dag you may read, the newest first."""
    page = listing.list_replenishments(
        session, actor, now, query.filter(), limit=query.limit, offset=query.offset, order_by=query.order_by
    )
    return {"replenishments": page.rows, "total_entries": page.total_entries}


@router.post("/plan", response_model=ReplenishmentPlan, response_model_exclude_unset=True, **CHANGING)
def plan_replenishment(
    body: ReplenishmentPlanRequest, session: SessionDep, actor: ActorDep, now: NowDep, used: OldWordsDep
) -> PlanSummary:
    """Show which cells, task by cycle, a replenishment would execute. Nothing is changed.

    It needs to edit every workflow that is named.
    """
    summary = summarize(plan.plan_replenishment(session, actor, body.request(), now), with_cells=body.grid)
    return replace(summary, warnings=[*summary.warnings, *used.sentences])


@router.post(
    "",
    response_model=ReplenishmentDetails,
    status_code=status.HTTP_201_CREATED,
    **CHANGING,
)
def create_replenishment(
    body: ReplenishmentCreate, session: SessionDep, actor: ActorDep, now: NowDep, used: OldWordsDep
) -> CreatedReplenishment:
    """Queue a replenishment; the monitor executes it.

    Missing runs are made by Airflow backfills in which only what was selected executes; in existing runs just the
    selected instances are cleared.
    """
    created = create.create_replenishment(session, actor, body.request(), now)
    return replace(created, warnings=[*created.warnings, *used.sentences])


@router.get("/{replenishment_id}", response_model=ReplenishmentDetails, responses=NOT_FOUND)
def show_replenishment(
    replenishment_id: Number, session: SessionDep, actor: ActorDep, now: NowDep
) -> progress.ReplenishmentDetails:
    """Show one replenishment with its progress."""
    return create.show_replenishment(session, actor, replenishment_id, now)


@router.get("/{replenishment_id}/cells", response_model=Cells, responses=NOT_FOUND)
def list_replenishment_cells(
    replenishment_id: Number, query: Annotated[CellsQuery, Query()], session: SessionDep, actor: ActorDep
) -> Mapping[str, object]:
    """List its cells, task by cycle, by logical date: those of Dags you may read."""
    page = list_cells(
        session,
        actor,
        replenishment_id,
        states=[state.value for state in query.state],
        dag_ids=query.dag_id,
        limit=query.limit,
        offset=query.offset,
    )
    return {"cells": page.rows, "total_entries": page.total_entries}


@router.post(
    "/{replenishment_id}/{verb}",
    response_model=ReplenishmentDetails,
    **CHANGING,
)
def control_replenishment(
    replenishment_id: Number, verb: Verb, body: Control, session: SessionDep, actor: ActorDep, now: NowDep
) -> progress.ReplenishmentDetails:
    """Pause, resume, cancel or retry. It needs to edit every workflow of the replenishment."""
    return control.control_replenishment(
        session,
        actor,
        replenishment_id,
        ControlVerb(verb),
        now,
        end_running=body.terminate_instances,
        reason=body.reason,
    )
