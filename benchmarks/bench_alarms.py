"""One look of the monitor at 10,000 alarm rules over 100,000 tasks, with nothing to fire."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.models.dagrun import DagRun
from airflow.models.taskinstance import TaskInstance as TI
from sqlalchemy import func, insert, select, update
from sqlalchemy.orm import Session
from tests.support.airflow_db import empty_tables, new_session
from tests.support.instances import write_runs

from benchmarks.measure import Row, in_turns, warehouse
from taskops_provider.models import AlarmEvent, AlarmRule, Task
from taskops_provider.services.alarms.evaluate import evaluate

RULES = 10_000
#: Dags with a run in which everything runs since a minute, and with five in which everything succeeded
BUSY = 200
KINDS = {
    "failed": {"on": "retries_exhausted"},
    "succeeded": {},
    "running_longer_than": {"percent": 50, "last": 10},
    "not_finished_by": {"time": "08:00", "zone": "UTC", "days": 0},
    "replenishment_failed": {},
}


def _rules(session: Session) -> None:
    now = datetime.now(UTC)
    tasks = session.execute(select(Task.dag_id, Task.task_id).order_by(Task.dag_id, Task.task_id).limit(RULES)).all()
    common = {
        "name": "",
        "scope": "task",
        "project": "",
        "level": 1,
        "enabled": True,
        "active_since": now - timedelta(days=30),
        "created_at": now,
        "created_by": "bench",
        "changed_at": now,
        "changed_by": "bench",
        "version": 1,
    }
    rest = {"recipients": {"addresses": ["a@example.com"]}, "channels": ["email"]}
    kinds = list(KINDS.items())
    rows = []
    for number, task in enumerate(tasks):
        kind, parameters = kinds[number % len(kinds)]
        rows.append(
            {
                **common,
                "dag_id": task.dag_id,
                "task_id": task.task_id,
                "kind": kind,
                "on": str(parameters.get("on", "")),
                "body": {"parameters": parameters, **rest},
                "next_due_at": now + timedelta(hours=1) if kind == "not_finished_by" else None,
            }
        )
    session.execute(insert(AlarmRule), rows)
    session.commit()


def _instances(session: Session) -> None:
    dag_ids = session.scalars(select(Task.dag_id).distinct().order_by(Task.dag_id).limit(BUSY)).all()
    for dag_id in dag_ids:
        task_ids = session.scalars(select(Task.task_id).where(Task.dag_id == dag_id)).all()
        write_runs(session, dag_id, task_ids, range(5))
        write_runs(session, dag_id, task_ids, [9], state="running")
    just_now = datetime.now(UTC) - timedelta(minutes=1)
    running = update(TI).where(TI.state == "running").values(start_date=just_now, updated_at=just_now)
    session.execute(running)
    session.execute(update(TI).where(TI.state == "success").values(duration=3600.0))
    session.execute(update(DagRun).where(DagRun.run_id == "run_0009").values(state="running"))
    session.commit()


def measure() -> list[Row]:
    """The rows of the table."""
    with new_session() as session:
        warehouse(session, workflows=10_000, tasks_each=10)
        _rules(session)
        _instances(session)
        assert session.scalar(select(func.count()).select_from(AlarmRule)) == RULES
        now = datetime.now(UTC)
        evaluate(session, now)
        [seconds] = in_turns(5, lambda: evaluate(session, now), prepare=session.commit)
        assert session.scalar(select(func.count()).select_from(AlarmEvent)) == 0
    empty_tables()
    return [Row("look at 10,000 alarm rules, 100,000 tasks, none fires", seconds, "200 ms", None, 0.2)]
