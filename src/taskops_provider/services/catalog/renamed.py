"""Stopped tasks that left their Dag while another one came that looks like them: they may have been renamed.

A new task executes, whatever the state of the one that it used to be. What it is nobody can know; people are told.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session, aliased

from taskops_provider.domain.states import TaskState
from taskops_provider.models import Task

#: pairs that are read
_MOST = 100


@dataclass(frozen=True)
class Renamed:
    """A stopped task that its Dag has no more, and one in service that may be it under another id."""

    dag_id: str
    task_id: str
    state: str
    new_task_id: str


def renamed_tasks(session: Session, readable: frozenset[str] | None) -> list[Renamed]:
    """Return stopped tasks that may have been renamed: the first hundred, by their ids. One query.

    :param readable: Dags that may be named; None: all
    """
    old, new = aliased(Task), aliased(Task)
    query = (
        select(old.dag_id, old.task_id, old.state, new.task_id, old.display_name, new.display_name)
        .join(new, (new.dag_id == old.dag_id) & (new.task_type == old.task_type) & new.is_present.is_(True))
        .where(
            old.is_present.is_(False),
            old.state.in_((TaskState.PAUSED.value, TaskState.OFFLINE.value)),
            new.state == TaskState.SCHEDULING.value,
            new.first_submitted_at > old.last_submitted_at,
        )
        .order_by(old.dag_id, old.task_id, new.task_id)
        .limit(_MOST)
    )
    if readable is not None:
        query = query.where(old.dag_id.in_(sorted(readable)))
    found: dict[tuple[str, str], list[Renamed]] = {}
    for dag_id, task_id, state, new_id, name, new_name in session.execute(query):
        one = Renamed(dag_id, task_id, state, new_id)
        alike = _last(task_id) == _last(new_id) or (name != task_id and name == new_name)
        # the one that is called alike comes first; without such a one, all that came are possible
        found.setdefault((dag_id, task_id), []).insert(0 if alike else len(found.get((dag_id, task_id), ())), one)
    return [candidates[0] for candidates in found.values()]


def _last(task_id: str) -> str:
    """The id without the groups that it is in."""
    return task_id.rpartition(".")[2]
