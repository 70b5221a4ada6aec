"""Under which name the records of a Dag are kept that was deleted in Airflow."""

from __future__ import annotations

from datetime import UTC, datetime

#: characters of a ``dag_id``
_LENGTH = 250


def name_of_deleted(dag_id: str, at: datetime) -> str:
    """Return a name that no Dag can have, for Airflow allows neither spaces nor brackets.

    Who may read a Dag that gets the old name may read nothing under this one; who may read every Dag may.

    :param at: when it was found to be deleted
    """
    suffix = f" (deleted {at.astimezone(UTC):%Y-%m-%d %H:%M:%S})"
    return f"{dag_id[: _LENGTH - len(suffix)]}{suffix}"
