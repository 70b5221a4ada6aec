"""### Customer master data, every night at half past two in Berlin

Exports the customers from the CRM, masks personal data and loads `raw.customers`, which triggers `customer_dim`.
The import of loyalty cards ended with March 2025: its end date has passed.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.providers.standard.operators.bash import BashOperator
from airflow.providers.standard.operators.python import PythonOperator
from airflow.sdk import DAG, CronTriggerTimetable
from retail_common import RAW_CUSTOMERS, START_DATE, pretend_to_work

with DAG(
    dag_id="customer_master",
    schedule=CronTriggerTimetable("30 2 * * *", timezone="Europe/Berlin", interval=timedelta(days=1)),
    start_date=START_DATE,
    catchup=False,
    max_active_runs=1,
    default_args={"owner": "eva.crm"},
    tags=["ingest", "customers"],
    doc_md=__doc__,
):
    export_crm = BashOperator(task_id="export_crm", bash_command="echo 'CRM exported' && sleep 1")
    mask_personal_data = PythonOperator(
        task_id="mask_personal_data",
        python_callable=pretend_to_work,
        op_args=["masking names and addresses"],
        owner="noor.privacy",
    )
    load_customers = PythonOperator(
        task_id="load_customers",
        python_callable=pretend_to_work,
        op_args=["loading customers"],
        outlets=[RAW_CUSTOMERS],
        owner="sofia.warehouse",
    )
    import_loyalty_cards = BashOperator(
        task_id="import_loyalty_cards",
        bash_command="echo 'no loyalty cards any more'",
        end_date=datetime(2025, 3, 31, tzinfo=UTC),
    )

    export_crm >> mask_personal_data >> load_customers
    export_crm >> import_loyalty_cards
