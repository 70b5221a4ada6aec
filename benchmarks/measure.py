"""What all benchmarks share: a row of the table, a clock, rows by the thousand."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import insert
from sqlalchemy.orm import Session


@dataclass(frozen=True)
class Row:
    """One line of the table: ours against something measured in the same run, or against a limit.

    :param theirs: what ``against`` took; None where the target is a limit for ours
    :param target: the highest ratio, or the limit
    """

    what: str
    ours: float
    against: str
    theirs: float | None
    target: float
    unit: str = "s"

    @property
    def ratio(self) -> float | None:
        """Ours divided by theirs; None where the target is absolute."""
        return None if self.theirs is None else self.ours / self.theirs

    @property
    def holds(self) -> bool:
        """Whether the target is met."""
        return (self.ours if self.ratio is None else self.ratio) <= self.target


def in_turns(
    times: int,
    *works: Callable[[], object],
    prepare: Callable[[], object] = lambda: None,
    pick: Callable[[list[float]], float] = min,
) -> list[float]:
    """Return the CPU seconds of each of several things, done in turns, so that noise hits all alike.

    The first turn warms up. What other work the machine has does not count, and the database is in the process.

    :param prepare: done before each, and not counted
    :param pick: chooses from the seconds of all turns
    """
    taken: list[list[float]] = [[] for _ in works]
    for turn in range(times + 1):
        for seconds, work in zip(taken, works, strict=True):
            prepare()
            gc.collect()
            started = time.process_time()
            work()
            if turn:
                seconds.append(time.process_time() - started)
    return [pick(seconds) for seconds in taken]


def fill(session: Session, table: Any, rows: Iterable[dict[str, Any]], chunk: int = 20_000) -> None:
    """Insert many rows."""
    pending: list[dict[str, Any]] = []
    for row in rows:
        pending.append(row)
        if len(pending) >= chunk:
            session.execute(insert(table), pending)
            pending = []
    if pending:
        session.execute(insert(table), pending)
    session.commit()


def warehouse(session: Session, workflows: int, tasks_each: int, *, dags: bool = False) -> None:
    """Fill the index with workflows and tasks; with ``dags``, Airflow's own table as well."""
    from airflow.models.dag import DagModel
    from airflow.models.dagbundle import DagBundleModel

    from taskops_provider.models import Owner, Task, Workflow

    names = [f"team_{n % 40:02}_workflow_{n:05}" for n in range(workflows)]
    fill(
        session,
        Workflow.__table__,
        (
            {
                "dag_id": name,
                "display_name": name,
                "project": "bench",
                "folder": f"bench/team_{n % 40:02}",
                "period": ("day", "hour", "week")[n % 3],
                "is_present": True,
                "default_state": "scheduling",
                "owners_set": False,
            }
            for n, name in enumerate(names)
        ),
    )
    fill(
        session,
        Owner.__table__,
        ({"dag_id": d, "task_id": "", "owner": f"owner_{n % 50}"} for n, d in enumerate(names)),
    )
    fill(
        session,
        Task.__table__,
        (
            {
                "dag_id": name,
                "task_id": f"task_{t:03}",
                "display_name": f"task_{t:03}",
                "task_type": ("BashOperator", "PythonOperator", "SQLExecuteQueryOperator")[t % 3],
                "definition_hash": "-",
                "state": "paused" if (n + t) % 20 == 0 else "scheduling",
                "is_present": True,
                "is_root": t == 0,
                "is_leaf": t == tasks_each - 1,
                "is_mapped": False,
            }
            for n, name in enumerate(names)
            for t in range(tasks_each)
        ),
    )
    if dags:
        session.merge(DagBundleModel(name="bench"))
        session.flush()
        fill(
            session,
            DagModel.__table__,
            (
                {
                    "dag_id": name,
                    "bundle_name": "bench",
                    "is_paused": False,
                    "is_stale": False,
                    "fileloc": f"/{name}.py",
                    "relative_fileloc": f"{name}.py",
                    "timetable_type": "",
                    "owners": "owner",
                    "max_active_tasks": 16,
                    "max_active_runs": 16,
                    "max_consecutive_failed_dag_runs": 0,
                    "has_task_concurrency_limits": False,
                    "partition_mapper_info": [],
                }
                for name in names
            ),
        )
