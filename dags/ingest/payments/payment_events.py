"""### Payments, every five minutes

Fetches the payment gateway's events and settles them. **Settling fails in every fourth run** (the one of minute 15,
35 and 55), always in the same cycles, so that there is something to look into, to clear and to replenish.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.providers.standard.operators.bash import BashOperator
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import TriggerRule, dag, task
from retail_common import POOL_PAYMENT_GATEWAY, RAW_PAYMENTS, START_DATE, pretend_to_work


@dag(
    schedule="*/5 * * * *",
    start_date=START_DATE,
    catchup=False,
    max_active_runs=2,
    default_args={"owner": "leo.payments"},
    tags=["ingest", "payments"],
    doc_md=__doc__,
)
def payment_events():
    """Declare the workflow."""
    start = EmptyOperator(task_id="start", owner="jonas.platform")

    @task(pool=POOL_PAYMENT_GATEWAY)
    def fetch_events(logical_date=None) -> int:
        """Read the events since the last cycle."""
        pretend_to_work(f"payment events up to {logical_date}")
        return 40 + logical_date.minute

    @task(retries=1, retry_delay=timedelta(seconds=15))
    def settle_payments(events: int, logical_date=None) -> int:
        """Settle the payments; every fourth cycle the gateway's file is incomplete."""
        if logical_date.minute % 20 == 15:
            raise ValueError(f"settlement file of {logical_date:%H:%M} is incomplete")
        pretend_to_work(f"settling {events} payments")
        return events

    @task(outlets=[RAW_PAYMENTS], owner="sofia.warehouse")
    def load_payments(settled: int) -> None:
        """Write the payments to `raw.payments`."""
        pretend_to_work(f"loading {settled} payments")

    tell_support = BashOperator(
        task_id="tell_support",
        bash_command="echo 'settlement failed, support has been told'",
        trigger_rule=TriggerRule.ONE_FAILED,
    )

    events = fetch_events()
    settled = settle_payments(events)
    start >> events
    load_payments(settled)
    settled >> tell_support


payment_events()
