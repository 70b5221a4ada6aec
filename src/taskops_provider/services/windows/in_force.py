"""Which windows are open now, and what they stop."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from taskops_provider.domain.windows.kinds import WindowKind
from taskops_provider.domain.windows.scope import WindowScope
from taskops_provider.domain.windows.times import at
from taskops_provider.models import Window
from taskops_provider.services.shared.actor import MONITOR, Actor
from taskops_provider.services.shared.task_keys import TaskKey
from taskops_provider.services.shared.window_pauses import until_words
from taskops_provider.services.windows.places import dag_places
from taskops_provider.services.windows.stored import there, window_of

#: how the reason begins why an operation is refused
FROZEN = "frozen by "
_FLAGS = {WindowKind.NO_REPLENISH: Window.stops_replenishments, WindowKind.FREEZE: Window.freezes}


@dataclass(frozen=True, slots=True)
class OpenWindow:
    """A window that is open."""

    window_id: int
    name: str
    reason: str | None
    until: datetime
    scope: WindowScope

    @property
    def words(self) -> str:
        """``window NAME until ...: reason``."""
        because = f": {self.reason}" if self.reason else ""
        return f"window {self.name} until {until_words(self.until)}{because}"


def open_windows(session: Session, kind: WindowKind, now: datetime) -> list[OpenWindow]:
    """Return the open windows that freeze, or stop replenishments. One query."""
    found = []
    for row in session.scalars(there().where(Window.enabled.is_(True), _FLAGS[kind].is_(True))):
        window = window_of(row)
        occurrence = at(window.times, now) if window.times is not None else None
        if occurrence is not None:
            found.append(OpenWindow(row.id, window.name, window.reason, occurrence.end, window.scope))
    return found


def stopped_by(
    session: Session, kind: WindowKind, targets: Collection[TaskKey], now: datetime
) -> dict[TaskKey, OpenWindow]:
    """Return the open window that stops each target; others are missing. Of several the one that ends last.

    One query, two or three more where a window is open.

    :param targets: (dag_id, task_id); an empty ``task_id`` means anything of the Dag
    """
    windows = open_windows(session, kind, now) if targets else []
    if not windows:
        return {}
    windows.sort(key=lambda window: window.until)
    dag_ids = {dag_id for dag_id, _ in targets}
    places = {place.dag_id: place for place in dag_places(session, [window.scope for window in windows], dag_ids)}
    found: dict[TaskKey, OpenWindow] = {}
    for target in targets:
        place = places.get(target[0])
        for window in windows:
            covers = window.scope.covers(place, target[1]) if place else target[0] in window.scope.named_dags
            if covers:
                found[target] = window
    return found


def frozen(session: Session, actor: Actor, targets: Collection[TaskKey], now: datetime) -> dict[TaskKey, str]:
    """Return why operations on targets are refused now; others are missing.

    What happens by itself was asked for before, and happens.
    """
    if actor is MONITOR:
        return {}
    stopped = stopped_by(session, WindowKind.FREEZE, targets, now)
    return {target: f"{FROZEN}{window.words}" for target, window in stopped.items()}
