"""The tasks of a Dag as a replenishment needs them: who follows whom, whose results a task takes, setups."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from airflow.models.serialized_dag import SerializedDagModel
from airflow.serialization.definitions.dag import SerializedDAG
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from taskops_provider.adapter.loops import others_in_loop
from taskops_provider.exceptions import UnreadableDag

#: the first argument, or ``task_ids``, of a template's ``xcom_pull``: one id in quotes, or a list of them
_PULLS = re.compile(r"""xcom_pull\(\s*(?:task_ids\s*=\s*)?(\[[^\]]*\]|\([^)]*\)|'[^']*'|\\?"[^"]*")""")
_QUOTED = re.compile(r"""['"]([^'"\\]+)\\?['"]""")


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
    """

    dag: SerializedDAG
    downstream: Mapping[str, frozenset[str]]
    results_of: Mapping[str, frozenset[str]]
    setups_of: Mapping[str, frozenset[str]]
    periods: Mapping[str, tuple[datetime | None, datetime | None]]
    loops: Mapping[str, frozenset[str]] = field(default_factory=dict)


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
    has_setups = any(task.is_setup or task.is_teardown for task in dag.task_dict.values())
    return DagGraph(
        dag=dag,
        downstream={task_id: frozenset(task.downstream_task_ids) & ids for task_id, task in dag.task_dict.items()},
        results_of={
            task_id: frozenset({*mapping_sources(task), *_pulled(documents.get(task_id, {}))} & ids - {task_id})
            for task_id, task in dag.task_dict.items()
        },
        setups_of={
            task_id: frozenset(other.task_id for other in task.get_upstreams_only_setups_and_teardowns()) - {task_id}
            for task_id, task in dag.task_dict.items()
            if has_setups
        },
        periods={task_id: (task.start_date, task.end_date) for task_id, task in dag.task_dict.items()},
        loops={task_id: others for task_id, task in dag.task_dict.items() if (others := others_in_loop(task))},
    )


def leaf_tasks(session: Session, dag_id: str) -> frozenset[str] | None:
    """Return the ids of the tasks of a Dag that nothing follows; None where Airflow has none that can be read.

    What is being stopped must not depend on a Dag that somebody broke.
    """
    try:
        graph = load_graph(session, dag_id)
    except UnreadableDag:
        return None
    return frozenset(task_id for task_id, below in graph.downstream.items() if not below) if graph else None


def _pulled(document: Mapping[str, Any]) -> Iterator[str]:
    """Yield the ids of tasks whose results the templates of a task name."""
    text = json.dumps(document)
    if "xcom_pull" not in text:
        return
    for argument in _PULLS.findall(text):
        yield from _QUOTED.findall(argument)


def mapping_sources(task: Any) -> Iterator[str]:
    """Yield the ids of the tasks over whose XComs a task is mapped, by itself or in a mapped group."""
    if not task.get_needs_expansion():
        return
    if task.is_mapped:
        yield from (source.task_id for source in task.iter_mapped_dependencies())
    for group in task.iter_mapped_task_groups():
        yield from (source.task_id for source in group.iter_mapped_dependencies())
