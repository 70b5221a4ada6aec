"""The notes of task instances that people see in Airflow's own UI. A person's note is never touched."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from uuid import UUID

from airflow.models.dagrun import DagRun
from airflow.models.taskinstance import TaskInstance as TI
from airflow.models.taskinstance import TaskInstanceNote as Note
from airflow.utils.state import DagRunState, State
from sqlalchemy import delete, insert, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from taskops_provider.domain.chunks import chunks
from taskops_provider.domain.gate import EFFECT_OF_POOL, NOTE_AUTHOR


def add(session: Session, contents: Mapping[UUID, str], now: datetime) -> int:
    """Write notes for instances that have none; return how many.

    Where one got a note or was cleared at this very moment none is written: they are found again next time.
    """
    rows = [
        {"ti_id": ti_id, "user_id": NOTE_AUTHOR, "content": text, "created_at": now, "updated_at": now}
        for ti_id, text in contents.items()
    ]
    if not rows:
        return 0
    try:
        with session.begin_nested():
            session.execute(insert(Note), rows)
    except IntegrityError:
        return 0
    return len(rows)


def put(session: Session, contents: Mapping[UUID, str], now: datetime) -> None:
    """Write notes, over ours where there are; the rows of the instances must be locked.

    :param contents: instance id -> text; one query for each distinct text and 500 instances
    """
    authors: dict[UUID, str | None] = {}
    ids = list(contents)
    for chunk in chunks(ids):
        query = select(Note.ti_id, Note.user_id).where(Note.ti_id.in_(chunk))
        authors.update({row.ti_id: row.user_id for row in session.execute(query)})
    add(session, {ti_id: text for ti_id, text in contents.items() if ti_id not in authors}, now)
    by_text: dict[str, list[UUID]] = {}
    for ti_id, author in authors.items():
        if author == NOTE_AUTHOR:
            by_text.setdefault(contents[ti_id], []).append(ti_id)
    for text, ours in by_text.items():
        for chunk in chunks(ours):
            session.execute(
                update(Note)
                .where(Note.ti_id.in_(chunk), Note.user_id == NOTE_AUTHOR)
                .values(content=text, updated_at=now)
                .execution_options(synchronize_session=False)
            )


def remove(session: Session, ids: Collection[UUID]) -> None:
    """Remove our notes from instances."""
    for chunk in chunks(ids):
        session.execute(
            delete(Note)
            .where(Note.ti_id.in_(chunk), Note.user_id == NOTE_AUTHOR)
            .execution_options(synchronize_session=False)
        )


def remove_from_cleared(session: Session) -> int:
    """Remove our notes from instances that were cleared and are to execute now; return how many.

    A note stays with an instance that is cleared. Only unfinished runs that were cleared are looked at.
    """
    query = (
        select(Note.ti_id)
        .join(TI, TI.id == Note.ti_id)
        .join(DagRun, (DagRun.dag_id == TI.dag_id) & (DagRun.run_id == TI.run_id))
        .where(
            DagRun.state.in_((DagRunState.QUEUED, DagRunState.RUNNING)),
            DagRun.clear_number > 0,
            Note.user_id == NOTE_AUTHOR,
            TI.pool.not_in(list(EFFECT_OF_POOL)),
            or_(TI.state.is_(None), TI.state.in_([state for state in State.unfinished if state])),
        )
    )
    ids = list(session.scalars(query))
    remove(session, ids)
    return len(ids)
