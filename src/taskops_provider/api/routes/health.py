"""Health: for load balancers and probes, and all checks for people."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from airflow.api_fastapi.common.db.common import SessionDep
from fastapi import APIRouter, Response, status
from sqlalchemy.exc import SQLAlchemyError

from taskops_provider.api.datamodels.health import Health, HealthChecks
from taskops_provider.api.security import ActorDep, NowDep
from taskops_provider.exceptions import NotMigrated
from taskops_provider.services.health import check_health, require_tables

log = logging.getLogger(__name__)

#: the one route that answers anyone
router = APIRouter(tags=["Health"])
checks_router = APIRouter(tags=["Health"])


@router.get(
    "/health",
    response_model_exclude_none=True,
    responses={
        503: {"model": Health, "description": "The database does not answer, or the tables are missing or old."}
    },
)
def health(session: SessionDep, response: Response) -> Health:
    """Tell whether this API server can serve TaskOps: the database answers, and has the tables of this version.

    Anonymous, as Airflow's own health is: load balancers and readiness probes ask it. The monitor does not count, for
    an API server serves without it.
    """
    try:
        require_tables(session)
    except NotMigrated as error:
        return _unhealthy(response, str(error))
    except SQLAlchemyError:
        log.warning("TaskOps' health: the database does not answer", exc_info=True)
        session.rollback()
        return _unhealthy(response, "the database does not answer")
    return Health(status="healthy")


def _unhealthy(response: Response, detail: str) -> Health:
    response.status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    return Health(status="unhealthy", detail=detail)


@checks_router.get("/health/checks", response_model=HealthChecks)
def health_checks(session: SessionDep, actor: ActorDep, now: NowDep) -> Mapping[str, object]:
    """Make all checks that `airflow taskops check` makes, without names that you may not read."""
    return {"checks": check_health(session, now, actor)}
