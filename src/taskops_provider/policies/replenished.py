"""Runs that a replenishment creates: what each of their tasks does.

A run is known by Airflow's id of its backfill together with the logical date that the replenishment is about to create,
never by its conf: people choose a conf.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import or_, select

from taskops_provider.domain.gate import ANY_TASK, EFFECT_OF_ROLE, STATE_OF_ROLE
from taskops_provider.domain.states import Downstream

if TYPE_CHECKING:
    from sqlalchemy.orm import Session


class Parts(NamedTuple):
    """What the tasks of a run do.

    :param effects: task id -> how it is gated, None if it executes; ``ANY_TASK``: all others
    :param presets: task id -> the state that its instance has from the beginning
    """

    effects: dict[str, Downstream | None]
    presets: dict[str, str]


def parts_in(dag_run: Any, session: Session) -> Parts | None:
    """Return what the tasks of a run do if a replenishment creates it, None if none does. Up to three queries."""
    from taskops_provider.models import ReplenishmentCell as Cell
    from taskops_provider.models import ReplenishmentRole as Role
    from taskops_provider.models import ReplenishmentRun as Run

    of_run = select(Run.id, Run.replenishment_id).where(
        Run.backfill_id == dag_run.backfill_id,
        Run.dag_id == dag_run.dag_id,
        Run.logical_date == dag_run.logical_date,
        or_(Run.run_id.is_(None), Run.run_id == dag_run.run_id),
    )
    with session.no_autoflush:
        found = session.execute(of_run).first()
        if found is None:
            return None
        cells = select(Cell.task_id).where(Cell.of_run_id == found.id)
        executing = set(session.scalars(cells))
        query = select(Role.task_id, Role.role)
        query = query.where(Role.replenishment_id == found.replenishment_id, Role.dag_id == dag_run.dag_id)
        roles = {row.task_id: row.role for row in session.execute(query)}
    effects: dict[str, Downstream | None] = {ANY_TASK: Downstream.SKIP}
    for task_id, role in roles.items():
        effect = EFFECT_OF_ROLE.get(role, Downstream.SKIP)
        # it executes in other runs of the replenishment only
        effects[task_id] = Downstream.RUN if effect is None and task_id not in executing else effect
    return Parts(effects, {task_id: STATE_OF_ROLE[role] for task_id, role in roles.items() if role in STATE_OF_ROLE})
