"""Whether our tables are there yet. A query that fails would abort the scheduler's transaction, so look first."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from sqlalchemy import inspect

if TYPE_CHECKING:
    from sqlalchemy import Connection

LOOK_AGAIN_AFTER = 30.0  # seconds between two looks for a table while it is missing

_seen: set[str] = set()
_looked_at: dict[str, float] = {}


def has_orders(connection: Connection) -> bool:
    """Tell whether the table of orders for instances is there: our tables may be of the version before for a while."""
    return _has(connection, "taskops_instance_order")


def _has(connection: Connection, name: str) -> bool:
    if name not in _seen and time.monotonic() - _looked_at.get(name, float("-inf")) >= LOOK_AGAIN_AFTER:
        _looked_at[name] = time.monotonic()
        if inspect(connection).has_table(name):
            _seen.add(name)
    return name in _seen
