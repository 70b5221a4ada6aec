"""What the pages take from Airflow's web server: who asks, its login page, its address, database sessions.

Nothing under ``/pluginsv2`` is protected by Airflow, and neither Flask-AppBuilder's decorators nor its session work
there under every auth manager, so the token is read here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import anyio.from_thread
from airflow.api_fastapi.app import API_ROOT_PATH, get_auth_manager
from airflow.api_fastapi.auth.managers.base_auth_manager import COOKIE_NAME_JWT_TOKEN
from airflow.api_fastapi.core_api.security import resolve_user_from_token
from airflow.configuration import conf
from airflow.utils.session import create_session
from fastapi import HTTPException
from sqlalchemy.orm import Session

from taskops_provider.adapter.permissions import UserPermissions
from taskops_provider.exceptions import Forbidden
from taskops_provider.services.shared.actor import Actor

__all__ = ["COOKIE_NAME_JWT_TOKEN", "actor_of", "airflow_path", "identify", "login_url", "open_session"]


def airflow_path() -> str:
    """Return the path under which the browser finds Airflow: ``/``, or ``/prefix/`` from ``[api] base_url``."""
    return API_ROOT_PATH


def bearer_token(authorization: str | None) -> str | None:
    """Return the token of an ``Authorization: Bearer`` header (WSGI joins several headers with commas)."""
    for part in (authorization or "").split(","):
        scheme, _, token = part.strip().partition(" ")
        if scheme.lower() == "bearer" and token:
            return token.strip()
    return None


def identify(cookie: str | None, authorization: str | None) -> Any | None:
    """Return the user who asks, None for an anonymous one. An explicit token wins over the cookie, as in Airflow.

    :param cookie: the value of Airflow's ``_token`` cookie
    :param authorization: the ``Authorization`` header
    """
    token = bearer_token(authorization) or cookie
    if not token:
        # FabAuthManager: the role of anonymous users. Airflow's API gives it by this option only, not by the old
        # AUTH_ROLE_PUBLIC of webserver_config.py, which its manager knows too
        if authorization or not conf.get("fab", "auth_role_public", fallback=""):
            return None
        public = getattr(get_auth_manager(), "build_public_user", None)
        return public() if public else None
    try:
        return _resolve(token)
    except HTTPException:
        return None


def _resolve(token: str) -> Any:
    """Run Airflow's asynchronous check from this thread."""
    try:
        anyio.from_thread.check_cancelled()
    except RuntimeError:  # not a worker thread of the API server: a Flask test client, the development server
        return asyncio.run(resolve_user_from_token(token))
    return anyio.from_thread.run(resolve_user_from_token, token)


def actor_of(user: Any) -> Actor:
    """Return the acting user of a page.

    :raises Forbidden: for somebody who may read no Dag at all
    """
    permissions = UserPermissions(user)
    if not permissions.may_list():
        raise Forbidden("You may not read any Dag. Ask an administrator of Airflow for read access.")
    return Actor(name=user.get_name(), source="ui", permissions=permissions)


def login_url(next_url: str) -> str:
    """Return the login page that leads back to ``next_url``."""
    return get_auth_manager().get_url_login(next_url=next_url)


@contextmanager
def open_session() -> Iterator[Session]:
    """A database session of the page's own: the process's scoped one is closed by whatever Airflow code runs inside."""
    with create_session(scoped=False) as session:
        yield session
