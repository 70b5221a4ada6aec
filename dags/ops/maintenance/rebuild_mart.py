"""### Rebuild a mart, by hand

Has no schedule: someone triggers it with the mart's name, or `month_end_close` does.
"""

from __future__ import annotations

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import Param, dag, task
from retail_common import MART_SALES, POOL_WAREHOUSE, START_DATE, pretend_to_work


@dag(
    schedule=None,
    start_date=START_DATE,
    catchup=False,
    params={
        "mart": Param("sales", type="string", enum=["sales", "inventory"], description="Which mart to rebuild"),
        "partitions": Param(3, type="integer", minimum=1, maximum=10),
    },
    default_args={"owner": "kenji.marts"},
    tags=["ops", "mart"],
    doc_md=__doc__,
)
def rebuild_mart():
    """Declare the workflow."""
    drop_mart = BashOperator(
        task_id="drop_mart", bash_command="echo 'dropping {{ params.mart }}'", owner="jonas.platform"
    )

    @task
    def plan_partitions(params=None) -> list[int]:
        """Return the partitions to fill."""
        return list(range(params["partitions"]))

    @task(pool=POOL_WAREHOUSE)
    def fill_partition(partition: int) -> None:
        """Fill one partition."""
        pretend_to_work(f"filling partition {partition}")

    @task(outlets=[MART_SALES])
    def publish() -> None:
        """Swap the rebuilt mart in."""
        pretend_to_work("publishing")

    partitions = plan_partitions()
    drop_mart >> partitions
    fill_partition.expand(partition=partitions) >> publish()


rebuild_mart()
