"""Runs that a replenishment creates, and those in which it clears cells: what their tasks do.

A run that it creates is known by Airflow's id of its backfill together with the logical date that the replenishment is
about to create, never by its conf: people choose a conf. Airflow may give the number of a backfill that was deleted
again, so a run that is created when the replenishment is over is none of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import and_, or_, select

from taskops_provider.domain.gate import EFFECT_OF_ROLE, STATE_OF_ROLE
from taskops_provider.domain.states import Downstream
from taskops_provider.policies.under_way import was_cleared

if TYPE_CHECKING:
    from sqlalchemy.orm import Session


class RunEffects(NamedTuple):
    """What the tasks of a run do.

    :param effects: task id -> how it is gated, None if it executes
    :param presets: task id -> the state that its instance has from the beginning
    :param executing: ids of the tasks that execute
    """

    effects: dict[str, Downstream | None]
    presets: dict[str, str]
    executing: frozenset[str]

    def of_unknown(self, task: Any) -> Downstream:
        """Return how a task is gated that the replenishment does not know, for it came with a later Dag version.

        It does not execute. If something that executes comes after it, it counts as success, else that was skipped.
        """
        below = task.get_flat_relative_ids(upstream=False) if task is not None else ()
        return Downstream.SKIP if self.executing.isdisjoint(below) else Downstream.RUN


def effects_of_replenishment_run(dag_run: Any, session: Session) -> RunEffects | None:
    """Return what the tasks of a run do if it is a replenishment's, None if it is not.

    Of a run that is being created that is known by its backfill: no query if it has none, else up to three.
    """
    if dag_run.backfill_id is not None:
        found = _effects_of_created_run(dag_run, session)
        if found is not None:
            return found
    return _effects_of_cleared_run(dag_run, session) if was_cleared(dag_run) else None


def _effects_of_created_run(dag_run: Any, session: Session) -> RunEffects | None:
    from taskops_provider.models import Replenishment, ReplenishmentCell
    from taskops_provider.models import ReplenishmentRole as Role
    from taskops_provider.models import ReplenishmentRun as Run

    is_new = and_(Run.run_id.is_(None), Replenishment.ended_at.is_(None))
    is_of_it = or_(Replenishment.ended_at.is_(None), Replenishment.ended_at >= dag_run.created_at)
    of_run = (
        select(Run.id, Run.replenishment_id)
        .join(Replenishment, Replenishment.id == Run.replenishment_id)
        .where(
            Run.backfill_id == dag_run.backfill_id,
            Run.dag_id == dag_run.dag_id,
            Run.logical_date == dag_run.logical_date,
            or_(is_new, and_(Run.run_id == dag_run.run_id, is_of_it)),
        )
    )
    with session.no_autoflush:
        found = session.execute(of_run).first()
        if found is None:
            return None
        cells = select(ReplenishmentCell.task_id).where(ReplenishmentCell.of_run_id == found.id)
        executing = frozenset(session.scalars(cells))
        query = select(Role.task_id, Role.role)
        query = query.where(Role.replenishment_id == found.replenishment_id, Role.dag_id == dag_run.dag_id)
        roles = {row.task_id: row.role for row in session.execute(query)}
    effects: dict[str, Downstream | None] = {}
    for task_id, role in roles.items():
        effect = EFFECT_OF_ROLE.get(role, Downstream.SKIP)
        # it executes in other runs of the replenishment only
        effects[task_id] = Downstream.RUN if effect is None and task_id not in executing else effect
    presets = {task_id: STATE_OF_ROLE[role] for task_id, role in roles.items() if role in STATE_OF_ROLE}
    return RunEffects(effects, presets, executing)


def _effects_of_cleared_run(dag_run: Any, session: Session) -> RunEffects | None:
    from taskops_provider.models import ReplenishmentCell as Cell
    from taskops_provider.models import ReplenishmentRun as Run

    query = (
        select(Cell.task_id)
        .join(Run, Run.id == Cell.of_run_id)
        .where(
            Run.dag_id == dag_run.dag_id,
            Run.run_id == dag_run.run_id,
            Run.state == "active",
            Run.backfill_id.is_(None),
        )
    )
    with session.no_autoflush:
        executing = frozenset(session.scalars(query))
    return RunEffects(dict.fromkeys(executing), {}, executing) if executing else None
