"""The users of FabAuthManager, which keeps them in Airflow's database. Other auth managers have no list to look in."""

from __future__ import annotations

from sqlalchemy import column, select, table
from sqlalchemy.orm import Session

_USERS = table("ab_user", column("username"), column("active"))


def find_users(session: Session, part: str, limit: int) -> list[str]:
    """Return the names of active users that have a part of a name in them, in any case: one query."""
    name = _USERS.c.username
    query = select(name).where(name.icontains(part, autoescape=True), _USERS.c.active.is_(True))
    return list(session.scalars(query.order_by(name).limit(limit)))
