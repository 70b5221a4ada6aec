"""Which windows pause tasks now, as the gate has them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import and_, or_, select
from sqlalchemy.orm import Session

from taskops_provider.domain.chunks import chunks
from taskops_provider.domain.gate import ANY_TASK, effects
from taskops_provider.domain.states import Downstream
from taskops_provider.domain.windows.scope import ANY_DAG
from taskops_provider.domain.windows.times import UNTIL_RELEASED
from taskops_provider.models import GateInterval, Window
from taskops_provider.services.shared.task_keys import TaskKey

#: Dags in a query: as many as a page of a list may have
_DAGS = 1000


@dataclass(frozen=True, slots=True)
class WindowPause:
    """A window in which runs that are created do not execute a task.

    :param by_cycle: it leaves out the cycles that are due before ``until``
    """

    window_id: int
    name: str
    reason: str | None
    downstream: Downstream
    since: datetime
    until: datetime
    by_cycle: bool

    @property
    def words(self) -> str:
        """``night until 2026-01-12 06:00:00 UTC``."""
        return f"{self.name} until {until_words(self.until)}"


def until_words(until: datetime) -> str:
    """Return until when a window lasts, as notes and reasons have it."""
    return "it is released" if until >= UNTIL_RELEASED else f"{until.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def window_pauses(session: Session, keys: Collection[TaskKey], now: datetime) -> dict[TaskKey, list[WindowPause]]:
    """Return the windows that pause tasks now, those that end last first; tasks without any are missing.

    One query for each 1,000 Dags, which is a page of a list.
    """
    by_key: dict[TaskKey, list[WindowPause]] = defaultdict(list)
    everywhere = [ANY_DAG]
    for some in chunks(sorted({dag_id for dag_id, _ in keys}), _DAGS):
        query = (
            select(
                GateInterval.dag_id,
                GateInterval.task_id,
                GateInterval.downstream,
                GateInterval.from_at,
                GateInterval.to_at,
                GateInterval.by_cycle,
                Window.id,
                Window.name,
                Window.reason,
            )
            .join(Window, Window.id == GateInterval.window_id)
            .where(
                GateInterval.dag_id.in_([*some, *everywhere]),
                GateInterval.to_at > now,
                or_(GateInterval.from_at <= now, and_(GateInterval.by_cycle.is_(True), Window.deleted_at.is_(None))),
            )
            .order_by(GateInterval.to_at.desc(), GateInterval.id)
        )
        for row in session.execute(query):
            effect = effects([("", row.downstream)])[""]
            pause = WindowPause(row.id, row.name, row.reason, effect, row.from_at, row.to_at, row.by_cycle)
            by_key[row.dag_id, row.task_id].append(pause)
        everywhere = []
    found: dict[TaskKey, list[WindowPause]] = {}
    for dag_id, task_id in keys if by_key else ():
        of_key = dict.fromkeys([(dag_id, task_id), (dag_id, ANY_TASK), (ANY_DAG, ANY_TASK)])
        pauses = [pause for key in of_key for pause in by_key.get(key, ())]
        if pauses:
            found[dag_id, task_id] = sorted(pauses, key=lambda pause: pause.until, reverse=True)
    return found
