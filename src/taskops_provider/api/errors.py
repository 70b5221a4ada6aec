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
from taskops_provider.domain.answers import to_plain_data
from taskops_provider.exceptions import NotMigrated, PlanChanged, TaskOpsError
from taskops_provider.inputs import problems
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
    # it may quote what was sent, and half of a surrogate pair is no text that an answer could hold
    printable = detail.encode(errors="backslashreplace").decode()
    return JSONResponse({"detail": " ".join(printable.split()), **more}, code)


def _taskops_error(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, TaskOpsError)
    more = {"difference": to_plain_data(error.difference)} if isinstance(error, PlanChanged) else {}
    return _answer(error.http_status, str(error), **more)


def _validation_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    found = error.errors()
    return _answer(UNPROCESSABLE, _told(found[0], request, error.body) + problems.more(found))


def _told(error: Mapping[str, Any], request: Request, body: Any) -> str:
    """``targets[0].dag_id is missing``."""
    place, *path = error["loc"]
    if len(path) > 1 and isinstance(body, Mapping) and path[0] not in body and path[0] in body.values():
        # pydantic's place in a body of several kinds begins with the kind, which is no field
        path = path[1:]
    if error["type"] == "json_invalid":
        return f"the body is not JSON: {error.get('ctx', {}).get('error', error['msg'])}"
    if place == "body" and not path and not problems.names_no_field(error):
        return "a JSON object is needed as the body"
    noun = "parameter" if place == "query" else "field"
    allowed = _names(request, place, path) if error["type"] == "extra_forbidden" else ()
    return problems.problem(error, problems.dotted(path), noun=noun, allowed=allowed)


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
