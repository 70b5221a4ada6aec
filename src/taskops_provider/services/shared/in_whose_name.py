"""Whether what somebody asked for, and what happens only now, may still be done in their name.

A backfill of Airflow's has all of its runs as soon as it is made. We make them later, when there is room or a window
opens, so we ask again for what was asked for at first.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from taskops_provider.adapter.users_by_name import can_look_up_users, permissions_of
from taskops_provider.models import Operation
from taskops_provider.services.shared.actor import NEEDS, Actor, Permissions, recorded_name, replenishable

#: from where nobody's rights were asked at first: the command line and the monitor hold the database
_ASKS_NOBODY = frozenset({"cli", "monitor"})
#: among the options of what the monitor queued: who had asked for that, and from where
ASKED_BY = "asked_by"


class Asker(NamedTuple):
    """Who asked for something, as records have it."""

    name: str
    source: str


def asker_of(session: Session, operation_id: int | None) -> Asker | None:
    """Return who asked for an operation; of what the monitor queued for somebody, who that is.

    :return: None if there is no record any more
    """
    query = select(Operation.actor, Operation.source, Operation.options).where(Operation.id == operation_id)
    found = session.execute(query).first()
    if found is None:
        return None
    return Asker(*found.options.get(ASKED_BY, (found.actor, found.source)))


def note_asker(session: Session, operation_id: int, asker: Asker) -> None:
    """Note for whom the monitor queued something: it goes on only while they may have it."""
    operation = session.get_one(Operation, operation_id)
    operation.options = {**operation.options, ASKED_BY: list(asker)}


@dataclass
class Askers:
    """Those in whose names something happens in a round of the monitor, each looked up once."""

    _known: dict[str, Permissions | None] = field(default_factory=dict)

    def why_not_replenish(self, session: Session, operation_id: int | None, dag_id: str) -> str | None:
        """Return why a Dag may not be replenished any more in the name of who asked for an operation.

        :return: None if it may, and if that cannot be known: the auth manager finds no users by their names, or there
            is no record any more
        """
        asker = asker_of(session, operation_id)
        if asker is None or asker.source in _ASKS_NOBODY or not can_look_up_users():
            return None
        if asker.name not in self._known:
            self._known[asker.name] = permissions_of(session, asker.name, recorded_name)
        permissions = self._known[asker.name]
        if permissions is None:
            return f"{asker.name}, who asked for it, is no active user any more"
        if replenishable(Actor(asker.name, asker.source, permissions), [dag_id]):
            return None
        return f"{asker.name}, who asked for it, may not replenish {dag_id} any more: {NEEDS}"
