"""The hook for triggers: what they look at, without blocking the triggerer."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
from airflow.sdk import BaseHook
from airflow.sdk.log import amask_secret

from taskops_provider.hooks import calls
from taskops_provider.hooks.client import NO_ANSWER, answer_of, client_options, failure_of, request_options
from taskops_provider.hooks.conversation import Conversation, Steps
from taskops_provider.hooks.endpoint import Endpoint
from taskops_provider.hooks.targets import TaskTargets, task_targets
from taskops_provider.hooks.taskops import TaskOpsHook
from taskops_provider.hooks.wire import Answer, Failure, Send, Wait


class TaskOpsAsyncHook(BaseHook):
    """The asynchronous twin of :class:`~taskops_provider.hooks.taskops.TaskOpsHook`, for what triggers do."""

    def __init__(self, conn_id: str = TaskOpsHook.default_conn_name):
        super().__init__()
        self.conn_id = conn_id
        self._conversation: Conversation | None = None
        self._client_options: dict[str, Any] = {}

    async def get_task(self, dag_id: str, task_id: str) -> dict[str, Any]:
        """Return one task; see :meth:`TaskOpsHook.get_task`."""
        conversation = await self._talk()
        return await self._run(conversation, conversation.ask(calls.read_task(dag_id, task_id)))

    async def get_tasks(self, targets: TaskTargets) -> list[dict[str, Any]]:
        """Return several tasks, in the same order."""
        conversation = await self._talk()
        return await self._run(conversation, calls.read_each(conversation, task_targets(targets)))

    async def get_workflow(self, dag_id: str) -> dict[str, Any]:
        """Return one workflow; see :meth:`TaskOpsHook.get_workflow`."""
        conversation = await self._talk()
        return await self._run(conversation, conversation.ask(calls.read_workflow(dag_id)))

    async def list_tasks(self, **filters: Any) -> list[dict[str, Any]]:
        """Return all tasks that match; see :meth:`TaskOpsHook.list_tasks`."""
        conversation = await self._talk()
        return await self._run(conversation, calls.list_all(conversation, "tasks", filters))

    async def get_replenishment(self, replenishment_id: int) -> dict[str, Any]:
        """Return one replenishment; see :meth:`TaskOpsHook.get_replenishment`."""
        conversation = await self._talk()
        return await self._run(conversation, conversation.ask(calls.read_replenishment(replenishment_id)))

    async def cancel_replenishment(self, replenishment_id: int, reason: str) -> dict[str, Any]:
        """Cancel a replenishment; see :meth:`TaskOpsHook.control_replenishment`."""
        conversation = await self._talk()
        call = calls.control_replenishment(replenishment_id, "cancel", {"reason": reason})
        return await self._run(conversation, conversation.ask(call))

    async def _talk(self) -> Conversation:
        """Read the connection when it is first needed; the blocking way would stop the event loop."""
        if self._conversation is None:
            connection = await self.aget_connection(self.conn_id)
            endpoint = Endpoint.from_connection(self.conn_id, connection, await connection.aextra_dejson())
            self._client_options = client_options(endpoint)
            self._conversation = Conversation(endpoint)
        return self._conversation

    async def _run(self, conversation: Conversation, steps: Steps) -> Any:
        async with httpx.AsyncClient(**self._client_options) as client:
            try:
                step = next(steps)
                while True:
                    step = steps.send(await self._do(client, conversation, step))
            except StopIteration as end:
                return end.value

    async def _do(
        self, client: httpx.AsyncClient, conversation: Conversation, step: Send | Wait
    ) -> Answer | Failure | None:
        if isinstance(step, Wait):
            await asyncio.sleep(step.seconds)
            return None
        if token := conversation.take_fresh_token():
            await amask_secret(token)
        try:
            return answer_of(await client.request(**request_options(step)))
        except NO_ANSWER as error:
            return failure_of(error, conversation.endpoint)
