"""Errors as people and programs get them: ``{"detail": "one line"}``."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from airflow.utils.session import create_session
from fastapi import FastAPI, Request, status
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from sqlalchemy.exc import DBAPIError, OperationalError, SQLAlchemyError

from taskops_provider.api.datamodels.common import ConflictError, Error
from taskops_provider.exceptions import NotMigrated, PlanChanged, TaskOpsError
from taskops_provider.services.health import require_tables

log = logging.getLogger(__name__)

UNPROCESSABLE = 422

#: what the documentation says of answers that are none
ANYWHERE: dict[int | str, dict[str, Any]] = {
    401: {"model": Error, "description": "Nobody is signed in, or the token has expired."},
    403: {"model": Error, "description": "You may not do this at all, or the token is not valid."},
    UNPROCESSABLE: {"model": Error, "description": "Something in the request cannot be; `detail` says what may."},
    503: {"model": Error, "description": "The tables are missing or the database is busy. Nothing was done."},
}
NOT_FOUND: dict[int | str, dict[str, Any]] = {
    404: {"model": Error, "description": "There is no such thing, or you may not see it."}
}
CHANGE: dict[int | str, dict[str, Any]] = {
    400: {"model": Error, "description": "The body cannot be read."},
    **NOT_FOUND,
    409: {"model": ConflictError, "description": "The state does not allow it, or has changed since the preview."},
    415: {"model": Error, "description": "The body is not JSON."},
}


def add_error_handlers(app: FastAPI) -> None:
    """Make every error one line."""
    app.add_exception_handler(TaskOpsError, _taskops_error)
    app.add_exception_handler(RequestValidationError, _validation_error)
    app.add_exception_handler(DBAPIError, _database_error)
    app.add_exception_handler(Exception, _unexpected_error)


def _answer(code: int, detail: str, **more: Any) -> JSONResponse:
    return JSONResponse({"detail": " ".join(detail.split()), **more}, code)


def _taskops_error(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, TaskOpsError)
    more = {"difference": error.difference} if isinstance(error, PlanChanged) else {}
    return _answer(error.http_status, str(error), **more)


def _validation_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    found = error.errors()
    more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    return _answer(UNPROCESSABLE, _told(found[0], request) + more)


def _told(error: Mapping[str, Any], request: Request) -> str:
    """``targets[0].dag_id: Field required``."""
    place, *path = error["loc"]
    if error["type"] == "json_invalid":
        return f"the body is not JSON: {error.get('ctx', {}).get('error', error['msg'])}"
    if error["type"].startswith("union_tag"):
        tag = error["ctx"]["discriminator"].strip("'")
        allowed = error["ctx"].get("expected_tags")
        return f"{tag}: " + (f"allowed are {allowed}" if allowed else "Field required")
    if place == "body" and not path:
        return "a JSON object is needed as the body"
    name = _joined(path)
    if error["type"] == "extra_forbidden":
        allowed = _names(request, place, path)
        told = f"; allowed are {', '.join(allowed)}" if allowed else ""
        return f"{name}: there is no such {'parameter' if place == 'query' else 'field'}{told}"
    return f"{name}: {str(error['msg']).removeprefix('Value error, ')}"


def _joined(path: Sequence[str | int]) -> str:
    name = ""
    for part in path:
        name += f"[{part}]" if isinstance(part, int) else f".{part}"
    return name.lstrip(".")


def _names(request: Request, place: str, path: Sequence[str | int]) -> list[str]:
    """The parameters, or the fields of the body, that the documentation of the asked route has."""
    route = request.scope.get("route")
    if not isinstance(route, APIRoute) or len(path) > 1:
        return []
    documentation = request.app.openapi()
    described = documentation["paths"].get(route.path_format, {}).get(request.method.lower(), {})
    if place == "query":
        return [parameter["name"] for parameter in described.get("parameters", []) if parameter["in"] == "query"]
    schema = described.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    model = documentation["components"]["schemas"].get(schema.get("$ref", "").rpartition("/")[2], {})
    return list(model.get("properties", ()))


def _database_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, DBAPIError)
    try:
        with create_session(scoped=False) as session:
            require_tables(session)
    except NotMigrated as missing:
        return _answer(missing.http_status, str(missing))
    except SQLAlchemyError:
        log.warning("TaskOps could not ask the database anything", exc_info=True)
    log.error("TaskOps' %s %s met an error of the database", request.method, request.url.path, exc_info=error)
    if isinstance(error, OperationalError) and not error.connection_invalidated:
        # rolled back: whoever asks may ask again. A connection that broke may have broken behind the commit.
        return _answer(status.HTTP_503_SERVICE_UNAVAILABLE, "the database is busy; nothing was done, try again")
    return _went_wrong()


def _unexpected_error(_request: Request, _error: Exception) -> JSONResponse:
    # the server logs the error itself
    return _went_wrong()


def _went_wrong() -> JSONResponse:
    return _answer(status.HTTP_500_INTERNAL_SERVER_ERROR, "something went wrong; the API server's log says what")
