"""Creating a 500-task Dag run with the gate loaded, and settling what it stopped."""

from __future__ import annotations

import statistics
from datetime import UTC, datetime, timedelta

from airflow import settings
from airflow.models.taskinstance import TaskInstance as TI
from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG
from airflow.utils.types import DagRunTriggeredByType, DagRunType
from sqlalchemy import update
from sqlalchemy.orm import Session
from tests.support.airflow_db import empty_tables, new_session, serialized, write_dags

from benchmarks.measure import Row, in_turns
from taskops_provider import policies
from taskops_provider.adapter.gate_turns import GateTurns
from taskops_provider.models import GateInterval
from taskops_provider.services.gate import settle as gate_settle

TASKS = 500
TIMES = 25


class Creation:
    """Makes runs of a 500-task Dag, as the scheduler does."""

    def __init__(self, session: Session):
        self.session = session
        with DAG("wide", schedule=None) as dag:
            for number in range(TASKS):
                BashOperator(task_id=f"t{number:03}", bash_command="true")
        write_dags([dag], session)
        self.dag = serialized("wide", session)
        self.made = 0

    def with_gate(self) -> None:
        """One run with our policy registered."""
        self._make()

    def without_package(self) -> None:
        """One run as if the package were not installed: no policy, Airflow inserts in bulk."""
        manager = settings.get_policy_plugin_manager()
        name = manager.get_name(policies)
        manager.unregister(policies)
        settings.task_instance_mutation_hook.is_noop = True  # type: ignore[attr-defined]
        try:
            self._make()
        finally:
            manager.register(policies, name)
            settings.task_instance_mutation_hook.is_noop = False  # type: ignore[attr-defined]

    def _make(self) -> None:
        self.made += 1
        moment = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=self.made)
        self.dag.create_dagrun(
            run_id=f"run_{self.made}",
            logical_date=moment,
            data_interval=(moment, moment),
            run_after=moment,
            run_type=DagRunType.SCHEDULED,
            triggered_by=DagRunTriggeredByType.TIMETABLE,
            state="running",
            session=self.session,
        )
        self.session.commit()
        self.session.expunge_all()


def _gate(session: Session, count: int) -> None:
    session.add_all(
        GateInterval(
            dag_id="wide",
            task_id=f"t{number:03}",
            state="paused",
            downstream="skip",
            from_at=datetime(2020, 1, 1, tzinfo=UTC),
        )
        for number in range(count)
    )
    session.commit()


def creating() -> list[Row]:
    """With none gated, and with a tenth."""
    rows = []
    for what, gated in (("none gated", 0), ("50 gated", TASKS // 10)):
        with new_session() as session:
            creation = Creation(session)
            _gate(session, gated)
            ours, theirs = in_turns(TIMES, creation.with_gate, creation.without_package, pick=statistics.median)
        rows.append(Row(f"create a 500-task run, {what}", ours, "the same without our package", theirs, 1.05))
        empty_tables()
    return rows


def settling() -> Row:
    """One round of the monitor; the target is absolute."""
    with new_session() as session:
        creation = Creation(session)
        _gate(session, TASKS)
        for _ in range(10):
            creation.with_gate()

        def wait() -> None:
            session.execute(update(TI).values(state="up_for_retry", end_date=None))
            session.commit()
            gate_settle._of_thread.turns = GateTurns()  # a monitor that has seen none of them yet

        def settle() -> None:
            settled = 0
            for run in list(gate_settle.runs_to_settle(session, datetime.now(UTC))):
                settled += gate_settle.settle_run(session, run, datetime.now(UTC))
                session.commit()
            assert settled == TASKS * 10

        gate_settle.annotate(session, TASKS * 10)  # as the monitor does while they wait
        session.commit()
        [seconds] = in_turns(5, settle, prepare=wait)
    empty_tables()
    return Row("settle 5,000 ready instances", seconds, "one monitor interval, 2 s", None, 2.0)


def measure() -> list[Row]:
    """The rows of the table."""
    return [*creating(), settling()]
