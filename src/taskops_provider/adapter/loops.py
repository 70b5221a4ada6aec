"""Which instance of a task in a loop (Airflow 3.4): its iteration, and the region that tells it from the others.

A region is one execution of a loop, or one expansion of a mapped task; what is in neither has :data:`NO_REGION`. Where
a task in a loop is mapped, each iteration has instances with the map indexes 0, 1, ... of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from airflow.models.taskinstance import TaskInstance as TI
from airflow.models.taskinstance import clear_task_instances
from airflow.utils.state import DagRunState, TaskInstanceState
from sqlalchemy import select
from sqlalchemy.orm import Session

from taskops_provider.adapter.compatibility import HAS_REGIONS, NO_REGION
from taskops_provider.domain.chunks import chunks

#: of one enclosing execution in the path of a region: 16 bytes of its id, and 4 of the index in it
_STEP, _INDEX = 20, 4


@dataclass(frozen=True, slots=True)
class LoopRegion:
    """A region that is in a loop.

    :param outer: in which iterations of the loops around it, the outermost first
    :param is_loop: its instances are iterations; else those of a mapped task in one iteration
    """

    id: UUID
    outer: tuple[int, ...]
    is_loop: bool

    def iteration(self, index: int) -> str:
        """Name the iteration of an instance: ``2``, ``0.2`` in a loop within a loop, ``2[0]`` if it is mapped in it.

        :param index: its own, in the region
        """
        if self.is_loop:
            return ".".join(map(str, (*self.outer, index)))
        return f"{'.'.join(map(str, self.outer))}[{index}]"


def loop_regions(session: Session, instances: Iterable[tuple[str, UUID]]) -> Mapping[UUID, LoopRegion]:
    """Return the regions of instances that are in loops: one query for many, none if there are no regions.

    :param instances: task id and region of each
    """
    task_of = {region_id: task_id for task_id, region_id in instances if region_id != NO_REGION}
    if not HAS_REGIONS or not task_of:
        return {}
    from airflow.models.dynamic_region import DynamicRegion as Region

    found = {}
    for chunk in chunks(task_of):
        query = select(Region.id, Region.node_id, Region.parent_region_id, Region.path).where(Region.id.in_(chunk))
        for row in session.execute(query):
            is_expansion = row.node_id == task_of[row.id]
            if not is_expansion or row.parent_region_id is not None:
                found[row.id] = LoopRegion(row.id, _indexes(row.path), is_loop=not is_expansion)
    return found


def _indexes(path: Any) -> tuple[int, ...]:
    whole = bytes(path)
    ends = range(_STEP, len(whole) + 1, _STEP)
    return tuple(int.from_bytes(whole[end - _INDEX : end], "big") for end in ends)


def others_in_loop(task: Any) -> frozenset[str]:
    """Return the ids of the other tasks of the loop that a task is in, of the outermost one; empty if it is in none."""
    if not HAS_REGIONS:
        return frozenset()
    from airflow.serialization.definitions.taskgroup import SerializedLoopTaskGroup  # type: ignore[attr-defined]

    found: frozenset[str] = frozenset()
    group = task.task_group
    while group is not None:
        if isinstance(group, SerializedLoopTaskGroup):
            found = frozenset(one.task_id for one in group.iter_tasks()) - {task.task_id}
        group = group.parent_group
    return found


def clear_exactly(instances: Iterable[TI], session: Session) -> None:
    """Clear exactly these instances as Airflow does; of the gate of a loop, the iterations after it go too."""
    found = list(instances)
    if HAS_REGIONS:
        from airflow.models.taskinstance import clear_task_instances_for_runs  # type: ignore[attr-defined]

        clear_task_instances_for_runs(found, session=session, dag_run_state=DagRunState.QUEUED)
    else:
        clear_task_instances(found, session, dag_run_state=DagRunState.QUEUED)


def set_states_in_loop(instances: Sequence[TI], state: TaskInstanceState, session: Session) -> list[TI]:
    """Set the state of instances of one run that are in loops, and clear what failed behind them, as Airflow does.

    Airflow's function for other instances would set those of all iterations.

    :return: what was changed
    """
    from airflow.models.taskinstance import select_loop_clear_scope  # type: ignore[attr-defined]

    behind = select_loop_clear_scope(instances, later_loop_iterations=False, session=session).retry_ids
    changed = [ti for ti in instances if ti.state != state]
    for ti in changed:
        ti.set_state(state, session=session)
    chosen = {ti.id for ti in instances}
    failures = select(TI).where(
        TI.id.in_(behind - chosen),
        TI.state.in_((TaskInstanceState.FAILED, TaskInstanceState.UPSTREAM_FAILED)),
    )
    if found := list(session.scalars(failures)):
        clear_task_instances(found, session=session)
    return changed
