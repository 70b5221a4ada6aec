"""The list of replenishments, as every surface asks for it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.orm import Session

from taskops_provider.adapter.any_case import holds
from taskops_provider.domain.progress import ReplenishmentState
from taskops_provider.models import Replenishment, ReplenishmentRun, Workflow
from taskops_provider.services.catalog.filter_choices import FilterChoices, capped
from taskops_provider.services.catalog.filters import check_choices, named
from taskops_provider.services.replenishments.create import visible
from taskops_provider.services.replenishments.progress import ReplenishmentProgress, read_progress
from taskops_provider.services.shared.actor import Actor
from taskops_provider.services.shared.filter_size import check_size
from taskops_provider.services.shared.paging import Page, check_page, order

STATES = tuple(state.value for state in ReplenishmentState)
NEWEST_FIRST = "-replenishment_id"
ORDERS = {
    "replenishment_id": Replenishment.id,
    "created_at": Replenishment.created_at,
    "state": Replenishment.state,
    "actor": Replenishment.actor,
}


@dataclass(frozen=True)
class ReplenishmentFilter:
    """Which replenishments. Several values of one field mean any of them; several fields mean all of them.

    :param name: part of the name; of one that nobody named, of the id of one of its Dags
    :param workflow: part of the name or id of a workflow of it
    :param dag_id: a workflow of it
    :param since: created at this moment or later
    :param until: created at this moment or before
    """

    states: tuple[str, ...] = ()
    actors: tuple[str, ...] = ()
    name: str = ""
    workflow: str = ""
    dag_id: str = ""
    since: datetime | None = None
    until: datetime | None = None


EVERYTHING = ReplenishmentFilter()


def list_replenishments(
    session: Session,
    actor: Actor,
    now: datetime,
    where: ReplenishmentFilter = EVERYTHING,
    *,
    limit: int,
    offset: int = 0,
    order_by: str = NEWEST_FIRST,
) -> Page[ReplenishmentProgress]:
    """Return replenishments that touch a Dag the actor may read. A constant number of queries.

    :raises BadInput: for an unknown state or order, a filter that is too large, a limit outside 1..1000, a negative
        offset
    """
    check_page(limit, offset)
    check_size(where)
    check_choices("state", where.states, STATES)
    query = visible(select(Replenishment).where(*_conditions(where, actor)), actor)
    total = session.scalar(select(func.count()).select_from(query.subquery())) or 0
    ordered = order(query, order_by, ORDERS, [Replenishment.id.desc()])
    rows = session.scalars(ordered.limit(limit).offset(offset)).all()
    return Page(read_progress(session, actor, rows, now), total, limit, offset)


def list_actors(session: Session, actor: Actor) -> FilterChoices:
    """Return who made the replenishments that the actor may know of."""
    return capped(session, visible(select(Replenishment.actor).distinct(), actor).order_by(Replenishment.actor))


def _conditions(where: ReplenishmentFilter, actor: Actor) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if where.states:
        conditions.append(Replenishment.state.in_(where.states))
    if where.actors:
        conditions.append(Replenishment.actor.in_(where.actors))
    if where.since:
        conditions.append(Replenishment.created_at >= where.since)
    if where.until:
        conditions.append(Replenishment.created_at <= where.until)
    if where.dag_id:
        conditions.append(_touching(ReplenishmentRun.dag_id == where.dag_id, actor))
    if where.workflow:
        of = select(Workflow.dag_id).where(named(Workflow.dag_id, Workflow.display_name, where.workflow))
        conditions.append(_touching(ReplenishmentRun.dag_id.in_(of), actor))
    if where.name:
        unnamed = _touching(holds(ReplenishmentRun.dag_id, where.name), actor)
        conditions.append(
            or_(
                holds(Replenishment.name, where.name),
                and_(Replenishment.name == "", unnamed),
            )
        )
    return conditions


def _touching(condition: ColumnElement[bool], actor: Actor) -> ColumnElement[bool]:
    """Whether a run of it is so: that it has one in a Dag which may not be read is not to be found out by asking."""
    readable = actor.permissions.readable()
    runs = select(ReplenishmentRun.replenishment_id).where(condition)
    if readable is not None:
        runs = runs.where(ReplenishmentRun.dag_id.in_(sorted(readable)))
    return Replenishment.id.in_(runs)
