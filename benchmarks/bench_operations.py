"""Pausing 10,000 tasks in one operation, and the strict-mode preview of 100,000."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import insert, select, update
from tests.support.airflow_db import empty_tables, new_session

from benchmarks.measure import Row, fill, in_turns, warehouse
from taskops_provider.domain.operations.targets import Scope, Target
from taskops_provider.domain.states import Verb
from taskops_provider.inputs.operation import Request
from taskops_provider.models import Edge, GateInterval, Operation, OperationItem, Owner, Setting, Task
from taskops_provider.services.operations.apply import apply_operation
from taskops_provider.services.operations.plan import preview_operation
from taskops_provider.services.shared.actor import Actor, UnrestrictedPermissions

ACTOR = Actor("bench", "cli", UnrestrictedPermissions())


def pausing() -> Row:
    """Against one bare UPDATE of the tasks plus the INSERTs of the record."""
    with new_session() as session:
        warehouse(session, workflows=200, tasks_each=50)
        names = session.execute(select(Task.dag_id, Task.task_id)).all()
        targets = tuple(Target(*name) for name in names)

        def reset() -> None:
            for table in (OperationItem, Operation, GateInterval):
                session.query(table).delete()
            session.execute(update(Task).values(state="scheduling", state_operation_id=None))
            session.commit()

        def bare() -> None:
            session.execute(update(Task).values(state="paused", downstream="skip", state_operation_id=1))
            items = [
                {
                    "operation_id": 1,
                    "dag_id": target.dag_id,
                    "task_id": target.task_id,
                    "outcome": "applied",
                    "before": "scheduling",
                    "after": "paused",
                    "restore": {"state": "scheduling", "downstream": None, "reason": None, "ticket": None},
                }
                for target in targets
            ]
            session.execute(insert(OperationItem.__table__), items)
            session.commit()

        def ours() -> None:
            apply_operation(session, ACTOR, Request(Verb.PAUSE, Scope.TASK, targets))
            session.commit()

        theirs, mine = in_turns(5, bare, ours, prepare=reset)
    empty_tables()
    return Row("pause 10,000 tasks in one operation", mine, "a bare UPDATE and the record's INSERTs", theirs, 3.0)


def strict_preview() -> Row:
    """Of taking offline 100,000 tasks with 300,000 edges and owners, nearly all blocked; the target is absolute."""
    with new_session() as session:
        warehouse(session, workflows=1000, tasks_each=100)
        dag_ids = sorted(set(session.scalars(select(Task.dag_id))))
        fill(
            session,
            Edge.__table__,
            (
                {
                    "source_dag_id": d,
                    "up_dag_id": d,
                    "up_task_id": f"task_{t:03}",
                    "down_dag_id": d,
                    "down_task_id": f"task_{min(t + step, 99):03}",
                    "kind": "task",
                }
                for d in dag_ids
                for t in range(100)
                for step in (1, 2, 3)
            ),
        )
        now = datetime.now(UTC)
        session.add(Setting(project="bench", name="strict_mode", value="on", changed_at=now, changed_by="bench"))
        session.commit()
        fill(
            session,
            Owner.__table__,
            ({"dag_id": d, "task_id": f"task_{t:03}", "owner": f"owner_{t % 50}"} for d in dag_ids for t in range(100)),
        )
        request = Request(Verb.OFFLINE, Scope.WORKFLOW, tuple(Target(d) for d in dag_ids))
        [seconds] = in_turns(5, lambda: preview_operation(session, ACTOR, request, now))
    empty_tables()
    return Row("strict-mode preview, 100,000 tasks, 300,000 edges", seconds, "2 s", None, 2.0)


def measure() -> list[Row]:
    """The rows of the table."""
    return [pausing(), strict_preview()]
