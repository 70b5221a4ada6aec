"""What gate tests share: small tasks, gate intervals, the monitor's part of a round."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.models.taskinstance import TaskInstance as TI
from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG
from sqlalchemy import select
from sqlalchemy.orm import Session

from taskops_provider.models import GateInterval, Operation
from taskops_provider.services.gate import settle as gate_settle
from taskops_provider.services.operations import resume
from tests.support.airflow_db import write_dags
from tests.support.scheduling import Scheduler

EFFECTS = ("skip", "run", "fail", "hold")


def task(task_id: str, **options: Any) -> BashOperator:
    """A task that would execute."""
    return BashOperator(task_id=task_id, bash_command="true", **options)


def gate(
    session: Session,
    dag_id: str,
    task_id: str,
    effect: str,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    operation: Operation | None = None,
    state: str = "paused",
) -> GateInterval:
    """Open a gate interval, and commit."""
    interval = GateInterval(
        dag_id=dag_id,
        task_id=task_id,
        state=state,
        downstream=effect,
        from_at=since or datetime.now(UTC),
        to_at=until,
        operation_id=operation.id if operation else None,
    )
    session.add(interval)
    session.commit()
    return interval


def operation(session: Session, **values: Any) -> Operation:
    """Store an operation record, and commit."""
    record = Operation(
        **{
            "verb": "pause",
            "scope": "task",
            "at": datetime.now(UTC),
            "actor": "alice",
            "source": "cli",
            "options": {},
            "outcome": "success",
            "applied": 1,
            "left_alone": 0,
            "blocked": 0,
            **values,
        }
    )
    session.add(record)
    session.commit()
    return record


def settle(session: Session) -> int:
    """The monitor's part of a round."""
    done = gate_settle.settle(session, datetime.now(UTC))
    gate_settle.annotate(session)
    return done


def play(
    session: Session,
    dag: DAG,
    gated: dict[str, str],
    *,
    outcomes: dict[str, str] | None = None,
    results: dict[str, Any] | None = None,
    settled: bool = True,
    rounds: int = 60,
) -> Scheduler:
    """Write a Dag, gate tasks of it, make a run and play it until nothing moves any more.

    :param gated: task id -> effect
    """
    write_dags([dag], session)
    gate_settle.ensure_pools(session)
    session.commit()
    for task_id, effect in gated.items():
        gate(session, dag.dag_id, task_id, effect)
    scheduler = Scheduler(session, outcomes, settle=settle if settled else None, results=results)
    scheduler.create_run(dag.dag_id)
    scheduler.run_to_end(dag.dag_id, rounds=rounds)
    return scheduler


def note_of(session: Session, dag_id: str, task_id: str, run_id: str = "run_1") -> str | None:
    """The note that Airflow's UI shows for an instance."""
    session.expire_all()
    ti = session.scalars(select(TI).where(TI.dag_id == dag_id, TI.task_id == task_id, TI.run_id == run_id)).one()
    return ti.note


def hours_ago(hours: float) -> datetime:
    """A moment in the past."""
    return datetime.now(UTC) - timedelta(hours=hours)


def resume_due_tasks(session: Session, now: datetime) -> bool:
    """The monitor's step that starts tasks at their ``resume_at``."""
    done = [resume.resume_dag(session, dag_id, now) for dag_id in resume.due_dags(session, now)]
    return any(done)
