"""### Maintenance of the warehouse database

Pauses the tasks that write to the warehouse, waits until none of them runs any more, does the maintenance, and starts
them again, also when the maintenance failed. Runs that are due meanwhile wait at these tasks (`hold`) and go on
afterwards: no cycle is lost.

Only what this run paused is started again: what someone had paused before stays paused. Should everything here die,
the tasks start by themselves half an hour after the window (`resume_at`).

Uses the connection `taskops_default`; see `docs/operators.md`. Has no schedule: trigger it.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import Param, dag, task
from retail_common import START_DATE

from taskops_provider.hooks.taskops import TaskOpsHook
from taskops_provider.operators.tasks import PauseTasksOperator, StartTasksOperator

WRITERS = [
    ("inventory_snapshot", "load_snapshot"),
    ("payment_events", "load_payments"),
    ("sales_mart_daily", "build_sales_fact"),
]


@dag(
    schedule=None,
    start_date=START_DATE,
    catchup=False,
    max_active_runs=1,
    params={"seconds": Param(20, type="integer", minimum=1, maximum=3600, description="How long the work takes")},
    default_args={"owner": "jonas.platform"},
    tags=["ops", "maintenance"],
    doc_md=__doc__,
)
def maintenance_window():
    """Declare the workflow."""
    pause_writers = PauseTasksOperator(
        task_id="pause_writers",
        targets=WRITERS,
        downstream="hold",
        resume_at=timedelta(minutes=90),
        reason="maintenance of the warehouse database",
    )

    @task.sensor(poke_interval=5, timeout=1800, mode="reschedule")
    def writers_are_idle() -> bool:
        """A pause lets instances under way finish; `terminate_instances=True` would end them instead."""
        hook = TaskOpsHook()
        begun = [hook.get_instances(*writer, status=["awaiting_execution", "running"]) for writer in WRITERS]
        # those that wait for the window's end are gated
        return all(instance["gated"] for instances in begun for instance in instances)

    vacuum = BashOperator(task_id="vacuum", bash_command="echo 'vacuuming' && sleep {{ params.seconds }}")

    # A teardown runs whatever happened in between. What is under way must get through: it tries long.
    start_writers = StartTasksOperator(
        task_id="start_writers",
        targets=pause_writers.output,
        reason="the maintenance of the warehouse database has ended",
        retries=5,
        retry_delay=timedelta(minutes=1),
    ).as_teardown(setups=pause_writers, on_failure_fail_dagrun=True)

    pause_writers >> writers_are_idle() >> vacuum >> start_writers


maintenance_window()
