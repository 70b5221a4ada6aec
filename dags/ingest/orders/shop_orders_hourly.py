"""### Orders of the shops, every hour

Reads the orders of each shop through the shop API (one mapped task a shop, at most two at a time through the pool
`shop_api`), checks them and loads them into `raw.orders`. While the shops are closed there is nothing to load, and a
short circuit skips the rest.

The copy to the old FTP server ended with June 2025: its end date has passed.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.providers.standard.operators.bash import BashOperator
from airflow.providers.standard.sensors.external_task import ExternalTaskMarker
from airflow.sdk import CronDataIntervalTimetable, dag, get_current_context, task
from retail_common import POOL_SHOP_API, RAW_ORDERS, START_DATE, pretend_to_work

SHOPS = ["berlin", "lyon", "porto", "online"]


@dag(
    schedule=CronDataIntervalTimetable("0 * * * *", timezone="UTC"),
    start_date=START_DATE,
    catchup=False,
    max_active_runs=3,
    default_args={"owner": "mira.orders", "retries": 1, "retry_delay": timedelta(seconds=20)},
    tags=["ingest", "orders"],
    doc_md=__doc__,
)
def shop_orders_hourly():
    """Declare the workflow."""
    check_shop_api = BashOperator(
        task_id="check_shop_api",
        bash_command="echo 'shop API answers' && sleep 0.2",
        owner="jonas.platform",
    )

    @task(pool=POOL_SHOP_API, map_index_template="{{ shop }}")
    def extract_orders(shop: str, data_interval_start=None) -> int:
        """Read one shop's orders of the hour and return how many there are."""
        get_current_context()["shop"] = shop  # names the mapped instance in the web view
        pretend_to_work(f"orders of {shop} from {data_interval_start}")
        return len(shop) * 10 + data_interval_start.hour

    @task.short_circuit
    def shops_open(data_interval_start=None) -> bool:
        """Between 1 and 4 o'clock there are no orders to load."""
        return data_interval_start.hour not in (1, 2, 3)

    @task
    def validate_orders(counts: list[int]) -> int:
        """Add up what was read; a real task would check the rows."""
        return sum(counts)

    @task(outlets=[RAW_ORDERS], owner="sofia.warehouse")
    def load_orders(total: int) -> None:
        """Write the orders to `raw.orders`."""
        pretend_to_work(f"loading {total} orders", seconds=0.5)

    copy_to_legacy_ftp = BashOperator(
        task_id="copy_to_legacy_ftp",
        bash_command="echo 'nothing to copy any more'",
        end_date=datetime(2025, 6, 30, tzinfo=UTC),
        owner="jonas.platform",
    )

    # Clearing this task with "recursive" also clears the sensor that waits for it.
    orders_complete = ExternalTaskMarker(
        task_id="orders_complete",
        external_dag_id="sales_mart_daily",
        external_task_id="wait_for_orders",
        logical_date="{{ data_interval_start.start_of('day').isoformat() }}",
    )

    counts = extract_orders.expand(shop=SHOPS)
    loaded = load_orders(validate_orders(counts))
    check_shop_api >> counts
    shops_open() >> loaded >> orders_complete
    loaded >> copy_to_legacy_ftp


shop_orders_hourly()
