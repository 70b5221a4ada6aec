"""Downloads of whole lists: asked for here, prepared by the monitor, fetched when they are ready (requirements B24)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from taskops_provider import config
from taskops_provider.adapter import audit
from taskops_provider.domain.operations.outcomes import OperationOutcome
from taskops_provider.domain.operations.targets import Scope
from taskops_provider.domain.periods import Period
from taskops_provider.exceptions import Conflict, Forbidden, ResourceNotFound
from taskops_provider.models import Export, Operation
from taskops_provider.services.catalog.filters import (
    TaskFilter,
    WorkflowFilter,
    check_choices,
    filter_tasks,
    filter_workflows,
)
from taskops_provider.services.exports.filters import FilterValue, filter_json
from taskops_provider.services.exports.formats import FORMS
from taskops_provider.services.exports.rights import ExportRights
from taskops_provider.services.exports.store import read_piece
from taskops_provider.services.shared.actor import Actor
from taskops_provider.services.shared.locks import lock_if_allowed

__all__ = ["Content", "ExportAnswer", "ExportState", "get_export", "open_content", "request_export"]

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


@dataclass(frozen=True)
class ExportAnswer:
    """A download.

    :param operation_id: its record
    :param kind: ``tasks`` or ``workflows``
    :param filter: what was asked for, under public names
    :param rows: so far, like ``size`` in bytes
    :param error: why it failed
    """

    export_id: int
    operation_id: int
    kind: str
    format: str
    filter: Mapping[str, FilterValue]
    state: str
    rows: int
    size: int
    requested_at: datetime
    finished_at: datetime | None
    error: str | None

    @classmethod
    def of(cls, export: Export) -> ExportAnswer:
        """The download of a row."""
        return cls(
            export_id=export.id,
            operation_id=export.operation_id,
            kind=export.kind,
            format=export.form,
            filter=export.filters,
            state=export.state,
            rows=export.row_count,
            size=export.byte_count,
            requested_at=export.requested_at,
            finished_at=export.finished_at,
            error=export.error,
        )


def request_export(
    session: Session, actor: Actor, where: TaskFilter | WorkflowFilter, form: str, now: datetime
) -> ExportAnswer:
    """Ask for a download of everything that matches, and record it. The caller commits.

    It will hold what the actor may read now.

    :raises BadInput: for a format or a filter that cannot be
    :raises Conflict: when the actor has too many under way
    """
    check_choices("format", [form], FORMS)
    _check_filter(where, actor, now)
    # one after the other, so that each counts those before
    lock_if_allowed(session, actor.name, lambda: _refuse_too_many(session, actor))
    kind = "tasks" if isinstance(where, TaskFilter) else "workflows"
    filters = filter_json(where)
    operation = _record(session, actor, kind, form, filters, now)
    export = Export(
        operation_id=operation.id,
        kind=kind,
        form=form,
        filters=filters,
        actor=actor.recorded_name,
        readable=ExportRights.of(actor.permissions).for_table(),
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
    return ExportAnswer.of(export)


def _refuse_too_many(session: Session, actor: Actor) -> None:
    under_way = session.scalar(
        select(func.count())
        .select_from(Export)
        .where(Export.actor == actor.recorded_name, Export.state.in_(UNFINISHED))
    )
    if (under_way or 0) >= MAX_UNFINISHED:
        raise Conflict(f"{under_way} of your exports are not ready yet; wait for one of them")


def _check_filter(where: TaskFilter | WorkflowFilter, actor: Actor, now: datetime) -> None:
    check_choices("period", where.periods, [period.value for period in Period])
    if isinstance(where, TaskFilter):
        filter_tasks(select(), where, actor, now)
    else:
        filter_workflows(select(), where, actor)


def _record(
    session: Session, actor: Actor, kind: str, form: str, filters: Mapping[str, FilterValue], now: datetime
) -> Operation:
    options = {"kind": kind, "format": form, "filter": filters}
    operation = Operation(
        verb=VERB,
        scope=(Scope.TASK if kind == "tasks" else Scope.WORKFLOW).value,
        at=now,
        actor=actor.recorded_name,
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


def get_export(session: Session, actor: Actor, export_id: int) -> ExportAnswer:
    """Return a download of the actor's.

    :raises ResourceNotFound: when there is none, or somebody else asked for it
    """
    return ExportAnswer.of(_own(session, actor, export_id))


def _own(session: Session, actor: Actor, export_id: int) -> Export:
    export = session.get(Export, export_id)
    if export is None or export.actor != actor.recorded_name:
        raise ResourceNotFound(f"export {export_id} does not exist")
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
    :raises ResourceNotFound: when there is none, or somebody else asked for it
    :raises Conflict: when it is not ready
    :raises Forbidden: when the actor may not read all of it any more
    """
    export = _own(session, actor, export_id)
    if export.state == ExportState.FAILED:
        raise Conflict(f"export {export_id} failed: {export.error}; ask for it again")
    if export.state != ExportState.READY:
        raise Conflict(f"export {export_id} is {export.state}, with {export.row_count} rows so far; try again later")
    if not ExportRights.stored(export.readable).is_within(ExportRights.of(actor.permissions)):
        raise Forbidden("you may no longer read all that is in this export; ask for it again")
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
