"""### Watch over the shops' message queue, all the time

A continuous workflow: when one run ends the next begins. Each waits two minutes (its sensor is deferred
meanwhile), looks at the queue and says what it found.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.providers.standard.operators.bash import BashOperator
from airflow.providers.standard.sensors.time_delta import TimeDeltaSensor
from airflow.sdk import dag, task
from retail_common import START_DATE


@dag(
    schedule="@continuous",
    start_date=START_DATE,
    catchup=False,
    max_active_runs=1,
    default_args={"owner": "jonas.platform"},
    tags=["ops", "monitoring"],
    doc_md=__doc__,
)
def queue_watch():
    """Declare the workflow."""

    # Paces the workflow: without it, one continuous run would follow the other without a pause.
    two_minutes = TimeDeltaSensor(task_id="two_minutes", delta=timedelta(minutes=2), deferrable=True)
    look_at_queue = BashOperator(task_id="look_at_queue", bash_command="echo 'queue is short'")

    @task(owner="ana.logistics")
    def warn_if_long() -> None:
        """Nothing to warn of in a demo."""

    two_minutes >> look_at_queue >> warn_if_long()


queue_watch()
