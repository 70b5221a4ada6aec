"""Lists are searched in any case, beyond ASCII (case 25)."""

from __future__ import annotations

import pytest
from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG

from tests.support.warehouse import START, install


@pytest.mark.parametrize("search", ["Ärzte", "ärzte", "ÄRZTE", "täg"])
def test_workflows_and_tasks(session, search):
    from datetime import UTC, datetime

    from taskops_provider.services.catalog.filters import TaskFilter, WorkflowFilter
    from taskops_provider.services.catalog.tasks import list_tasks
    from taskops_provider.services.catalog.workflows import list_workflows
    from tests.support.warehouse import ALICE

    with DAG("aerzte", dag_display_name="Ärzte täglich", schedule="@daily", start_date=START) as dag:
        BashOperator(task_id="t", bash_command="true", owner="Иван", task_display_name="Übernahme")
    install(session, [dag])
    now = datetime.now(UTC)
    assert len(list_workflows(session, ALICE, WorkflowFilter(search=search), now, limit=5).rows) == 1
    for part in ("übernahme", "ÜBER"):
        assert len(list_tasks(session, ALICE, TaskFilter(search=part), now, limit=5).rows) == 1
