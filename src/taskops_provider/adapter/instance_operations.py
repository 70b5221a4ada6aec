"""What Airflow does to single task instances when people ask for it: clear, end, set a state.

The run is locked before its instances, in the order of the scheduler, so that the two never wait for each other.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from airflow.models.dag import DagModel
from airflow.models.dagbag import DBDagBag
from airflow.models.dagrun import DagRun
from airflow.models.taskinstance import TaskInstance as TI
from airflow.serialization.definitions.dag import SerializedDAG
from airflow.utils.sqlalchemy import with_row_locks
from airflow.utils.state import TaskInstanceState
from sqlalchemy import select
from sqlalchemy.orm import Session

from taskops_provider.adapter import runs
from taskops_provider.adapter.compatibility import HAS_REGIONS, last_tries, region_of
from taskops_provider.adapter.loops import clear_exactly, loop_regions, set_states_in_loop
from taskops_provider.adapter.rerun_reach import Following
from taskops_provider.domain.chunks import chunks
from taskops_provider.domain.states import Downstream


class Ref(NamedTuple):
    """Which instance of a task; ``map_index`` is -1 where the task is not mapped.

    ``region_id`` tells instances of a task in a loop apart (see ``adapter.loops``). It can be left out if the run has
    only one with the map index.
    """

    run_id: str
    map_index: int = -1
    region_id: str | None = None


class LiveInstance(NamedTuple):
    """An instance as it is now."""

    instance: TI
    state: str | None
    pool: str
    mark: str | None


def find(session: Session, dag_id: str, task_id: str, refs: Collection[Ref], *, lock: bool) -> dict[Ref, LiveInstance]:
    """Return those of the instances that exist.

    :param lock: hold them and their runs until the transaction ends
    """
    found: dict[Ref, LiveInstance] = {}
    wanted = set(refs)
    for chunk in chunks(sorted({ref.run_id for ref in refs})):
        if lock:
            of_runs = select(DagRun.id).where(DagRun.dag_id == dag_id, DagRun.run_id.in_(chunk)).order_by(DagRun.id)
            session.execute(with_row_locks(of_runs, session, of=DagRun)).all()
        query = select(TI).where(TI.dag_id == dag_id, TI.task_id == task_id, TI.run_id.in_(chunk)).order_by(TI.id)
        if lock:
            query = with_row_locks(query, session, of=TI, key_share=False)
        # what is in the session may be older than the lock
        for instance in session.scalars(query.execution_options(populate_existing=True)):
            state = instance.state
            live = LiveInstance(instance, None if state is None else str(state), instance.pool, instance.retry_reason)
            for ref in _names_of(instance):
                if ref in wanted:
                    if ref in found:
                        raise AmbiguousInstance(ref)
                    found[ref] = live
    return found


class AmbiguousInstance(Exception):
    """Several iterations of a loop have an instance with this map index: name the region too."""


def _names_of(instance: TI) -> tuple[Ref, ...]:
    """By what an instance may be called."""
    plain = Ref(instance.run_id, instance.map_index)
    return (plain, plain._replace(region_id=str(region_of(instance)))) if HAS_REGIONS else (plain,)


def find_following(session: Session, wanted: Collection[Following], *, lock: bool) -> dict[Following, LiveInstance]:
    """Return those of the instances, of any tasks, that exist.

    :param lock: hold them and their runs until the transaction ends
    """
    by_task: dict[tuple[str, str], list[Following]] = {}
    for one in wanted:
        by_task.setdefault((one.dag_id, one.task_id), []).append(one)
    found: dict[Following, LiveInstance] = {}
    for (dag_id, task_id), some in sorted(by_task.items()):
        refs = [Ref(one.run_id, one.map_index, one.region_id) for one in some]
        for ref, live in find(session, dag_id, task_id, refs, lock=lock).items():
            found[Following(dag_id, task_id, *ref)] = live
    return found


def is_unexpanded(dag: SerializedDAG | None, task_id: str, map_index: int) -> bool:
    """Tell whether an instance stands for all those that a mapped task, or one of a mapped group, has yet to get."""
    if map_index >= 0 or dag is None or not dag.has_task(task_id):
        return False
    return bool(dag.get_task(task_id).get_needs_expansion())


def latest_dag(session: Session, dag_id: str) -> SerializedDAG | None:
    """Return the latest version of a Dag; None where it has none."""
    return DBDagBag(load_op_links=False).get_latest_version_of_dag(dag_id, session=session)


def is_paused(session: Session, dag_id: str) -> bool:
    """Tell whether the Dag is paused in Airflow: its runs stay queued then."""
    return bool(session.scalar(select(DagModel.is_paused).where(DagModel.dag_id == dag_id)))


def rerun(session: Session, instances: Sequence[TI]) -> list[TI | None]:
    """Clear exactly these instances as Airflow does: finished runs are queued again, what runs is restarted.

    :return: each as it is now; None for one that is no more
    """
    clear_exactly(instances, session)
    return last_tries(instances, session)


def gate_again(session: Session, ids: Iterable[UUID], effect: Downstream, now: datetime) -> None:
    """Have instances that were cleared wait in the gate once more."""
    runs.gate_instances(session, ids, effect, now)


def terminate(session: Session, instances: Iterable[TI], now: datetime) -> None:
    """End unfinished instances as failed.

    What runs in a worker is told so at its next heartbeat and killed; what has not started never will.
    """
    runs.end_all(session, [instance.id for instance in instances], TaskInstanceState.FAILED, now)


def set_state(
    session: Session, dag: SerializedDAG, task_id: str, found: Mapping[Ref, LiveInstance], state: str
) -> None:
    """Set the state of instances as Airflow's own API does: what failed below them is cleared, listeners are told."""
    # here, for it brings the whole web application with it, which the command line does without
    from airflow.api_fastapi.core_api.services.public import task_instances as core

    wanted = TaskInstanceState(state)
    by_run: dict[str, list[TI]] = {}
    for ref, live in found.items():
        by_run.setdefault(ref.run_id, []).append(live.instance)
    for run_id, instances in by_run.items():
        if loop_regions(session, [(task_id, region_of(instance)) for instance in instances]):
            changed = set_states_in_loop(instances, wanted, session)
        else:
            changed = dag.set_task_instance_state(
                task_id=task_id,
                run_id=run_id,
                map_indexes=[instance.map_index for instance in instances],
                state=wanted,
                commit=True,
                session=session,
            )
        if wanted is TaskInstanceState.SUCCESS:
            core._clear_task_state_store_on_success(changed, session)
        core._emit_state_listener_hooks(changed, wanted)
