"""What starts and ends with the API server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from typing import Any

from airflow.api_fastapi.app import get_auth_manager
from fastapi import FastAPI

_MONITOR = "taskops_provider.monitor.thread"


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Give Airflow's dependencies what they look for in ``app.state``, and run the monitor meanwhile."""
    app.state.auth_manager = get_auth_manager()
    async with _monitor(app):
        yield


def _monitor(app: FastAPI) -> AbstractAsyncContextManager[Any]:
    try:
        from taskops_provider.monitor.thread import lifespan as monitor_lifespan
    except ModuleNotFoundError as error:
        if error.name != _MONITOR:
            raise
        return nullcontext()
    return monitor_lifespan(app)
