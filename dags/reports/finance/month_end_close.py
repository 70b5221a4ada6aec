"""### Month-end close, on the first of every month

Closes the books of the month before in two groups and, when finance has agreed, has the sales mart rebuilt by
triggering `rebuild_mart`.
"""

from __future__ import annotations

from airflow.providers.standard.operators.bash import BashOperator
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.providers.standard.operators.python import BranchPythonOperator
from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import CronDataIntervalTimetable, TaskGroup, TriggerRule, chain, dag
from retail_common import FACT_SALES, POOL_WAREHOUSE, RAW_PAYMENTS, START_DATE


def needs_rebuild(data_interval_start=None) -> str:
    """Rebuild the mart after the last month of a quarter only."""
    return "rebuild_sales_mart" if data_interval_start.month % 3 == 0 else "no_rebuild"


@dag(
    schedule=CronDataIntervalTimetable("0 4 1 * *", timezone="UTC"),
    start_date=START_DATE,
    catchup=False,
    max_active_runs=1,
    default_args={"owner": "omar.finance"},
    tags=["report", "finance"],
    doc_md=__doc__,
)
def month_end_close():
    """Declare the workflow."""
    freeze_books = BashOperator(
        task_id="freeze_books", bash_command="echo 'books of {{ data_interval_start.strftime(\"%Y-%m\") }} frozen'"
    )

    with TaskGroup("reconcile") as reconcile:
        BashOperator(task_id="payments", bash_command="echo ok", inlets=[RAW_PAYMENTS], owner="leo.payments")
        BashOperator(task_id="sales", bash_command="echo ok", inlets=[FACT_SALES], pool=POOL_WAREHOUSE)
        BashOperator(task_id="refunds", bash_command="sleep 1")

    decide = BranchPythonOperator(task_id="decide_rebuild", python_callable=needs_rebuild)
    rebuild = TriggerDagRunOperator(
        task_id="rebuild_sales_mart",
        trigger_dag_id="rebuild_mart",
        conf={"mart": "sales", "reason": "month-end close of {{ data_interval_start.strftime('%Y-%m') }}"},
    )
    no_rebuild = EmptyOperator(task_id="no_rebuild")
    sign_off = BashOperator(
        task_id="sign_off",
        bash_command="echo 'month closed'",
        trigger_rule=TriggerRule.NONE_FAILED_MIN_ONE_SUCCESS,
        owner="mona.board",
    )

    chain(freeze_books, reconcile, decide, [rebuild, no_rebuild], sign_off)


month_end_close()
