"""Airflow's pools, as far as the gate needs them."""

from __future__ import annotations

from collections.abc import Mapping

from airflow.models.pool import Pool
from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

DEFAULT_POOL = Pool.DEFAULT_POOL_NAME


def ensure_closed_pools(session: Session, descriptions: Mapping[str, str]) -> list[str]:
    """Create the named pools where missing, and give those that were changed back their zero slots.

    :param descriptions: pool name -> description
    :return: the names of the pools that were not as they must be
    """
    query = select(Pool.pool, Pool.slots, Pool.include_deferred, Pool.description).where(Pool.pool.in_(descriptions))
    found = {row.pool: (row.slots, row.include_deferred, row.description) for row in session.execute(query)}
    wrong = [name for name, text in descriptions.items() if found.get(name) != (0, False, text)]
    for name in wrong:
        values = {"slots": 0, "include_deferred": False, "description": descriptions[name]}
        if name in found or not _inserted(session, name, values):
            session.execute(
                update(Pool).where(Pool.pool == name).values(values).execution_options(synchronize_session=False)
            )
    return wrong


def _inserted(session: Session, name: str, values: Mapping[str, object]) -> bool:
    try:
        with session.begin_nested():
            session.execute(insert(Pool).values(pool=name, **values))
    except IntegrityError:  # another process made it meanwhile
        return False
    return True
