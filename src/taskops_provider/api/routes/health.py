"""Health: the one route that answers anyone."""

from __future__ import annotations

from airflow.api_fastapi.common.db.common import SessionDep
from fastapi import APIRouter, Response, status

from taskops_provider.api.datamodels.health import Health
from taskops_provider.exceptions import NotMigrated
from taskops_provider.services.health import require_tables

router = APIRouter(tags=["Health"])


@router.get(
    "/health",
    response_model_exclude_none=True,
    responses={503: {"model": Health, "description": "The tables are missing or old."}},
)
def health(session: SessionDep, response: Response) -> Health:
    """Tell whether TaskOps' tables are there. Anonymous, as Airflow's own health is: load balancers ask it."""
    try:
        require_tables(session)
    except NotMigrated as error:
        response.status_code = status.HTTP_503_SERVICE_UNAVAILABLE
        return Health(status="unhealthy", detail=str(error))
    return Health(status="healthy")
