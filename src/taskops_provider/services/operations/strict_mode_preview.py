"""What strict mode of a project means for the tasks that it has now."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from taskops_provider.models import Task, Workflow
from taskops_provider.services.catalog.filters import readable_only
from taskops_provider.services.catalog.lineage import MANY_DAGS, links_around
from taskops_provider.services.operations.snapshot import IS_LIVE
from taskops_provider.services.shared.actor import Actor
from taskops_provider.services.shared.bulk_reads import read_in_bulk
from taskops_provider.services.shared.task_keys import TaskKey


@dataclass(frozen=True, slots=True)
class StrictModeEffect:
    """How many tasks of a project there are to stop, and which of them strict mode keeps from it.

    :param workflows: those with a task that is kept
    """

    tasks: int
    kept: int
    workflows: int


def effect_of_strict_mode(session: Session, actor: Actor, project: str) -> StrictModeEffect:
    """Count the tasks of a project that have not been stopped, and those that strict mode would not let stop now.

    Three queries, linear in the tasks and dependencies of the project.
    """
    query = readable_only(_live().where(Workflow.project == project), Task.dag_id, actor)
    tasks = _pairs(session, query)
    dag_ids = {dag_id for dag_id, _ in tasks}
    links = [link for link in links_around(session, dag_ids, downwards=True) if link.up in tasks]
    elsewhere = _live_in(session, {link.down[0] for link in links} - dag_ids)
    kept = {link.up for link in links if link.up != link.down and (link.down in tasks or link.down in elsewhere)}
    return StrictModeEffect(len(tasks), len(kept), len({dag_id for dag_id, _ in kept}))


def _live() -> Select[*tuple[Any, ...]]:
    return select(Task.dag_id, Task.task_id).join(Workflow, Workflow.dag_id == Task.dag_id).where(IS_LIVE)


def _live_in(session: Session, dag_ids: Collection[str]) -> set[TaskKey]:
    if not dag_ids:
        return set()
    query = _live()
    return _pairs(session, query.where(Task.dag_id.in_(dag_ids)) if len(dag_ids) <= MANY_DAGS else query)


def _pairs(session: Session, query: Select[*tuple[Any, ...]]) -> set[TaskKey]:
    return {(row.dag_id, row.task_id) for row in read_in_bulk(session, query)}
