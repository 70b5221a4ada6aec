"""The FastAPI application at ``/taskops``: health, guarded documentation, the lifespan."""

from __future__ import annotations

import re
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from types import ModuleType

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from taskops_provider.api.app import create_app
from tests.support.apps import MANAGERS, WebApp, web_app

MONITOR = "taskops_provider.monitor.thread"


@pytest.fixture(params=MANAGERS)
def web(request: pytest.FixtureRequest) -> Iterator[WebApp]:
    with web_app(request.param).active() as app:
        yield app


def test_health_answers_anyone_and_tells_nothing_else(web: WebApp) -> None:
    answer = web.client().get("/taskops/v1/health")
    assert answer.status_code == 200
    assert answer.json() == {"status": "healthy"}


def test_health_without_our_tables(web: WebApp, session: Session) -> None:
    session.execute(text("ALTER TABLE alembic_version_taskops RENAME TO alembic_version_taskops_away"))
    session.commit()
    try:
        answer = web.client().get("/taskops/v1/health")
        assert answer.status_code == 503
        assert "airflow db migrate" in answer.json()["detail"]
    finally:
        session.execute(text("ALTER TABLE alembic_version_taskops_away RENAME TO alembic_version_taskops"))
        session.commit()


def test_health_where_the_database_does_not_answer(web: WebApp, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(_session: Session) -> None:
        raise OperationalError("SELECT 1", None, Exception("could not connect to server: secret-host"))

    monkeypatch.setattr("taskops_provider.api.routes.health.require_tables", away)
    answer = web.client().get("/taskops/v1/health")
    assert (answer.status_code, answer.json()) == (
        503,
        {"status": "unhealthy", "detail": "the database does not answer"},
    )


def test_all_checks_are_for_signed_in_users(web: WebApp) -> None:
    assert web.client().get("/taskops/v1/health/checks").status_code == 401
    answer = web.client("viewer").get("/taskops/v1/health/checks")
    assert answer.status_code == 200
    names = [check["name"] for check in answer.json()["checks"]]
    assert names[:4] == ["airflow", "tables", "gate", "coverage"]


@pytest.mark.parametrize("path", ["/taskops/docs", "/taskops/openapi.json"])
def test_documentation_is_for_signed_in_users(web: WebApp, path: str) -> None:
    answer = web.client().get(path)
    assert answer.status_code == 401
    assert "health" not in answer.text
    assert web.client("viewer").get(path).status_code == 200


def test_openapi_describes_the_routes_and_the_docs_find_it(web: WebApp) -> None:
    client = web.client("viewer")
    assert "/v1/health" in client.get("/taskops/openapi.json").json()["paths"]
    assert "/taskops/openapi.json" in client.get("/taskops/docs").text
    assert client.get("/taskops/redoc").status_code == 404


def test_the_viewer_of_the_api_comes_from_the_package(web: WebApp) -> None:
    """It asks no other server for anything, and the browser would not let it (issue 12, Low)."""
    client = web.client("viewer")
    page = client.get("/taskops/docs")
    assert "://" not in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]
    files = re.findall(r'(?:src|href)="(/taskops/docs/[^"]+)"', page.text)
    assert sorted(name.rpartition(".")[2] for name in files) == ["css", "js"]
    for name in files:
        answer = client.get(name)
        assert answer.status_code == 200
        assert "immutable" in answer.headers["cache-control"]
    for name in ("manifest.json", "..%2Fmanifest.json", "taskops.css"):
        assert client.get(f"/taskops/docs/{name}").status_code == 404


def test_lifespan_runs_the_monitor_while_the_server_is_up(monkeypatch: pytest.MonkeyPatch) -> None:
    events: list[str] = []

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        events.append("up")
        yield
        events.append("down")

    fake = ModuleType(MONITOR)
    fake.lifespan = lifespan  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, MONITOR, fake)
    with web_app("simple").active() as web, TestClient(create_app()) as client:
        assert events == ["up"]
        assert client.app.state.auth_manager is web.manager  # type: ignore[attr-defined]
    assert events == ["up", "down"]


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("limit=1&limit=2", 422),
        ("order_by=task_id&order_by=dag_id", 422),
        ("owner=a&owner=b", 200),
        ("limit=1", 200),
    ],
)
def test_a_parameter_of_one_value_is_given_once(web: WebApp, query: str, status: int) -> None:
    """All but the last were dropped without a word."""
    answer = web.client("admin").get(f"/taskops/v1/tasks?{query}")
    assert answer.status_code == status
    if status == 422:
        assert answer.json()["detail"] == f"{query.partition('=')[0]} is given 2 times; give it once"
