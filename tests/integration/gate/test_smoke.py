"""The gate on real scheduler logic: a gated instance stops at SCHEDULED in a pool without slots."""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG

from taskops_provider.models import GateInterval
from tests.support.airflow_db import write_dags
from tests.support.scheduling import Scheduler


def test_gated_task_waits_in_its_pool(session):
    with DAG("d", schedule=None) as dag:
        BashOperator(task_id="a", bash_command="true") >> BashOperator(task_id="g", bash_command="true")
    write_dags([dag], session)
    session.add(GateInterval(dag_id="d", task_id="g", state="paused", downstream="hold", from_at=datetime.now(UTC)))
    session.commit()
    scheduler = Scheduler(session)
    scheduler.create_run("d")
    assert scheduler.run_to_end("d") == "running"
    assert scheduler.executed_tasks() == ["a"]
    assert scheduler.raw_states("d")[("g", -1)] == ("up_for_retry", "taskops_hold")
