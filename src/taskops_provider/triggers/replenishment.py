"""Wait, in the triggerer, until a replenishment is over."""

from __future__ import annotations

from typing import Any

from airflow.triggers.base import TriggerEvent

from taskops_provider.domain.answers import Json
from taskops_provider.hooks.progress import told
from taskops_provider.hooks.taskops_async import TaskOpsAsyncHook
from taskops_provider.triggers.base import PollingTrigger


class ReplenishmentTrigger(PollingTrigger):
    """Look at a replenishment every ``poke_interval`` seconds until it is over; log its progress.

    The event is ``{"status": "over", "replenishment": {...}}``, or an error's.

    :param cancel_on_kill: cancel the replenishment when somebody ends the deferred task
    :param kwargs: of every trigger of TaskOps
    """

    def __init__(self, *, replenishment_id: int, cancel_on_kill: bool = False, **kwargs: Any):
        super().__init__(**kwargs)
        self.replenishment_id = replenishment_id
        self.cancel_on_kill = cancel_on_kill
        self._said = ""

    def own_arguments(self) -> Json:
        """Which one, and what becomes of it."""
        return {"replenishment_id": self.replenishment_id, "cancel_on_kill": self.cancel_on_kill}

    async def look(self, hook: TaskOpsAsyncHook) -> TriggerEvent | None:
        """Look at the replenishment, and log how far it is where that is new."""
        shown = await hook.get_replenishment(self.replenishment_id)
        if (line := told(shown)) != self._said:
            self._said = line
            self.log.info(line)
        return TriggerEvent({"status": "over", "replenishment": shown}) if shown["ended_at"] else None

    async def on_kill(self) -> None:
        """Cancel the replenishment: somebody ended the task that waits for it."""
        if self.cancel_on_kill:
            hook = TaskOpsAsyncHook(self.taskops_conn_id)
            await hook.cancel_replenishment(self.replenishment_id, "the task that waited for it was ended")
