"""The application that Airflow mounts at ``/taskops``: the REST API and its documentation."""

from __future__ import annotations

from typing import Any

from airflow.api_fastapi.core_api.security import get_user
from airflow.configuration import conf
from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse

from taskops_provider import __version__
from taskops_provider.api import description, docs_page
from taskops_provider.api.deprecated import describe_old_words, refuse_doubled
from taskops_provider.api.errors import ANYWHERE, add_error_handlers
from taskops_provider.api.lifespan import lifespan
from taskops_provider.api.no_store import NoStore
from taskops_provider.api.repeated import refuse_repeated
from taskops_provider.api.routes import (
    alarms,
    exports,
    health,
    holds,
    instances,
    operation_records,
    replenishments,
    settings,
    tasks,
    workflows,
)
from taskops_provider.api.security import get_actor
from taskops_provider.domain.answers import Json

_GUARDED = (holds, workflows, tasks, instances, replenishments, alarms, operation_records, exports, settings)


class TaskOpsApi(FastAPI):
    """The application. Its documentation has the old names too, as deprecated ones."""

    def openapi(self) -> Json:
        """Return the documentation; it is made once."""
        if not self.openapi_schema:
            describe_old_words(super().openapi())
        return super().openapi()


def create_app() -> FastAPI:
    """Return the application."""
    # FastAPI's own pages about the API answer anyone: ours ask who it is
    app = TaskOpsApi(
        title="TaskOps",
        version=__version__,
        summary=description.SUMMARY,
        description=description.DESCRIPTION,
        openapi_tags=description.TAGS,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        generate_unique_id_function=lambda route: route.name,
    )
    app.include_router(_routes(), prefix="/v1")
    app.include_router(health.router, prefix="/v1")
    add_error_handlers(app)
    app.add_middleware(NoStore)
    if conf.getboolean("api", "enable_swagger_ui", fallback=True):
        signed_in = [Depends(get_user)]
        app.get("/openapi.json", dependencies=signed_in, include_in_schema=False)(_openapi)
        app.get("/docs", dependencies=signed_in, include_in_schema=False)(_docs)
        app.get("/docs/{name}", dependencies=signed_in, include_in_schema=False)(_docs_file)
    return app


def _routes() -> APIRouter:
    """All routes that need to know who asks, whatever a route itself forgets."""
    guarded = APIRouter(
        dependencies=[Depends(get_actor), Depends(refuse_doubled), Depends(refuse_repeated)], responses=ANYWHERE
    )
    for module in _GUARDED:
        guarded.include_router(module.router)
    guarded.include_router(health.checks_router)
    return guarded


def _mounted_at(request: Request) -> str:
    return str(request.scope.get("root_path", "")).rstrip("/")


def _openapi(request: Request) -> JSONResponse:
    schema: dict[str, Any] = {**request.app.openapi(), "servers": [{"url": _mounted_at(request) or "/"}]}
    return JSONResponse(schema)


def _docs(request: Request) -> HTMLResponse:
    """The pages that try the API out."""
    return HTMLResponse(docs_page.page(_mounted_at(request)), headers=docs_page.HEADERS)


def _docs_file(name: str) -> FileResponse:
    """A file of these pages."""
    path = docs_page.file(name)
    return FileResponse(path, media_type=docs_page.MEDIA_TYPES[path.suffix], headers=docs_page.CACHED)
