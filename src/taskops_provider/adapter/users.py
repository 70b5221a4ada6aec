"""The users of FabAuthManager, which keeps them in Airflow's database. Other auth managers have no list to look in."""

from __future__ import annotations

from collections.abc import Collection

from airflow.configuration import conf
from sqlalchemy import column, inspect, select, table
from sqlalchemy.orm import Session

from taskops_provider.adapter.any_case import holds

#: the auth manager that has users of its own
HAS_USERS = "airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager"

_USERS = table("ab_user", column("username"), column("active"), column("email"))


def find_users(session: Session, part: str, limit: int) -> list[str]:
    """Return the names of active users that have a part of a name in them, in any case: one query."""
    name = _USERS.c.username
    query = select(name).where(holds(name, part), _USERS.c.active.is_(True))
    return list(session.scalars(query.order_by(name).limit(limit)))


def addresses_of(session: Session, names: Collection[str]) -> dict[str, str]:
    """Return the e-mail addresses of those of the names that are active users, where the auth manager knows them."""
    if not names or conf.get("core", "auth_manager") != HAS_USERS:
        return {}
    if not inspect(session.connection()).has_table(_USERS.name):
        return {}
    query = select(_USERS.c.username, _USERS.c.email).where(
        _USERS.c.username.in_(sorted(names)), _USERS.c.active.is_(True)
    )
    return {row.username: row.email for row in session.execute(query) if row.email}
