"""Write what ``services.index.merge`` worked out: one statement per table and kind of change, however many rows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Delete, Table, Update, bindparam, delete, insert, update
from sqlalchemy.orm import Session

from taskops_provider.adapter.dependencies import Dependency
from taskops_provider.domain.chunks import chunks
from taskops_provider.domain.states import TaskState
from taskops_provider.models import AssetRef, Edge, GateInterval, Owner, Task, Workflow
from taskops_provider.models.base import Base
from taskops_provider.services.index.merge import Writes
from taskops_provider.services.index.stored import Row

#: SQLite binds at most 32,766 values in a statement
_IDS_AT_ONCE = 10_000


def write(session: Session, writes: Writes, now: datetime) -> None:
    """Write everything. The caller holds the writer lock."""
    _write_workflows(session, writes)
    _write_tasks(session, writes, now)
    _write_owners(session, writes)
    _insert(
        session, AssetRef, [_row(("dag_id", "task_id", "direction", "asset"), asset) for asset in writes.assets_new]
    )
    _delete_ids(session, AssetRef, writes.assets_gone)
    columns = ("source_dag_id", *Dependency._fields)
    _insert(session, Edge, [_row(columns, edge) for edge in writes.edges_new])
    _delete_ids(session, Edge, writes.edges_gone)


def mark_gone(session: Session, dag_ids: Sequence[str]) -> None:
    """Note that Dags are no longer there. Everything else of them stays."""
    if dag_ids:
        table = _table(Workflow)
        _many(
            session,
            update(table).where(table.c.dag_id == bindparam("key_dag_id")).values(is_present=False),
            [{"key_dag_id": dag_id} for dag_id in dag_ids],
        )


def _write_workflows(session: Session, writes: Writes) -> None:
    _insert(
        session,
        Workflow,
        [{**row, "default_state": TaskState.SCHEDULING.value, "owners_set": False} for row in writes.workflows_new],
    )
    _update(session, Workflow, ("dag_id",), [*writes.workflows_changed, *writes.workflows_back])


def _write_tasks(session: Session, writes: Writes, now: datetime) -> None:
    _insert(session, Task, [{**row, "state": TaskState.SCHEDULING.value} for row in writes.tasks_new])
    _update(session, Task, ("dag_id", "task_id"), writes.tasks_changed)
    gone = [_row(("dag_id", "task_id"), key) for key in writes.tasks_gone]
    _update(session, Task, ("dag_id", "task_id"), [{**key, "is_present": False} for key in gone])
    _take_offline(session, writes, now)


def _take_offline(session: Session, writes: Writes, now: datetime) -> None:
    """Give the tasks their state, and one open gate interval: that of a pause, say, ends."""
    _update(
        session,
        Task,
        ("dag_id", "task_id"),
        [
            {**{name: row[name] for name in ("dag_id", "task_id", "state", "downstream")}, "resume_at": None}
            | {"state_operation_id": row["operation_id"]}
            for row in writes.tasks_offline
        ],
    )
    table = _table(GateInterval)
    closing = (
        update(table)
        .where(
            table.c.dag_id == bindparam("key_dag_id"),
            table.c.task_id == bindparam("key_task_id"),
            table.c.to_at.is_(None),
        )
        .values(to_at=now)
    )
    _many(session, closing, [_key(("dag_id", "task_id"), row) for row in writes.tasks_offline])
    _insert(session, GateInterval, writes.intervals_new)


def _write_owners(session: Session, writes: Writes) -> None:
    columns = ("dag_id", "task_id", "owner")
    table = _table(Owner)
    removal = delete(table).where(*(table.c[name] == bindparam(f"key_{name}") for name in columns))
    # names that differ in case alone are the same to some databases: remove before adding
    _many(session, removal, [_key(columns, _row(columns, owner)) for owner in writes.owners_gone])
    _insert(session, Owner, [_row(columns, owner) for owner in writes.owners_new])


def _insert(session: Session, model: type[Base], rows: Sequence[Row]) -> None:
    if rows:
        session.execute(insert(_table(model)), list(rows))


def _update(session: Session, model: type[Base], key: Sequence[str], rows: Sequence[Row]) -> None:
    """Update rows by key; all of them give the same columns."""
    if not rows:
        return
    table = _table(model)
    statement = update(table).where(*(table.c[name] == bindparam(f"key_{name}") for name in key))
    changed = [name for name in rows[0] if name not in key]
    statement = statement.values({name: bindparam(f"new_{name}") for name in changed})
    _many(session, statement, [_key(key, row) | {f"new_{name}": row[name] for name in changed} for row in rows])


def _many(session: Session, statement: Update | Delete, parameters: Sequence[Row]) -> None:
    if parameters:
        session.connection().execute(statement, list(parameters))


def _delete_ids(session: Session, model: type[Any], ids: Sequence[int]) -> None:
    table = _table(model)
    for some in chunks(ids, _IDS_AT_ONCE):
        session.execute(delete(table).where(table.c.id.in_(some)))


def _row(columns: Sequence[str], values: Sequence[Any]) -> dict[str, Any]:
    return dict(zip(columns, values, strict=True))


def _key(columns: Sequence[str], row: Row) -> dict[str, Any]:
    return {f"key_{name}": row[name] for name in columns}


def _table(model: type[Base]) -> Table:
    table = model.__table__
    assert isinstance(table, Table)
    return table
