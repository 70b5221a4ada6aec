"""What a person chose for the pages, kept for the next visit, on whatever machine (requirements B25)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from sqlalchemy import CursorResult, delete, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from taskops_provider.domain.answers import Json
from taskops_provider.models import Preference
from taskops_provider.services.shared.actor import Actor


def read_preference(session: Session, actor: Actor, name: str) -> Json | None:
    """Return a choice of the actor's, None where there is none."""
    return session.scalar(select(Preference.value).where(*_own(actor, name)))


def write_preference(session: Session, actor: Actor, name: str, value: Mapping[str, object]) -> None:
    """Keep a choice of the actor's in place of the one before. The caller commits."""
    change = update(Preference).where(*_own(actor, name)).values(value=dict(value))
    if cast("CursorResult[Any]", session.execute(change)).rowcount:
        return
    try:
        with session.begin_nested():
            session.execute(insert(Preference).values(user_id=_user_id(actor), name=name, value=dict(value)))
    except IntegrityError:  # the same person was quicker in another window
        session.execute(change)


def forget_preference(session: Session, actor: Actor, name: str) -> None:
    """Give the actor the default again. The caller commits."""
    session.execute(delete(Preference).where(*_own(actor, name)))


def _user_id(actor: Actor) -> str:
    return actor.recorded_name


def _own(actor: Actor, name: str) -> tuple[Any, ...]:
    return Preference.user_id == _user_id(actor), Preference.name == name
