"""### Heal a task that keeps failing

Looks at the latest instances of a task. Where two or more of them failed, the task is paused for a while in a way that
lets the tasks after it run, and it is waited for until it is started again: by itself, or sooner by someone who has
mended it. Where nearly all failed, pausing does not help: the task is taken offline until someone submits it.

Uses the connection `taskops_default`; see `docs/operators.md`. Has no schedule: trigger it, by hand or from the failing
workflow (`TriggerDagRunOperator`, a failure callback).
"""

from __future__ import annotations

import logging
from datetime import timedelta

from airflow.sdk import Param, dag, task
from retail_common import START_DATE

from taskops_provider.hooks.taskops import TaskOpsHook
from taskops_provider.operators.tasks import OfflineTasksOperator, PauseTasksOperator
from taskops_provider.sensors.task_status import TaskStatusSensor

log = logging.getLogger(__name__)

TASK = {"external_dag_id": "{{ params.dag_id }}", "external_task_ids": ["{{ params.task_id }}"]}


@dag(
    schedule=None,
    start_date=START_DATE,
    catchup=False,
    params={
        "dag_id": Param("payment_events", type="string", description="The workflow that is ill"),
        "task_id": Param("settle_payments", type="string", description="Its task that fails"),
        "looked_at": Param(10, type="integer", minimum=1, maximum=100, description="How many instances to look at"),
    },
    default_args={"owner": "jonas.platform"},
    tags=["ops", "monitoring"],
    doc_md=__doc__,
)
def self_healing():
    """Declare the workflow."""

    @task.branch
    def diagnose(params=None) -> str | None:
        """Choose the cure by how many of the latest instances failed."""
        found = TaskOpsHook().get_instances(
            params["dag_id"], params["task_id"], state=["success", "failed"], limit=params["looked_at"]
        )
        failed = sum(instance["state"] == "failed" for instance in found)
        log.info("%d of the latest %d instances failed", failed, len(found))
        if failed < 2:
            return None
        return "take_offline" if failed > 0.8 * len(found) else "pause_for_a_while"

    pause_for_a_while = PauseTasksOperator(
        task_id="pause_for_a_while",
        **TASK,
        downstream="run",
        resume_at=timedelta(minutes=15),
        reason="keeps failing",
    )
    wait_until_started = TaskStatusSensor(
        task_id="wait_until_started", **TASK, status="scheduling", deferrable=True, poke_interval=15, silent_fail=True
    )
    take_offline = OfflineTasksOperator(
        task_id="take_offline", **TASK, downstream="run", reason="nearly always fails: mend it, then submit it"
    )

    diagnose() >> [pause_for_a_while, take_offline]
    pause_for_a_while >> wait_until_started


self_healing()
