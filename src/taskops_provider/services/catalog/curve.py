"""The execution curve of a task: how long its last instances took, when they started and ended (requirements C3)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from taskops_provider.adapter import history
from taskops_provider.exceptions import BadInput
from taskops_provider.services.catalog.instances import readable_task
from taskops_provider.services.shared.actor import Actor

#: how many instances may be asked for
LAST = (25, 50, 100)


@dataclass(frozen=True)
class Point:
    """One instance that executed to its end.

    :param map_index: -1 where the task is not mapped
    :param state: success or failed
    :param duration: seconds; None where Airflow has none
    """

    run_id: str
    map_index: int
    logical_date: datetime | None
    state: str
    start_date: datetime
    end_date: datetime
    duration: float | None


def curve(session: Session, actor: Actor, dag_id: str, task_id: str, now: datetime, *, last: int = 25) -> list[Point]:
    """Return the last instances of a task that executed, the oldest first. A constant number of queries.

    :raises BadInput: when ``last`` is none of 25, 50, 100
    :raises ResourceNotFound: when there is no such task, or the Dag may not be read
    :raises Forbidden: when its instances may not
    """
    if last not in LAST:
        raise BadInput(f"last is {last}; allowed are {', '.join(map(str, LAST))}")
    readable_task(session, actor, dag_id, task_id, now)
    found = history.last_executed(session, dag_id, task_id, last)
    return [Point(**row._mapping) for row in reversed(found)]
