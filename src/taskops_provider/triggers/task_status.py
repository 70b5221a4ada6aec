"""Wait, in the triggerer, until tasks have a status."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from airflow.triggers.base import TriggerEvent

from taskops_provider.domain.answers import Json
from taskops_provider.hooks.answers import TaskJson
from taskops_provider.hooks.taskops_async import TaskOpsAsyncHook
from taskops_provider.triggers.base import PollingTrigger


class TaskStatusTrigger(PollingTrigger):
    """Look at tasks every ``poke_interval`` seconds until all have one of the statuses.

    The event is ``{"status": "success", "tasks": [...]}`` with ``dag_id, task_id, status`` each, or an error's.

    :param targets: dicts with ``dag_id`` and ``task_id``
    :param statuses: any of these will do
    :param kwargs: of every trigger of TaskOps
    """

    def __init__(self, *, targets: Sequence[Mapping[str, str]], statuses: Sequence[str], **kwargs: Any):
        super().__init__(**kwargs)
        self.targets = [dict(target) for target in targets]
        self.statuses = list(statuses)

    def own_arguments(self) -> Json:
        """The tasks and what is waited for."""
        return {"targets": self.targets, "statuses": self.statuses}

    async def look(self, hook: TaskOpsAsyncHook) -> TriggerEvent | None:
        """Look at the tasks."""
        tasks = [shown(task) for task in await hook.get_tasks(self.targets)]
        is_over = all(task["status"] in self.statuses for task in tasks)
        return TriggerEvent({"status": "success", "tasks": tasks}) if is_over else None


def shown(task: TaskJson) -> TaskJson:
    """Return what a sensor says of a task."""
    return {"dag_id": task["dag_id"], "task_id": task["task_id"], "status": task["status"]}
