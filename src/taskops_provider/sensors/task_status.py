"""Wait until tasks have a status."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import PokeReturnValue
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from taskops_provider.domain.states import TaskStatus
from taskops_provider.hooks.errors import RequestRefused
from taskops_provider.hooks.targets import TaskTargets, task_targets, tasks_of_dag
from taskops_provider.sensors.base import PollingSensor
from taskops_provider.triggers.task_status import TaskStatusTrigger, shown

if TYPE_CHECKING:
    from airflow.sdk import Context


class TaskStatusSensor(PollingSensor):
    """Wait until all of some tasks show one of the statuses.

    Name the tasks as ``external_dag_id`` with ``external_task_ids``, or as ``targets``.

    :param external_dag_id: the Dag of ``external_task_ids`` (templated)
    :param external_task_ids: tasks of that Dag (templated)
    :param targets: tasks of several Dags, as ``(dag_id, task_id)``, or the result of an operator that changed tasks
        (templated)
    :param status: ``scheduling``, ``paused``, ``offline``, ``invalid`` or ``deleted``, or several of them: any will
        do (templated)
    :param kwargs: of every sensor of TaskOps (``taskops_conn_id``, ``deferrable``) and of Airflow; with
        ``silent_fail=True`` a server that does not answer is waited for, until ``timeout``
    :return: pushed as XCom: ``dag_id, task_id, status`` of each task
    """

    template_fields: Sequence[str] = ("external_dag_id", "external_task_ids", "targets", "status", "taskops_conn_id")

    def __init__(
        self,
        *,
        external_dag_id: str | None = None,
        external_task_ids: Iterable[str] | None = None,
        targets: TaskTargets | None = None,
        status: str | Iterable[str] = TaskStatus.SCHEDULING.value,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.external_dag_id = external_dag_id
        self.external_task_ids = external_task_ids
        self.targets = targets
        self.status = status
        if (targets is None) == (external_dag_id is None) or (external_dag_id is None) != (external_task_ids is None):
            raise ValueError(f"{type(self).__name__} needs either external_dag_id with external_task_ids, or targets")

    def trigger(self, **common: Any) -> TaskStatusTrigger:
        """The trigger that waits for the same."""
        return TaskStatusTrigger(targets=self._chosen(), statuses=self._statuses(), **common)

    def poke(self, context: Context) -> PokeReturnValue:
        """Look once."""
        statuses = self._statuses()
        tasks = [shown(task) for task in self.hook.get_tasks(self._chosen())]
        waited_for = [task for task in tasks if task["status"] not in statuses]
        if waited_for:
            names = ", ".join(f"{task['dag_id']} {task['task_id']} is {task['status']}" for task in waited_for[:10])
            more = f" and {len(waited_for) - 10} more" if len(waited_for) > 10 else ""
            self.log.info("waiting for %s: %s%s", " or ".join(statuses), names, more)
        return PokeReturnValue(is_done=not waited_for, xcom_value=tasks)

    def execute_complete(self, context: Context, event: Mapping[str, Any]) -> Any:
        """Say what the trigger found."""
        if event["status"] == "success":
            return event["tasks"]
        raise (AirflowFailException if event["permanent"] else AirflowException)(event["message"])

    def _chosen(self) -> list[dict[str, str]]:
        if self.targets is not None:
            return task_targets(self.targets)
        return tasks_of_dag(self.external_dag_id, self.external_task_ids)

    def _statuses(self) -> list[str]:
        chosen = [self.status] if isinstance(self.status, str) else list(self.status)
        wrong = [status for status in chosen if status not in list(TaskStatus)]
        if wrong or not chosen:
            raise RequestRefused(f"status is {self.status!r}; allowed are {', '.join(TaskStatus)}")
        return [str(status) for status in chosen]
