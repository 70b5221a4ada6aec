"""Preparing downloads, a slice at a time: bounded memory, short transactions, and nothing lost when it is killed.

What is committed stays; the next slice, of whatever process, begins behind it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.exc import DBAPIError, IntegrityError, InterfaceError, SQLAlchemyError
from sqlalchemy.orm import Session

from taskops_provider import config
from taskops_provider.exceptions import Conflict
from taskops_provider.models import Export, Operation
from taskops_provider.services.catalog.tasks import TaskRow, tasks_after
from taskops_provider.services.catalog.workflows import WorkflowRow, workflows_after
from taskops_provider.services.exports.filters import task_filter, workflow_filter
from taskops_provider.services.exports.formats import Writer
from taskops_provider.services.exports.rights import ExportRights
from taskops_provider.services.exports.store import delete_pieces, write_piece
from taskops_provider.services.shared.actor import Actor
from taskops_provider.services.shared.public_errors import public_error_line
from taskops_provider.services.shared.retries import is_transient

log = logging.getLogger(__name__)

#: rows of a piece: what is in memory at a time
ROWS = 2000
#: how long one call works; the monitor has other things to do
SECONDS = 0.5

#: a download that is not ready by then fails: whoever asked for it has long given up
PATIENCE = timedelta(days=1)

#: downloads that are kept for one person: with more, whoever asks on and on would fill the database
MAX_KEPT = 100
#: old exports deleted in one call
_OLD_AT_ONCE = 10


def _is_tried_again(error: Exception) -> bool:
    """Whether there was trouble of the database, or another process was first.

    What the database refuses for its own sake fails: tried again it would keep those behind it from being prepared.
    """
    if isinstance(error, InterfaceError | IntegrityError) or is_transient(error):
        return True
    return isinstance(error, DBAPIError) and error.connection_invalidated


def prepare_next(session: Session, now: datetime) -> bool:
    """Prepare the next slice of the oldest download, and delete old ones; tell whether there was anything to do.

    The caller commits.
    """
    deleted = _delete_old(session, now)
    query = select(Export).where(Export.state.in_(("queued", "preparing"))).order_by(Export.id).limit(1)
    export = session.scalar(query.with_for_update(skip_locked=True))
    if export is None:
        return deleted
    try:
        if now - export.requested_at > PATIENCE:
            raise Conflict("it could not be prepared within a day; see whether the monitor runs")
        # A write in front of the savepoint: on SQLite one that comes first would commit when it is released.
        session.execute(update(Export).where(Export.id == export.id).values(state="preparing"))
        with session.begin_nested():
            _prepare(session, export, now)
    except Exception as error:
        if _is_tried_again(error):
            raise
        log.exception("TaskOps could not prepare export %s", export.id)
        _fail(export, error, now)
    if export.finished_at is not None:
        _delete_surplus(session, export.actor)
    return True


def _prepare(session: Session, export: Export, now: datetime) -> None:
    stop = time.monotonic() + SECONDS
    while export.state == "preparing":
        _next_piece(session, export, now)
        if time.monotonic() >= stop:
            return


def _next_piece(session: Session, export: Export, now: datetime) -> None:
    # people open downloads by a double-click
    writer = Writer(export.form, TaskRow if export.kind == "tasks" else WorkflowRow, bom=True)
    rows = _next_rows(session, export, now)
    is_last = len(rows) < ROWS
    text = writer.piece(rows, is_first=export.piece_count == 0)
    if is_last:
        text += writer.end(is_empty=not rows and export.row_count == 0)
    if text:
        content = text.encode()
        write_piece(session, export, export.piece_count, content)
        export.piece_count += 1
        export.byte_count += len(content)
    export.row_count += len(rows)
    if rows:
        last = rows[-1]
        export.last_dag_id, export.last_task_id = last.dag_id, last.task_id if isinstance(last, TaskRow) else None
    if is_last:
        _finish(session, export, now)


def _next_rows(session: Session, export: Export, now: datetime) -> Sequence[TaskRow] | Sequence[WorkflowRow]:
    actor = Actor(export.actor, "monitor", _PermissionsAtRequest(ExportRights.stored(export.readable)))
    after = export.last_dag_id
    if export.kind == "tasks":
        behind = None if after is None else (after, export.last_task_id or "")
        return tasks_after(session, actor, task_filter(export.filters), now, behind, ROWS)
    return workflows_after(session, actor, workflow_filter(export.filters), now, after, ROWS)


def _finish(session: Session, export: Export, now: datetime) -> None:
    export.state, export.finished_at = "ready", now
    session.execute(
        update(Operation)
        .where(Operation.id == export.operation_id)
        .values(applied=export.row_count)
        .execution_options(synchronize_session=False)
    )


def _fail(export: Export, error: Exception, now: datetime) -> None:
    export.state, export.finished_at = "failed", now
    export.error = public_error_line(error)


def _delete_old(session: Session, now: datetime) -> bool:
    """Delete exports that are as old as records may become; tell whether there were any."""
    before = now - timedelta(days=config.records_retention_days())
    query = select(Export).where(Export.requested_at < before).order_by(Export.id).limit(_OLD_AT_ONCE)
    return _delete(session, session.scalars(query).all())


def _delete_surplus(session: Session, actor: str) -> None:
    """Delete the oldest of one person's finished exports, if there are more than are kept."""
    session.flush()
    finished = select(Export).where(Export.actor == actor, Export.finished_at.is_not(None))
    _delete(session, session.scalars(finished.order_by(Export.id.desc()).offset(MAX_KEPT).limit(_OLD_AT_ONCE)).all())


def _delete(session: Session, exports: Sequence[Export]) -> bool:
    for export in exports:
        try:
            delete_pieces(session, export.id, export.location)
        except SQLAlchemyError:
            raise
        except Exception:  # the record goes all the same: nobody would find the files through it any more
            log.warning("TaskOps could not delete the files of export %s in %s", export.id, export.location)
        session.delete(export)
    if exports:
        session.flush()
    return bool(exports)


class _PermissionsAtRequest:
    """The permissions of who asked, at the time of asking: to read."""

    def __init__(self, rights: ExportRights):
        self._rights = rights

    def readable(self) -> frozenset[str] | None:
        return self._rights.dags

    def editable(self, dag_ids: Collection[str]) -> set[str]:
        return set()

    def deletable(self, dag_ids: Collection[str]) -> set[str]:
        return set()

    def may_change_settings(self) -> bool:
        return False

    def may_read_instances(self, dag_id: str) -> bool:
        return False

    def may_read_runs(self, dag_id: str) -> bool:
        return False

    def instances_readable(self) -> frozenset[str] | None:
        return self._rights.instances

    def runs_readable(self) -> frozenset[str] | None:
        return self._rights.runs

    def dependencies_readable(self) -> frozenset[str]:
        return frozenset()

    def may_read_assets(self) -> bool:
        return self._rights.assets

    def may_read_versions(self, dag_id: str) -> bool:
        return False

    def may_read_users(self) -> bool:
        return False

    def may_read_addresses(self) -> bool:
        return False

    def may_read_connections(self) -> bool:
        return False

    def may_read_configuration(self) -> bool:
        return False

    def may_read_jobs(self) -> bool:
        return False

    def may_change_instances(self, dag_id: str) -> bool:
        return False

    def may_change_runs(self, dag_id: str) -> bool:
        return False

    def may_create_runs(self, dag_id: str) -> bool:
        return False
