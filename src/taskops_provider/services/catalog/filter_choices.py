"""What the filters of the lists can be set to: the distinct owners, projects and task types."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, exists, or_, select
from sqlalchemy.orm import Session

from taskops_provider.adapter.any_case import holds
from taskops_provider.domain.states import TaskState
from taskops_provider.models import Owner, Task, Workflow
from taskops_provider.services.shared.actor import Actor

#: values of one field that are offered; whoever has more types the others
CAP = 200
_LISTED = (Workflow.is_present.is_(True), Workflow.default_state != TaskState.DELETED.value)


@dataclass(frozen=True)
class FilterChoices:
    """The values of one field in Dags that the acting user may read, sorted.

    :param is_capped: there are more than ``values`` holds
    """

    values: tuple[str, ...] = ()
    is_capped: bool = False


def owners(session: Session, actor: Actor) -> FilterChoices:
    """The owners of the workflows and tasks that are there and not deleted."""
    return capped(session, _owners(actor))


def owners_holding(session: Session, actor: Actor, part: str) -> FilterChoices:
    """The owners that have a part of a name in them, in any case."""
    walk = _owners(actor).subquery()
    return capped(session, select(walk.c.value).where(holds(walk.c.value, part)))


def projects(session: Session, actor: Actor) -> FilterChoices:
    """The projects of the workflows that are there and not deleted."""
    return capped(session, _of_workflows(Workflow.project, actor))


def task_types(session: Session, actor: Actor) -> FilterChoices:
    """The types of the tasks that are there."""
    return capped(session, _skip_scan(Task.task_type, [Task.is_present.is_(True), *_readable(Task.dag_id, actor)]))


def _owners(actor: Actor) -> Select[Any]:
    workflow = exists().where(Workflow.dag_id == Owner.dag_id, *_LISTED)
    task = exists().where(
        Task.dag_id == Owner.dag_id,
        Task.task_id == Owner.task_id,
        Task.is_present.is_(True),
        Task.state != TaskState.DELETED.value,
    )
    return _skip_scan(Owner.owner, [workflow, or_(Owner.task_id == "", task), *_readable(Owner.dag_id, actor)])


def _readable(dag_id: Any, actor: Actor) -> list[ColumnElement[bool]]:
    readable = actor.permissions.readable()
    return [] if readable is None else [dag_id.in_(readable)]


def capped(session: Session, query: Select[Any]) -> FilterChoices:
    """Return the first values of a query of one sorted column."""
    found = session.scalars(query.limit(CAP + 1)).all()
    return FilterChoices(tuple(found[:CAP]), len(found) > CAP)


def _of_workflows(column: Any, actor: Actor) -> Select[Any]:
    return select(column).where(*_LISTED, *_readable(Workflow.dag_id, actor)).distinct().order_by(column)


def _skip_scan(column: Any, conditions: list[ColumnElement[bool]]) -> Select[Any]:
    """Select the distinct values of an indexed column, from one to the next greater one.

    ``SELECT DISTINCT`` reads a row for every task (0.2 s of a million); this does one index look-up a value.
    """
    # not min(): PostgreSQL would read all rows for it where a condition looks at another table
    smallest = select(column).where(*conditions).order_by(column).limit(1)
    walk = select(smallest.scalar_subquery().label("value")).cte("walk", recursive=True)
    following = smallest.where(column > walk.c.value).scalar_subquery()
    walk = walk.union_all(select(following).where(walk.c.value.is_not(None)))
    return select(walk.c.value).where(walk.c.value.is_not(None))
