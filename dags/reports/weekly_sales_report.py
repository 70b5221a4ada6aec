"""### Weekly sales report, Mondays at six in Berlin

Looks every minute whether Sunday's sales mart is there (the sensor gives its slot back in between), then makes a
report a country and one for the board.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.providers.standard.operators.bash import BashOperator
from airflow.providers.standard.sensors.external_task import ExternalTaskSensor
from airflow.sdk import CronDataIntervalTimetable, TriggerRule, dag, task
from retail_common import MART_SALES, REPORT_SALES, START_DATE, pretend_to_work


def sunday_of(logical_date):
    """Return the logical date of the mart of the week's Sunday."""
    week_start = logical_date.in_timezone("Europe/Berlin").date()
    sunday = week_start + timedelta(days=6)
    return logical_date.in_timezone("UTC").replace(
        year=sunday.year, month=sunday.month, day=sunday.day, hour=0, minute=0
    )


@dag(
    schedule=CronDataIntervalTimetable("0 6 * * MON", timezone="Europe/Berlin"),
    start_date=START_DATE,
    catchup=False,
    max_active_runs=1,
    default_args={"owner": "tara.reports"},
    tags=["report", "sales"],
    doc_md=__doc__,
)
def weekly_sales_report():
    """Declare the workflow."""
    wait_for_mart = ExternalTaskSensor(
        task_id="wait_for_mart",
        external_dag_id="sales_mart_daily",
        external_task_id="publish_mart",
        execution_date_fn=sunday_of,
        mode="reschedule",
        poke_interval=60,
        timeout=900,
        soft_fail=True,
    )

    @task(trigger_rule=TriggerRule.NONE_FAILED, inlets=[MART_SALES])
    def make_report(country: str) -> str:
        """Make one country's report."""
        pretend_to_work(f"report for {country}")
        return f"sales-{country}.html"

    @task(outlets=[REPORT_SALES])
    def bind_reports(files: list[str]) -> None:
        """Bind the countries' reports for the board."""
        pretend_to_work(f"binding {len(files)} reports")

    send_to_board = BashOperator(task_id="send_to_board", bash_command="echo 'sent to the board'", owner="mona.board")

    reports = make_report.expand(country=["de", "fr", "pt"])
    wait_for_mart >> reports
    bind_reports(reports) >> send_to_board


weekly_sales_report()
