"""Airflow's whole web application in this process, with one auth manager or the other, and people of each role."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from airflow import settings
from airflow.api_fastapi import app as airflow_app
from fastapi.testclient import TestClient
from sqlalchemy import event
from starlette.routing import Mount

from tests.support.live import FAB, SIMPLE, USERS

MANAGERS = {"simple": SIMPLE, "fab": FAB}
#: may read one Dag, under FabAuthManager only; and one who may read none
READER, NOBODY = "reader", "nobody"
READERS_DAG = "customer_dim"


class WebApp:
    """The application as ``airflow api-server`` makes it."""

    def __init__(self, auth_manager: str):
        self.auth_manager = auth_manager
        airflow_app.purge_cached_app()
        with self._configured():
            self.app = airflow_app.create_app(apps="core")
            self.manager: Any = airflow_app.get_auth_manager()
            self._users = self._fab_users() if auth_manager == FAB else self._simple_users()

    @property
    def flask(self) -> Any:
        """The Flask application under ``/pluginsv2``."""
        mounts = [route for route in self.app.routes if isinstance(route, Mount)]
        return next(mount.app.app for mount in mounts if mount.path == "/pluginsv2")  # type: ignore[attr-defined]

    @contextmanager
    def active(self) -> Iterator[WebApp]:
        """Make this one the application of the process."""
        airflow_app._AuthManagerState.instance = self.manager
        with self._configured():
            yield self

    @contextmanager
    def _configured(self) -> Iterator[None]:
        before = os.environ.get("AIRFLOW__CORE__AUTH_MANAGER")
        os.environ["AIRFLOW__CORE__AUTH_MANAGER"] = self.auth_manager
        try:
            yield
        finally:
            os.environ.pop("AIRFLOW__CORE__AUTH_MANAGER")
            if before is not None:
                os.environ["AIRFLOW__CORE__AUTH_MANAGER"] = before

    def token(self, name: str, **kwargs: Any) -> str:
        """A token of a user."""
        return str(self.manager.generate_jwt(self._users[name], **kwargs))

    def client(self, name: str | None = None) -> TestClient:
        """A browser of a user, of nobody signed in without a name."""
        cookies = {"_token": self.token(name)} if name else {}
        return TestClient(self.app, base_url="http://localhost:8080", cookies=cookies, follow_redirects=False)

    def _simple_users(self) -> dict[str, Any]:
        from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser

        return {name: SimpleAuthManagerUser(username=name, role=role, teams=None) for name, role in USERS.items()}

    def _fab_users(self) -> dict[str, Any]:
        with self.flask.app_context():
            security = self.flask.appbuilder.sm
            security.sync_roles()
            for role, pairs in {READER: [("can_read", f"DAG:{READERS_DAG}")], NOBODY: []}.items():
                made = security.add_role(role)
                for pair in pairs:
                    security.add_permission_to_role(made, security.create_permission(*pair))
            users = {}
            for name, role in {**USERS, READER: READER, NOBODY: NOBODY}.items():
                security.add_user(name, name, name, f"{name}@example.com", security.find_role(role), name)
                users[name] = security.find_user(username=name)
                assert users[name], f"the user {name} could not be made"
            return users


@cache
def web_app(kind: str) -> WebApp:
    """The application with the auth manager ``simple`` or ``fab``, made once (10 s)."""
    return WebApp(MANAGERS[kind])


@contextmanager
def counted_queries() -> Iterator[list[str]]:
    """Collect the SQL statements that the process sends meanwhile."""
    statements: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        statements.append(statement)

    event.listen(settings.engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(settings.engine, "before_cursor_execute", note)
