"""### Stock in the warehouses, every quarter of an hour

The list of warehouses is known at run time only: the counting tasks are mapped over what `list_warehouses` returns.
A staging area is set up before and torn down after, whatever happens in between.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import dag, task
from retail_common import POOL_WAREHOUSE, RAW_INVENTORY, START_DATE, pretend_to_work


@dag(
    schedule=timedelta(minutes=15),
    start_date=START_DATE,
    catchup=False,
    max_active_runs=1,
    default_args={"owner": "ana.logistics"},
    tags=["ingest", "inventory"],
    doc_md=__doc__,
)
def inventory_snapshot():
    """Declare the workflow."""
    create_staging = BashOperator(task_id="create_staging", bash_command="echo 'staging area made'")
    drop_staging = BashOperator(task_id="drop_staging", bash_command="echo 'staging area dropped'")

    @task
    def list_warehouses() -> list[str]:
        """Return the warehouses that report today."""
        return ["north", "south", "returns"]

    @task(pool=POOL_WAREHOUSE)
    def count_stock(warehouse: str) -> dict[str, int | str]:
        """Count the articles of one warehouse."""
        pretend_to_work(f"counting {warehouse}")
        return {"warehouse": warehouse, "articles": 1000 + 7 * len(warehouse)}

    @task(outlets=[RAW_INVENTORY], owner="sofia.warehouse")
    def load_snapshot(counts: list[dict]) -> None:
        """Write the snapshot to `raw.inventory`."""
        pretend_to_work(f"loading {sum(count['articles'] for count in counts)} articles")

    # Leaving the context marks `create_staging` as setup and `drop_staging` as its teardown.
    with drop_staging.as_teardown(setups=create_staging):
        load_snapshot(count_stock.expand(warehouse=list_warehouses()))


inventory_snapshot()
