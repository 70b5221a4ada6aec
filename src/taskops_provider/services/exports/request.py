"""Downloads of whole lists: asked for here, prepared by the monitor, fetched when they are ready (B24)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from taskops_provider import config
from taskops_provider.adapter import audit
from taskops_provider.domain.operations import OperationOutcome, Scope
from taskops_provider.domain.periods import Period
from taskops_provider.exceptions import Conflict, Forbidden, NotFound
from taskops_provider.models import Export, Operation
from taskops_provider.services.actor import Actor
from taskops_provider.services.exports_filter import filter_json
from taskops_provider.services.exports_format import FORMS
from taskops_provider.services.exports_prepare import step
from taskops_provider.services.exports_store import read_piece
from taskops_provider.services.filters import TaskFilter, WorkflowFilter, check_choices, filter_tasks, filter_workflows

__all__ = ["Content", "ExportState", "get_export", "open_content", "request_export", "step"]

VERB = "export"
#: downloads that one person may have under way
MAX_UNFINISHED = 10


class ExportState(StrEnum):
    """How far a download is."""

    QUEUED = "queued"
    PREPARING = "preparing"
    READY = "ready"
    FAILED = "failed"


UNFINISHED = (ExportState.QUEUED.value, ExportState.PREPARING.value)


def export_json(export: Export) -> dict[str, Any]:
    """A download as every surface shows it."""
    return {
        "export_id": export.id,
        "operation_id": export.operation_id,
        "kind": export.kind,
        "format": export.form,
        "filter": export.filters,
        "state": export.state,
        "rows": export.row_count,
        "size": export.byte_count,
        "requested_at": export.requested_at,
        "finished_at": export.finished_at,
        "error": export.error,
    }


def request_export(
    session: Session, actor: Actor, where: TaskFilter | WorkflowFilter, form: str, now: datetime
) -> dict[str, Any]:
    """Ask for a download of everything that matches, and record it. The caller commits.

    It will hold what the actor may read now.

    :raises BadInput: for a format or a filter that cannot be
    :raises Conflict: when the actor has too many under way
    """
    check_choices("format", [form], FORMS)
    _check_filter(where, actor, now)
    under_way = session.scalar(
        select(func.count()).select_from(Export).where(Export.actor == actor.name[:250], Export.state.in_(UNFINISHED))
    )
    if (under_way or 0) >= MAX_UNFINISHED:
        raise Conflict(f"{under_way} of your exports are not ready yet; wait for one of them")
    kind = "tasks" if isinstance(where, TaskFilter) else "workflows"
    filters = filter_json(where)
    operation = _record(session, actor, kind, form, filters, now)
    readable = actor.permissions.readable()
    export = Export(
        operation_id=operation.id,
        kind=kind,
        form=form,
        filters=filters,
        actor=actor.name[:250],
        readable=None if readable is None else sorted(readable),
        requested_at=now,
        state=ExportState.QUEUED.value,
        row_count=0,
        byte_count=0,
        piece_count=0,
    )
    session.add(export)
    session.flush()
    if folder := config.exports_url():
        export.location = f"{folder.rstrip('/')}/{export.id}"
    operation.options = {**operation.options, "export_id": export.id}
    session.flush()
    return export_json(export)


def _check_filter(where: TaskFilter | WorkflowFilter, actor: Actor, now: datetime) -> None:
    check_choices("period", where.periods, [period.value for period in Period])
    if isinstance(where, TaskFilter):
        filter_tasks(select(), where, actor, now)
    else:
        filter_workflows(select(), where, actor)


def _record(session: Session, actor: Actor, kind: str, form: str, filters: dict[str, Any], now: datetime) -> Operation:
    options = {"kind": kind, "format": form, "filter": filters}
    operation = Operation(
        verb=VERB,
        scope=(Scope.TASK if kind == "tasks" else Scope.WORKFLOW).value,
        at=now,
        actor=actor.name[:250],
        source=actor.source,
        options=options,
        outcome=OperationOutcome.SUCCESS.value,
        applied=0,
        left_alone=0,
        blocked=0,
        instances_ended=0,
    )
    session.add(operation)
    session.flush()
    extra = {"operation_id": operation.id, "source": actor.source, **options}
    audit.write(session, event="taskops.export", actor=actor.name, at=now, entries=[(None, None, extra)])
    return operation


def get_export(session: Session, actor: Actor, export_id: int) -> dict[str, Any]:
    """Return a download of the actor's.

    :raises NotFound: when there is none, or somebody else asked for it
    """
    return export_json(_own(session, actor, export_id))


def _own(session: Session, actor: Actor, export_id: int) -> Export:
    export = session.get(Export, export_id)
    if export is None or export.actor != actor.name[:250]:
        raise NotFound(f"export {export_id} does not exist")
    return export


@dataclass(frozen=True)
class Content:
    """A download that is ready.

    :param size: bytes
    :param pieces: yields the bytes; takes a database connection for each piece, not for the whole
    """

    name: str
    media_type: str
    size: int
    pieces: Iterator[bytes]


def open_content(
    session: Session, actor: Actor, export_id: int, open_session: Callable[[], AbstractContextManager[Session]]
) -> Content:
    """Return the content of a download of the actor's.

    :param open_session: opens the sessions in which the pieces are read
    :raises NotFound: when there is none, or somebody else asked for it
    :raises Conflict: when it is not ready
    :raises Forbidden: when the actor may not read all of it any more
    """
    export = _own(session, actor, export_id)
    if export.state == ExportState.FAILED:
        raise Conflict(f"export {export_id} failed: {export.error}; ask for it again")
    if export.state != ExportState.READY:
        raise Conflict(f"export {export_id} is {export.state}, with {export.row_count} rows so far; try again later")
    readable = actor.permissions.readable()
    if readable is not None and (export.readable is None or not readable.issuperset(export.readable)):
        raise Forbidden("you may no longer read all Dags of this export; ask for it again")
    return Content(
        name=f"taskops-{export.kind}-{export.id}.{export.form}",
        media_type="text/csv; charset=utf-8" if export.form == "csv" else "application/json",
        size=export.byte_count,
        pieces=_pieces(open_session, export.id, export.location, export.piece_count),
    )


def _pieces(
    open_session: Callable[[], AbstractContextManager[Session]], export_id: int, location: str | None, count: int
) -> Iterator[bytes]:
    for number in range(count):
        with open_session() as session:
            content = read_piece(session, export_id, location, number)
        yield content
