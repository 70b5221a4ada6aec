"""The tasks of a Dag as a replenishment needs them: who follows whom, whose results a task takes, setups."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from airflow.models.serialized_dag import SerializedDagModel
from airflow.serialization.definitions.dag import SerializedDAG
from sqlalchemy import select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from taskops_provider.adapter.loops import others_in_loop
from taskops_provider.adapter.xcom_pulls import pulls_of_code, pulls_of_templates
from taskops_provider.domain.cells import reachable, reverse
from taskops_provider.exceptions import UnreadableDag

#: (Dag id, hash of its version) -> whether a task of it depends on its own past
_LOOKING_BACK: dict[tuple[str, str], bool] = {}
_MOST_KNOWN = 1000


@dataclass(frozen=True)
class DagGraph:
    """A Dag's latest version.

    :param dag: as the scheduler knows it
    :param downstream: task id -> ids of its direct downstream tasks, for every task
    :param results_of: task id -> ids of the tasks whose results (XCom) it takes, by being mapped over them, by
        arguments or by templates that name them
    :param setups_of: task id -> ids of the setup and teardown tasks that go with it, as Airflow's clearing adds them
    :param loops: task id -> ids of the other tasks of its loop, the gate that creates the iterations included
    :param periods: task id -> its own first and last date, where it has them
    :param looks_back: ids of tasks that depend on their own past (``depends_on_past``, ``wait_for_downstream``)
    :param takes_unknown: ids of tasks that may take the results of others than ``results_of`` names
    :param callables: task id -> the name of the function that a Python task calls
    """

    dag: SerializedDAG
    downstream: Mapping[str, frozenset[str]]
    results_of: Mapping[str, frozenset[str]]
    setups_of: Mapping[str, frozenset[str]]
    periods: Mapping[str, tuple[datetime | None, datetime | None]]
    loops: Mapping[str, frozenset[str]] = field(default_factory=dict)
    looks_back: frozenset[str] = frozenset()
    takes_unknown: frozenset[str] = frozenset()
    callables: Mapping[str, str] = field(default_factory=dict)

    def above(self, task_id: str) -> set[str]:
        """Return the ids of all tasks upstream of one."""
        return reachable([task_id], reverse(self.downstream))


def load_graph(session: Session, dag_id: str) -> DagGraph | None:
    """Return the graph of a Dag, None where Airflow has none.

    :raises UnreadableDag: where its stored form cannot be read
    """
    stored = SerializedDagModel.get(dag_id, session=session)
    if stored is None:
        return None
    try:
        return _graph(stored)
    except DBAPIError:
        raise
    except Exception as error:  # whatever Airflow's code stumbles over
        told = f"{type(error).__name__}: {' '.join(str(error).split())}"[:300]
        raise UnreadableDag(f"{dag_id} cannot be read: {told}") from error


def _graph(stored: SerializedDagModel) -> DagGraph:
    dag = stored.dag
    documents = {task["__var"]["task_id"]: task["__var"] for task in (stored.data or {})["dag"]["tasks"]}
    ids = frozenset(dag.task_dict)
    pulls = {task_id: pulls_of_templates(documents.get(task_id, {}), dag.dag_id) for task_id in ids}
    has_setups = any(task.is_setup or task.is_teardown for task in dag.task_dict.values())
    return DagGraph(
        dag=dag,
        downstream={task_id: frozenset(task.downstream_task_ids) & ids for task_id, task in dag.task_dict.items()},
        results_of={
            task_id: frozenset({*mapping_sources(task), *pulls[task_id].task_ids} & ids - {task_id})
            for task_id, task in dag.task_dict.items()
        },
        setups_of={
            task_id: frozenset(other.task_id for other in task.get_upstreams_only_setups_and_teardowns()) - {task_id}
            for task_id, task in dag.task_dict.items()
            if has_setups
        },
        periods={task_id: (task.start_date, task.end_date) for task_id, task in dag.task_dict.items()},
        looks_back=frozenset(
            task_id for task_id, task in dag.task_dict.items() if task.depends_on_past or task.wait_for_downstream
        ),
        takes_unknown=frozenset(task_id for task_id, found in pulls.items() if not found.is_known)
        | {task_id for task_id, document in documents.items() if _is_custom(document)},
        callables={task_id: name for task_id, document in documents.items() if (name := _callable(document))},
        loops={task_id: others for task_id, task in dag.task_dict.items() if (others := others_in_loop(task))},
    )


def _callable(document: Mapping[str, Any]) -> str | None:
    found = document.get("python_callable_name") or document.get("partial_kwargs", {}).get("python_callable_name")
    return found if isinstance(found, str) else None


def _is_custom(document: Mapping[str, Any]) -> bool:
    """Whether the code of an operator is nobody's but the site's: it may do anything."""
    module = document.get("_task_module")
    return isinstance(module, str) and not module.startswith("airflow.") and not _callable(document)


def read_code(session: Session, graph: DagGraph) -> DagGraph:
    """Return a graph that knows what Python tasks take by the code of their Dag's file. One query, if there are any."""
    if not graph.callables:
        return graph
    found = pulls_of_code(session, graph.dag.dag_id, graph.callables)
    return replace(
        graph,
        results_of={
            task_id: sources | (found[task_id].task_ids & set(graph.downstream) - {task_id})
            if task_id in found
            else sources
            for task_id, sources in graph.results_of.items()
        },
        takes_unknown=graph.takes_unknown | {task_id for task_id, pulls in found.items() if not pulls.is_known},
    )


def looks_back(session: Session, dag_id: str) -> bool:
    """Whether a task of a Dag depends on its own past; not if it cannot be read. One query, once that is known."""
    query = select(SerializedDagModel.dag_hash).where(SerializedDagModel.dag_id == dag_id)
    version = session.scalar(query.order_by(SerializedDagModel.created_at.desc()).limit(1))
    key = (dag_id, str(version))
    if key not in _LOOKING_BACK:
        try:
            graph = load_graph(session, dag_id)
        except UnreadableDag:
            return False
        if len(_LOOKING_BACK) >= _MOST_KNOWN:
            _LOOKING_BACK.clear()
        _LOOKING_BACK[key] = graph is not None and bool(graph.looks_back)
    return _LOOKING_BACK[key]


def leaf_tasks(session: Session, dag_id: str) -> frozenset[str] | None:
    """Return the ids of the tasks of a Dag that nothing follows; None where Airflow has none that can be read.

    What is being stopped must not depend on a Dag that somebody broke.
    """
    try:
        graph = load_graph(session, dag_id)
    except UnreadableDag:
        return None
    return frozenset(task_id for task_id, below in graph.downstream.items() if not below) if graph else None


def mapping_sources(task: Any) -> Iterator[str]:
    """Yield the ids of the tasks over whose XComs a task is mapped, by itself or in a mapped group."""
    if not task.get_needs_expansion():
        return
    if task.is_mapped:
        yield from (source.task_id for source in task.iter_mapped_dependencies())
    for group in task.iter_mapped_task_groups():
        yield from (source.task_id for source in group.iter_mapped_dependencies())
