"""Airflow's audit log (the ``log`` table)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from airflow.models.log import Log
from sqlalchemy import insert
from sqlalchemy.orm import Session


def write(
    session: Session,
    *,
    event: str,
    actor: str,
    at: datetime,
    entries: Iterable[tuple[str | None, str | None, Mapping[str, Any]]],
) -> None:
    """Add one audit line per (dag_id, task_id, extra).

    :param event: ``taskops.pause`` and so on; at most 60 characters
    """
    rows = [
        {
            "dttm": at,
            "event": event[:60],
            "owner": actor[:500],
            "owner_display_name": actor[:500],
            "dag_id": dag_id,
            "task_id": task_id,
            "extra": json.dumps(extra, default=str),
        }
        for dag_id, task_id, extra in entries
    ]
    if rows:
        session.execute(insert(Log.__table__), rows)
