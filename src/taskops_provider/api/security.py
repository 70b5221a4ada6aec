"""Who asks, and that they may: Airflow's auth manager, by cookie or bearer token."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from airflow.api_fastapi.core_api.security import GetUserDep
from fastapi import Depends, HTTPException, Request, status

from taskops_provider.adapter.permissions import UserPermissions
from taskops_provider.exceptions import Forbidden
from taskops_provider.services.shared.actor import Actor

#: with the value ``operator`` records say that a Dag's operator asked; it grants nothing
SOURCE_HEADER = "X-TaskOps-Source"


def get_actor(request: Request, user: GetUserDep) -> Actor:
    """Return the acting user.

    :raises HTTPException: 401 for an anonymous one
    :raises Forbidden: for one who may read no Dag at all
    """
    permissions = UserPermissions(user)
    if not permissions.may_list():
        raise Forbidden("you may not read any Dag; ask an administrator of Airflow for read access")
    source = "operator" if request.headers.get(SOURCE_HEADER, "").lower() == "operator" else "api"
    return Actor(user.get_name(), source, permissions)


def require_json(request: Request) -> None:
    """Refuse what a form of another site could send with the user's cookie.

    :raises HTTPException: 415 for a body that does not say it is JSON
    """
    media_type = request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise HTTPException(
            status.HTTP_415_UNSUPPORTED_MEDIA_TYPE, "send JSON, with the header Content-Type: application/json"
        )


def get_now() -> datetime:
    """The moment by which a request goes."""
    return datetime.now(UTC)


ActorDep = Annotated[Actor, Depends(get_actor)]
NowDep = Annotated[datetime, Depends(get_now)]
