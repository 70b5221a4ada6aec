"""What differs between the versions of Airflow that TaskOps works with. Nothing outside this module asks for a version.

Airflow 3.4 differs from 3.3 in these ways:

- A Dag can drain (``is_draining``): Airflow creates no automatic runs of it, and pauses it after the last one. A Dag
  is never paused and draining at the same time; a CHECK constraint of the database says so.
- All tries of an instance are rows of ``task_instance``, of which ORM statements see the last one only; 3.3 keeps the
  earlier ones in ``task_instance_history``.
- A task in a loop has one instance for each iteration. Its *region* tells them apart (:data:`REGION_ID`).
- The code that expands mapped tasks belongs to the instance, no longer to ``TaskMap``.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from airflow.models.dag import DagModel
from airflow.models.log import Log
from airflow.models.taskinstance import TaskInstance as TI
from sqlalchemy import ColumnElement, Uuid, and_, exists, false, literal, or_, select, true, update
from sqlalchemy.orm import Session

from taskops_provider.domain.chunks import chunks

#: whether Airflow itself can drain Dags
HAS_DRAINING = hasattr(DagModel, "is_draining")
#: whether a task can have several instances in one run with the same map index
HAS_REGIONS = hasattr(TI, "region_id")

#: what takes back the count of a try that was scheduled and has not begun; on 3.4 the row of a try has its number
UNCOUNTED_TRY: Mapping[str, Any] = {} if HAS_REGIONS else {"try_number": TI.try_number - 1}

#: an instance's map index under that name: on 3.4 ``TI.map_index`` stands for a column of another name, which a UNION
#: would use
MAP_INDEX: ColumnElement[int] = TI.map_index.label("map_index")
#: the region of what is in no loop and no expansion
NO_REGION = UUID(int=0)
#: tells instances of a task with the same map index in a run apart (see ``adapter.loops``)
REGION_ID: ColumnElement[UUID] = (TI.region_id if HAS_REGIONS else literal(NO_REGION, Uuid())).label("region_id")


def dag_is_draining() -> ColumnElement[bool]:
    """Whether a Dag drains in Airflow, as a condition on its ``dag`` table."""
    return DagModel.__table__.c.is_draining.is_(True) if HAS_DRAINING else false()


def drains_in_airflow(dag_id: Any) -> ColumnElement[bool]:
    """Whether the Dag of a column drains in Airflow, for queries that do not join the ``dag`` table."""
    if not HAS_DRAINING:
        return false()
    # an alias, lest a query that does join the table lends it
    dag = DagModel.__table__.alias("draining_dag")
    return exists().where(dag.c.dag_id == dag_id, dag.c.is_draining.is_(True))


def draining_dags(session: Session, dag_ids: Collection[str]) -> set[str]:
    """Return those of the Dags that drain in Airflow; no query if Airflow cannot drain."""
    if not HAS_DRAINING or not dag_ids:
        return set()
    return set(session.scalars(select(DagModel.dag_id).where(DagModel.dag_id.in_(dag_ids), dag_is_draining())))


def pause_values(*, paused: bool) -> dict[str, bool]:
    """Return the columns of a Dag that pausing or unpausing it writes: both end its draining."""
    values = {"is_paused": paused}
    return {**values, "is_draining": False} if HAS_DRAINING else values


def drain(session: Session, dag_ids: Collection[str]) -> set[str]:
    """Have Airflow drain those of the Dags that are neither paused nor draining; return them, none if it cannot."""
    if not HAS_DRAINING or not dag_ids:
        return set()
    query = select(DagModel.dag_id).where(
        DagModel.dag_id.in_(dag_ids), DagModel.is_paused.is_(False), ~dag_is_draining()
    )
    found = set(session.scalars(query))
    if found:
        session.execute(
            update(DagModel)
            .where(DagModel.dag_id.in_(found), DagModel.is_paused.is_(False))
            .values(is_draining=True)
            .execution_options(synchronize_session=False)
        )
    return found


def drained_since(session: Session, since: Mapping[str, datetime]) -> set[str]:
    """Return the Dags that Airflow paused because their draining ended: one query, none if Airflow cannot drain.

    :param since: Dag -> from when on
    """
    if not HAS_DRAINING or not since:
        return set()
    ended = or_(*(and_(Log.dag_id == dag_id, Log.dttm >= at) for dag_id, at in since.items()))
    query = select(Log.dag_id).where(Log.event == "drain_completed", ended).distinct()
    return {dag_id for dag_id in session.scalars(query) if dag_id is not None}


@dataclass(frozen=True)
class EarlierTries:
    """Earlier tries of instances as a selectable to join with ``TI``.

    :param table: what to join
    :param columns: with ``state``, ``try_number``, ``max_tries``, ``start_date``, ``end_date``
    :param of_instance: on what to join it
    """

    table: Any
    columns: Any
    of_instance: ColumnElement[bool]


def earlier_tries() -> EarlierTries:
    """Return the earlier tries of instances, of which the last one is in ``TI``."""
    if HAS_REGIONS:
        # an alias of the table: ORM statements add that they want last tries only, to the class and to its aliases
        table = TI.__table__.alias("earlier_try")
        columns = table.c
        same = and_(columns.region_id == TI.region_id, columns.region_index == TI.region_index)
        is_earlier = and_(same, columns.working_set.is_(None))
    else:
        from airflow.models.taskinstancehistory import TaskInstanceHistory

        table = columns = TaskInstanceHistory
        is_earlier = columns.map_index == TI.map_index
    names = and_(columns.dag_id == TI.dag_id, columns.task_id == TI.task_id, columns.run_id == TI.run_id)
    return EarlierTries(table, columns, and_(names, is_earlier))


def last_tries(instances: Sequence[TI], session: Session) -> list[TI | None]:
    """Return instances that were cleared as they are now: with a row of their own (3.4), the present one.

    None stands for one that is no more: an iteration of a loop that was cleared from an earlier one on.
    """
    if not HAS_REGIONS:
        return list(instances)
    session.flush()
    found = {ti.id: ti for ti in instances if ti.working_set}
    gone = [ti for ti in instances if ti.id not in found]
    by_task: dict[tuple[str, str], set[str]] = {}
    for ti in gone:
        by_task.setdefault((ti.dag_id, ti.task_id), set()).add(ti.run_id)
    present = {}
    for (dag_id, task_id), run_ids in by_task.items():
        for some in chunks(sorted(run_ids)):
            query = select(TI).where(TI.dag_id == dag_id, TI.task_id == task_id, TI.run_id.in_(some))
            present.update({_key_of(ti): ti for ti in session.scalars(query)})
    return [found.get(ti.id) or present.get(_key_of(ti)) for ti in instances]


def _key_of(ti: TI) -> tuple[str, str, str, int, UUID]:
    return ti.dag_id, ti.task_id, ti.run_id, ti.map_index, region_of(ti)


def is_region_of_instance(kept: Any) -> ColumnElement[bool]:
    """Whether the column ``kept`` has the region of ``TI``; before there were regions, none was kept."""
    return or_(kept.is_(None), kept == TI.region_id) if HAS_REGIONS else true()


def region_of(ti: TI) -> UUID:
    """Return the region of an instance."""
    return ti.region_id if HAS_REGIONS else NO_REGION


def expand_mapped_task(ti: TI, task: Any, session: Session) -> None:
    """Create the instances of a mapped task with Airflow's own function."""
    if hasattr(TI, "expand_mapped_task"):
        ti.task = task
        ti.expand_mapped_task(session=session)
    else:
        from airflow.models.taskmap import TaskMap

        TaskMap.expand_mapped_task(task, ti.run_id, session=session)
