"""Replenishments: plan, create, watch, control."""

from __future__ import annotations

from typing import Annotated, Any

from airflow.api_fastapi.common.db.common import SessionDep
from fastapi import APIRouter, Query, status

from taskops_provider.api.changing import CHANGING
from taskops_provider.api.datamodels.common import Number
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
from taskops_provider.api.errors import NOT_FOUND
from taskops_provider.api.security import ActorDep, NowDep
from taskops_provider.services import replenishment_list, replenishment_plan, replenishments
from taskops_provider.services.replenishment_cells import list_cells
from taskops_provider.services.replenishment_control import ControlVerb, control
from taskops_provider.services.replenishment_plan_cells import cells_json

router = APIRouter(prefix="/replenishments", tags=["Replenishments"])


@router.get("", response_model=Replenishments)
def list_replenishments(
    query: Annotated[ReplenishmentsQuery, Query()], session: SessionDep, actor: ActorDep, now: NowDep
) -> dict[str, Any]:
    """List the replenishments that touch a Dag you may read, the newest first."""
    page = replenishment_list.list_replenishments(
        session, actor, now, query.filter(), limit=query.limit, offset=query.offset, order_by=query.order_by
    )
    return {"replenishments": page.rows, "total_entries": page.total_entries}


@router.post("/plan", response_model=ReplenishmentPlan, response_model_exclude_unset=True, **CHANGING)
def plan_replenishment(
    body: ReplenishmentPlanRequest, session: SessionDep, actor: ActorDep, now: NowDep
) -> dict[str, Any]:
    """Show which cells, task by cycle, a replenishment would execute. Nothing is changed.

    It needs to edit every workflow that is named.
    """
    plan = replenishment_plan.plan_replenishment(session, actor, body.asked(), now)
    return plan.as_json() | (cells_json(plan) if body.grid else {})


@router.post(
    "",
    response_model=ReplenishmentDetails,
    status_code=status.HTTP_201_CREATED,
    **CHANGING,
)
def create_replenishment(
    body: ReplenishmentCreate, session: SessionDep, actor: ActorDep, now: NowDep
) -> dict[str, Any]:
    """Queue a replenishment; the monitor executes it.

    Missing runs are made by Airflow backfills in which only what was selected executes; in existing runs just the
    selected instances are cleared.
    """
    return replenishments.create_replenishment(session, actor, body.create(), now)


@router.get("/{replenishment_id}", response_model=ReplenishmentDetails, responses=NOT_FOUND)
def show_replenishment(replenishment_id: Number, session: SessionDep, actor: ActorDep, now: NowDep) -> dict[str, Any]:
    """Show one replenishment with its progress."""
    return replenishments.show_replenishment(session, actor, replenishment_id, now)


@router.get("/{replenishment_id}/cells", response_model=Cells, responses=NOT_FOUND)
def list_replenishment_cells(
    replenishment_id: Number, query: Annotated[CellsQuery, Query()], session: SessionDep, actor: ActorDep
) -> dict[str, Any]:
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
) -> dict[str, Any]:
    """Pause, resume, cancel or retry. It needs to edit every workflow of the replenishment."""
    return control(
        session,
        actor,
        replenishment_id,
        ControlVerb(verb),
        now,
        end_running=body.terminate_instances,
        reason=body.reason,
    )
