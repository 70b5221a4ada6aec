"""What people hold: instances and whole runs, from hold to release."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from taskops_provider.exceptions import ResourceNotFound
from taskops_provider.models import InstanceOrder, Operation
from taskops_provider.services.shared.actor import Actor
from taskops_provider.services.shared.paging import Page, check_page


@dataclass(frozen=True, slots=True)
class HoldRow:
    """One thing that is held.

    :param task_id: None for a whole run
    :param map_index: -1: whatever instances the task has in the run
    """

    dag_id: str
    run_id: str
    task_id: str | None
    map_index: int
    held_at: datetime
    held_by: str | None
    reason: str | None
    ticket: str | None
    operation_id: int | None


def list_holds(session: Session, actor: Actor, *, dag_id: str = "", limit: int, offset: int = 0) -> Page[HoldRow]:
    """Return one page of what is held, the newest first: two queries. Of Dags whose instances the actor may see.

    :param dag_id: of this workflow alone
    :raises BadInput: for a page that cannot be
    :raises ResourceNotFound: when the workflow may not be read
    """
    check_page(limit, offset)
    if dag_id and not actor.may_read(dag_id):
        raise ResourceNotFound(f"Dag {dag_id!r} does not exist")
    where = [InstanceOrder.kind == "hold"]
    limits = (actor.permissions.readable(), actor.permissions.instances_readable())
    where += [InstanceOrder.dag_id.in_(readable) for readable in limits if readable is not None]
    if dag_id:
        where.append(InstanceOrder.dag_id == dag_id)
    query = (
        select(
            InstanceOrder.dag_id,
            InstanceOrder.run_id,
            InstanceOrder.task_id,
            InstanceOrder.map_index,
            InstanceOrder.at,
            Operation.actor,
            Operation.reason,
            Operation.ticket,
            InstanceOrder.operation_id,
        )
        .outerjoin(Operation, Operation.id == InstanceOrder.operation_id)
        .where(*where)
        .order_by(InstanceOrder.at.desc(), InstanceOrder.id.desc())
        .limit(limit)
        .offset(offset)
    )
    rows = [HoldRow(row[0], row[1], row[2] or None, *row[3:]) for row in session.execute(query)]
    total = session.scalar(select(func.count()).select_from(InstanceOrder).where(*where)) or 0
    return Page(rows, total, limit, offset)
