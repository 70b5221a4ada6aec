"""How the tasks of a workflow divide by type and by period (requirements A4, A5)."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from taskops_provider.domain.states import TaskState
from taskops_provider.models import Task, Workflow


@dataclass(frozen=True)
class Distributions:
    """How many tasks have each type and each period, the most frequent first.

    The numbers of either add up to the workflow's task count: deleted tasks and those gone from the Dag do not count.
    """

    types: dict[str, int]
    periods: dict[str, int]


def distributions(session: Session, dag_id: str) -> Distributions:
    """Count the tasks of a workflow. One query; the caller has made sure that the Dag may be read."""
    query = (
        select(Task.task_type, Workflow.period, func.count().label("tasks"))
        .join(Workflow, Workflow.dag_id == Task.dag_id)
        .where(Task.dag_id == dag_id, Task.is_present.is_(True), Task.state != TaskState.DELETED.value)
        .group_by(Task.task_type, Workflow.period)
    )
    types: Counter[str] = Counter()
    periods: Counter[str] = Counter()
    for task_type, period, tasks in session.execute(query):
        types[task_type] += tasks
        periods[period] += tasks
    return Distributions(_ordered(types), _ordered(periods))


def _ordered(counts: Counter[str]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
