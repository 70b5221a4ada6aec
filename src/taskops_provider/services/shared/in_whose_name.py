"""Whether what somebody asked for, and what happens only now, may still be done in their name.

A backfill of Airflow's has all of its runs as soon as it is made. We make them later, when there is room or a window
opens, so we ask again for what was asked for at first.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlalchemy import select
from sqlalchemy.orm import Session

from taskops_provider.adapter.users_by_name import can_look_up_users, permissions_of
from taskops_provider.models import Operation
from taskops_provider.services.shared.actor import NEEDS, Actor, Permissions, recorded_name, replenishable

#: from where nobody's rights were asked at first: the command line and the monitor hold the database
_ASKS_NOBODY = frozenset({"cli", "monitor"})


@dataclass
class Askers:
    """Those in whose names something happens in a round of the monitor, each looked up once."""

    _known: dict[str, Permissions | None] = field(default_factory=dict)

    def why_not_replenish(self, session: Session, operation_id: int | None, dag_id: str) -> str | None:
        """Return why a Dag may not be replenished any more in the name of who asked for an operation.

        :return: None if it may, and if that cannot be known: the auth manager finds no users by their names, or there
            is no record any more
        """
        asker = session.execute(select(Operation.actor, Operation.source).where(Operation.id == operation_id)).first()
        if asker is None or asker.source in _ASKS_NOBODY or not can_look_up_users():
            return None
        if asker.actor not in self._known:
            self._known[asker.actor] = permissions_of(session, asker.actor, recorded_name)
        permissions = self._known[asker.actor]
        if permissions is None:
            return f"{asker.actor}, who asked for it, is no active user any more"
        if replenishable(Actor(asker.actor, asker.source, permissions), [dag_id]):
            return None
        return f"{asker.actor}, who asked for it, may not replenish {dag_id} any more: {NEEDS}"
