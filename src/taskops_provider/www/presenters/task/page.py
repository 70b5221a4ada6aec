"""What the views of a task's page share: who asks for which task, and its addresses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from taskops_provider.services.catalog.task_facts import TaskFacts
from taskops_provider.services.catalog.tasks import TaskRow
from taskops_provider.www.page_request import PageRequest
from taskops_provider.www.presenters.lists.filters import Problems

PAGE = "task"


@dataclass(frozen=True)
class TaskPage:
    """A request for a task's page.

    :param is_embedded: inside Airflow's own page of the task
    :param problems: what could not be understood of the request
    """

    asked: PageRequest
    row: TaskRow
    facts: TaskFacts
    view: str
    is_embedded: bool
    problems: Problems

    @property
    def fixed(self) -> dict[str, str]:
        """What every address of the page has."""
        query = {"dag_id": self.row.dag_id, "task_id": self.row.task_id}
        return query | {"embedded": "1"} if self.is_embedded else query

    def url(self, **query: str | Sequence[str]) -> str:
        """An address of the page; empty values are left out."""
        return self.asked.urls.page(PAGE, {**self.fixed, **{name: value for name, value in query.items() if value}})

    def operation_url(self, operation_id: int) -> str:
        """The record of an operation."""
        return self.asked.urls.page("operation", {"id": str(operation_id)})
