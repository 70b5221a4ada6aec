"""### Customer dimension, whenever customers or payments arrive

Has no clock: new `raw.customers` or `raw.payments` start it. Keeps the history of every customer (slowly changing
dimension, type 2) in a task group, and checks the result in a second one.
"""

from __future__ import annotations

from airflow.providers.standard.operators.bash import BashOperator
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import TriggerRule, dag, task, task_group
from retail_common import (
    DIM_CUSTOMER,
    POOL_WAREHOUSE,
    RAW_CUSTOMERS,
    RAW_PAYMENTS,
    START_DATE,
    pretend_to_work,
)


@dag(
    schedule=(RAW_CUSTOMERS | RAW_PAYMENTS),
    start_date=START_DATE,
    catchup=False,
    max_active_runs=1,
    default_args={"owner": "sofia.warehouse", "pool": POOL_WAREHOUSE},
    tags=["warehouse", "dimension"],
    doc_md=__doc__,
)
def customer_dim():
    """Declare the workflow."""

    @task_group
    def history():
        """Close the old versions of changed customers and add the new ones."""

        @task(inlets=[RAW_CUSTOMERS, RAW_PAYMENTS])
        def detect_changes() -> int:
            pretend_to_work("comparing with the last load")
            return 17

        @task
        def close_old_versions(changed: int) -> None:
            pretend_to_work(f"closing {changed} versions")

        @task(outlets=[DIM_CUSTOMER])
        def insert_new_versions(changed: int) -> None:
            pretend_to_work(f"inserting {changed} versions")

        changed = detect_changes()
        close_old_versions(changed) >> insert_new_versions(changed)

    @task_group(default_args={"owner": "noor.privacy"})
    def quality():
        """Check the dimension from two sides."""
        BashOperator(task_id="no_duplicates", bash_command="echo 'no duplicates'")
        BashOperator(task_id="no_clear_names", bash_command="echo 'no clear names'")

    done = EmptyOperator(task_id="done", trigger_rule=TriggerRule.NONE_FAILED)
    history() >> quality() >> done


customer_dim()
