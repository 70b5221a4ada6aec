"""First pages of the lists, and an index refresh with nothing to do."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from fastapi.testclient import TestClient
from sqlalchemy import func, select
from sqlalchemy.orm import Session
from tests.support.airflow_db import empty_tables, new_session
from tests.support.apps import web_app
from tests.support.many_dags import fill

from benchmarks.measure import Row, in_turns, warehouse
from taskops_provider.models import Task
from taskops_provider.services.catalog.filters import TaskFilter, WorkflowFilter
from taskops_provider.services.catalog.tasks import list_tasks
from taskops_provider.services.catalog.workflows import list_workflows
from taskops_provider.services.index import refresh as index_refresh
from taskops_provider.services.shared.actor import Actor, UnrestrictedPermissions

ACTOR = Actor("bench", "api", UnrestrictedPermissions())
NOW = datetime.now(UTC)
PAGE = 50


def _getting(client: TestClient, path: str, holds: str) -> Callable[[], None]:
    """A request over HTTP, through all of Airflow's application, of somebody signed in."""

    def get() -> None:
        answer = client.get(path)
        assert answer.status_code == 200, answer.text
        assert holds in answer.text

    return get


def first_pages(session: Session) -> list[Row]:
    """Of 10,000 workflows with 100,000 tasks, against Airflow's own list on the same database."""
    client = web_app("simple").client("admin")
    theirs = _getting(client, f"/api/v2/dags?limit={PAGE}", "dag_00049")
    ours = {
        "over the API": _getting(client, f"/taskops/v1/workflows?limit={PAGE}", "dag_00049"),
        "as a web page": _getting(client, "/pluginsv2/taskops/workflows", "dag_00049"),
        "from the service": lambda: list_workflows(session, ACTOR, WorkflowFilter(), NOW, limit=PAGE),
    }
    *mine, airflows = in_turns(7, *ours.values(), theirs)
    against = f"GET /api/v2/dags?limit={PAGE}"
    return [
        Row(f"first page of 10,000 workflows {how}", seconds, against, airflows, 0.25)
        for how, seconds in zip(ours, mine, strict=True)
    ]


def idle_refresh(session: Session) -> Row:
    """An index of 10,000 workflows with nothing changed; the target is absolute."""
    [seconds] = in_turns(5, lambda: index_refresh.refresh(session, NOW), prepare=session.commit)
    return Row("index refresh with nothing changed, 10,000 workflows", seconds, "50 ms", None, 0.05)


def of_many_dags() -> list[Row]:
    """What is measured on 10,000 Dags of 10 tasks."""
    with new_session() as session:
        fill(session, 10_000, tasks=10)
        index_refresh.refresh(session, NOW)
        session.commit()
        rows = [*first_pages(session), idle_refresh(session)]
    empty_tables()
    return rows


def tasks_page() -> Row:
    """A filtered and sorted page of 1,000,000 tasks, against the bare SQL of that page and its total.

    The bare SQL looks for the text in the task's id alone; the list looks in its name as well, and joins workflows.
    """
    with new_session() as session:
        warehouse(session, workflows=10_000, tasks_each=100)
        condition = Task.task_id.icontains("042", autoescape=True)

        def bare() -> None:
            rows = select(Task).where(condition, Task.state != "deleted", Task.is_present.is_(True))
            session.execute(rows.order_by(Task.task_id, Task.dag_id).limit(PAGE)).all()
            session.scalar(select(func.count()).select_from(rows.subquery()))

        mine, theirs = in_turns(
            5,
            lambda: list_tasks(session, ACTOR, TaskFilter(search="042"), NOW, limit=PAGE, order_by="task_id"),
            bare,
        )
    empty_tables()
    return Row("page of 1,000,000 tasks, filtered and sorted", mine, "the bare SQL of that page", theirs, 2.0)


def measure() -> list[Row]:
    """The rows of the table."""
    return [*of_many_dags(), tasks_page()]
