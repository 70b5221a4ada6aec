"""Airflow's whole web application in this process, with one auth manager or the other, and people of each role."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from airflow.api_fastapi import app as airflow_app
from fastapi.testclient import TestClient
from starlette.routing import Mount

from tests.support.live import FAB, SIMPLE, USERS

MANAGERS = {"simple": SIMPLE, "fab": FAB}
#: a kind of its own: SimpleAuthManager with ``[core] multi_team``
TEAMS = "teams"
#: its people: name -> role, teams
MEMBERS = {
    "north_user": ("User", ["north"]),
    "north_viewer": ("Viewer", ["north"]),
    "south_user": ("User", ["south"]),
    "both_user": ("User", ["north", "south"]),
    "admin": ("Admin", []),
}
#: what Airflow's own roles have too: without it TaskOps shows nothing of a Dag
READS_TASKS = ("can_read", "Task Instances")
#: may read one Dag, under FabAuthManager only; and one who may read none
READER, NOBODY = "reader", "nobody"
READERS_DAG = "customer_dim"


class WebApp:
    """The application as ``airflow api-server`` makes it."""

    def __init__(self, auth_manager: str, *, by_team: bool = False):
        self.auth_manager = auth_manager
        self._environment = {"AIRFLOW__CORE__AUTH_MANAGER": auth_manager}
        if by_team:
            self._environment["AIRFLOW__CORE__MULTI_TEAM"] = "True"
        airflow_app.purge_cached_app()
        with self._configured():
            self.app = airflow_app.create_app(apps="core")
            self.manager: Any = airflow_app.get_auth_manager()
            self._users = self._fab_users() if auth_manager == FAB else self._simple_users(by_team)

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
        before = {name: os.environ[name] for name in self._environment if name in os.environ}
        os.environ.update(self._environment)
        try:
            yield
        finally:
            for name in self._environment:
                os.environ.pop(name)
            os.environ.update(before)

    def token(self, name: str, **kwargs: Any) -> str:
        """A token of a user."""
        return str(self.manager.generate_jwt(self._users[name], **kwargs))

    def client(self, name: str | None = None) -> TestClient:
        """A browser of a user, of nobody signed in without a name."""
        cookies = {"_token": self.token(name)} if name else {}
        return TestClient(self.app, base_url="http://localhost:8080", cookies=cookies, follow_redirects=False)

    def _simple_users(self, by_team: bool) -> dict[str, Any]:
        from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser

        people = MEMBERS if by_team else {name: (role, None) for name, role in USERS.items()}
        return {
            name: SimpleAuthManagerUser(username=name, role=role, teams=teams) for name, (role, teams) in people.items()
        }

    def _fab_users(self) -> dict[str, Any]:
        with self.flask.app_context():
            security = self.flask.appbuilder.sm
            security.sync_roles()
            for role, pairs in {READER: [("can_read", f"DAG:{READERS_DAG}"), READS_TASKS], NOBODY: []}.items():
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
    """The application with the auth manager ``simple`` or ``fab``, or of ``TEAMS``, made once (10 s)."""
    return WebApp(SIMPLE, by_team=True) if kind == TEAMS else WebApp(MANAGERS[kind])
