"""### Sales mart, every day

Waits for the day's last hour of `shop_orders_hourly` (without occupying a worker: the sensor is deferred), decides
between a full and an incremental load, builds the fact table and then one mart a region (a mapped task group).

If the orders are not there after ten minutes, the mart is built from what there is: the sensor is skipped, and the
task after it accepts that.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.providers.standard.operators.bash import BashOperator
from airflow.providers.standard.sensors.external_task import ExternalTaskSensor
from airflow.sdk import CronDataIntervalTimetable, Label, TriggerRule, dag, task, task_group
from retail_common import (
    DIM_CUSTOMER,
    FACT_SALES,
    MART_SALES,
    POOL_WAREHOUSE,
    RAW_INVENTORY,
    RAW_ORDERS,
    START_DATE,
    pretend_to_work,
)


@dag(
    schedule=CronDataIntervalTimetable("0 0 * * *", timezone="UTC"),
    start_date=START_DATE,
    catchup=False,
    max_active_runs=2,
    default_args={"owner": "kenji.marts", "retries": 1, "retry_delay": timedelta(seconds=30)},
    tags=["warehouse", "mart", "sales"],
    doc_md=__doc__,
)
def sales_mart_daily():
    """Declare the workflow."""
    wait_for_orders = ExternalTaskSensor(
        task_id="wait_for_orders",
        external_dag_id="shop_orders_hourly",
        external_task_id="orders_complete",
        execution_delta=timedelta(hours=-23),  # negative: the day's last hour, later than our own logical date
        deferrable=True,
        poke_interval=30,
        timeout=600,
        soft_fail=True,
        retries=0,
    )

    @task.branch(trigger_rule=TriggerRule.NONE_FAILED)
    def choose_load(data_interval_start=None) -> str:
        """Load everything on the first day of a month, the day's changes on the others."""
        return "full_load" if data_interval_start.day == 1 else "incremental_load"

    full_load = BashOperator(
        task_id="full_load",
        bash_command="echo 'loading everything' && sleep 2",
        pool=POOL_WAREHOUSE,
        pool_slots=2,
        inlets=[RAW_ORDERS, RAW_INVENTORY],
    )
    incremental_load = BashOperator(
        task_id="incremental_load",
        bash_command="echo 'loading the changes of {{ ds }}' && sleep 1",
        pool=POOL_WAREHOUSE,
        inlets=[RAW_ORDERS, RAW_INVENTORY],
    )

    @task(
        trigger_rule=TriggerRule.NONE_FAILED_MIN_ONE_SUCCESS,
        inlets=[DIM_CUSTOMER],
        outlets=[FACT_SALES],
        owner="sofia.warehouse",
    )
    def build_sales_fact() -> None:
        """Join orders with customers."""
        pretend_to_work("building the sales fact", seconds=1)

    @task_group
    def region_mart(region: str):
        """Build and check the mart of one region."""

        @task
        def aggregate(region: str) -> str:
            pretend_to_work(f"aggregating {region}")
            return region

        @task
        def check_totals(region: str) -> None:
            pretend_to_work(f"checking the totals of {region}")

        check_totals(aggregate(region))

    @task(outlets=[MART_SALES])
    def publish_mart() -> None:
        """Swap the new mart in."""
        pretend_to_work("publishing the mart")

    refresh_dashboards = BashOperator(
        task_id="refresh_dashboards", bash_command="echo 'dashboards refreshed'", owner="tara.reports"
    )

    branch = choose_load()
    fact = build_sales_fact()
    wait_for_orders >> branch
    branch >> Label("first day of the month") >> full_load >> fact
    branch >> Label("other days") >> incremental_load >> fact
    fact >> region_mart.expand(region=["north", "south", "online"]) >> publish_mart() >> refresh_dashboards


sales_mart_daily()
