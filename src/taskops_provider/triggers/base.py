"""What all triggers of TaskOps do: look now and then, over HTTP."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import AsyncIterator

from airflow.sdk.exceptions import AirflowFailException
from airflow.triggers.base import BaseTrigger, TriggerEvent

from taskops_provider.domain.answers import Json
from taskops_provider.hooks.errors import TaskOpsHookError
from taskops_provider.hooks.taskops_async import TaskOpsAsyncHook


class PollingTrigger(BaseTrigger):
    """Look every ``poke_interval`` seconds until there is an event.

    Where looking fails the event is ``{"status": "error", "message": ..., "permanent": ...}``.

    :param go_on: log what may pass by itself, as a server that is down, and look again
    """

    def __init__(self, *, taskops_conn_id: str, poke_interval: float, go_on: bool = False):
        super().__init__()  # type: ignore[no-untyped-call]
        self.taskops_conn_id = taskops_conn_id
        self.poke_interval = poke_interval
        self.go_on = go_on

    @abstractmethod
    async def look(self, hook: TaskOpsAsyncHook) -> TriggerEvent | None:
        """Look once; None where it is not over.

        :raises TaskOpsHookError: when the server refuses or does not answer
        """

    @abstractmethod
    def own_arguments(self) -> Json:
        """The arguments beside those that all triggers have."""

    def serialize(self) -> tuple[str, Json]:
        """Return what the triggerer makes the trigger from."""
        return (
            f"{type(self).__module__}.{type(self).__qualname__}",
            {
                "taskops_conn_id": self.taskops_conn_id,
                "poke_interval": self.poke_interval,
                "go_on": self.go_on,
                **self.own_arguments(),
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Yield the one event."""
        hook = TaskOpsAsyncHook(self.taskops_conn_id)
        while True:
            # before the first look too: who deferred has just had their own
            await asyncio.sleep(self.poke_interval)
            try:
                event = await self.look(hook)
            except TaskOpsHookError as error:
                permanent = isinstance(error, AirflowFailException)
                if permanent or not self.go_on:
                    yield TriggerEvent({"status": "error", "message": str(error), "permanent": permanent})
                    return
                self.log.warning("%s; looking again in %g s", error, self.poke_interval)
            else:
                if event is not None:
                    yield event
                    return
