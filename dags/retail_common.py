"""What the demo's workflows share: the data tables as assets, the pools, and a stand-in for real work.

The tables are Airflow assets: a task that writes one has it as an outlet, a task that reads one as an inlet, and
TaskOps shows them as the task's target and source tables.
"""

from __future__ import annotations

import logging
import time
from datetime import UTC, datetime

from airflow.sdk import Asset

log = logging.getLogger(__name__)

# A fixed date long ago: with catchup off, every workflow gets its latest cycle as soon as the demo starts.
START_DATE = datetime(2025, 1, 1, tzinfo=UTC)

# Pools are made by the demo runner (scripts/demo.py), because a Dag file cannot make one.
POOL_SHOP_API = "shop_api"
POOL_PAYMENT_GATEWAY = "payment_gateway"
POOL_WAREHOUSE = "warehouse"

RAW_ORDERS = Asset(name="raw.orders", uri="retail://raw/orders", group="raw")
RAW_PAYMENTS = Asset(name="raw.payments", uri="retail://raw/payments", group="raw")
RAW_INVENTORY = Asset(name="raw.inventory", uri="retail://raw/inventory", group="raw")
RAW_CUSTOMERS = Asset(name="raw.customers", uri="retail://raw/customers", group="raw")
DIM_CUSTOMER = Asset(name="dwh.customer_dim", uri="retail://dwh/customer_dim", group="dwh")
FACT_SALES = Asset(name="dwh.sales_fact", uri="retail://dwh/sales_fact", group="dwh")
MART_SALES = Asset(name="mart.sales_daily", uri="retail://mart/sales_daily", group="mart")
REPORT_SALES = Asset(name="report.sales_weekly", uri="retail://report/sales_weekly", group="report")


def pretend_to_work(what: str, seconds: float = 0.3) -> None:
    """Stand in for the work of a task: say what is done and take a moment for it."""
    log.info("%s", what)
    time.sleep(seconds)
