"""Users looked up by their name when they are not there themselves: of FabAuthManager and SimpleAuthManager.

Other auth managers keep their users elsewhere and have no function that finds one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from airflow.api_fastapi.app import create_auth_manager, get_auth_manager_cls
from airflow.configuration import conf
from sqlalchemy import select
from sqlalchemy.orm import Session

from taskops_provider.adapter.permissions import UserPermissions
from taskops_provider.adapter.users import HAS_USERS

_SIMPLE = "airflow.api_fastapi.auth.managers.simple.simple_auth_manager.SimpleAuthManager"
#: the characters of a recorded name that are surely the user's own
_SURE = 200


def can_look_up_users() -> bool:
    """Tell whether the auth manager has a list of users by name."""
    if conf.get("core", "auth_manager") == _SIMPLE:
        # else everybody is an administrator without a name of their own
        return not conf.getboolean("core", "simple_auth_manager_all_admins")
    return conf.get("core", "auth_manager") == HAS_USERS


def permissions_of(session: Session, name: str, recorded: Callable[[str], str]) -> UserPermissions | None:
    """Return what a user may do now; None if there is no such user any more, or they are not active.

    Call it only if :func:`can_look_up_users`. A constant number of queries.

    :param name: as it was recorded
    :param recorded: what makes a recorded name of a user's
    """
    find = _fab_user if conf.get("core", "auth_manager") == HAS_USERS else _simple_user
    user = find(session, name, recorded)
    # the monitor's own process has no auth manager yet; what is asked here needs no web application
    create_auth_manager()
    return None if user is None else UserPermissions(user)


def _simple_user(_session: Session, name: str, recorded: Callable[[str], str]) -> Any:
    manager: Any = get_auth_manager_cls()
    return next((user for user in manager.get_users() if recorded(user.get_name()) == name), None)


def _fab_user(session: Session, name: str, recorded: Callable[[str], str]) -> Any:
    from airflow.providers.fab.auth_manager.models import User

    # long names are cut in records
    has_name = User.username == name if len(name) < _SURE else User.username.startswith(name[:_SURE], autoescape=True)
    found = session.scalars(select(User).where(has_name, User.active.is_(True))).all()
    user = next((one for one in found if recorded(one.get_name()) == name), None)
    if user is None:
        return _public_user(session, name)
    # their permissions as they are now: an object that is still about has those of its first time
    user._perms = None
    user.perms  # noqa: B018
    return user


def _public_user(session: Session, name: str) -> Any:
    """Whoever is not signed in has a role too, where ``[fab] auth_role_public`` gives one."""
    manager: Any = create_auth_manager()
    user = manager.build_public_user(session=session)
    return user if user is not None and user.get_name() == name else None
