"""The hook for triggers: what they look at, without blocking the triggerer."""

from __future__ import annotations

import asyncio
from typing import Any, TypeVar

import httpx
from airflow.sdk import BaseHook
from airflow.sdk.log import amask_secret
from tenacity import AsyncRetrying

from taskops_provider.hooks import calls
from taskops_provider.hooks.answers import ReplenishmentJson, TaskJson, WorkflowJson
from taskops_provider.hooks.auth import NotLoggedIn
from taskops_provider.hooks.calls import Call, Calls
from taskops_provider.hooks.client import NO_ANSWER
from taskops_provider.hooks.endpoint import Endpoint
from taskops_provider.hooks.server import Server
from taskops_provider.hooks.targets import TaskTargets, task_targets
from taskops_provider.hooks.taskops import TaskOpsHook

T = TypeVar("T")


class TaskOpsAsyncHook(BaseHook):
    """The asynchronous twin of :class:`~taskops_provider.hooks.taskops.TaskOpsHook`, for what triggers do."""

    def __init__(self, conn_id: str = TaskOpsHook.default_conn_name):
        super().__init__()
        self.conn_id = conn_id
        self._server: Server | None = None

    async def get_task(self, dag_id: str, task_id: str) -> TaskJson:
        """Return one task; see :meth:`TaskOpsHook.get_task`."""
        return await self._ask(calls.read_task(dag_id, task_id))

    async def get_tasks(self, targets: TaskTargets) -> list[TaskJson]:
        """Return several tasks, in the same order."""
        return await self._run(calls.read_each(task_targets(targets)))

    async def get_workflow(self, dag_id: str) -> WorkflowJson:
        """Return one workflow; see :meth:`TaskOpsHook.get_workflow`."""
        return await self._ask(calls.read_workflow(dag_id))

    async def list_tasks(self, **filters: Any) -> list[TaskJson]:
        """Return all tasks that match; see :meth:`TaskOpsHook.list_tasks`."""
        return await self._run(calls.list_tasks(filters))

    async def get_replenishment(self, replenishment_id: int) -> ReplenishmentJson:
        """Return one replenishment; see :meth:`TaskOpsHook.get_replenishment`."""
        return await self._ask(calls.read_replenishment(replenishment_id))

    async def cancel_replenishment(self, replenishment_id: int, reason: str) -> ReplenishmentJson:
        """Cancel a replenishment; see :meth:`TaskOpsHook.control_replenishment`."""
        return await self._ask(calls.control_replenishment(replenishment_id, "cancel", {"reason": reason}))

    async def _find_server(self) -> Server:
        """Read the connection when it is first needed; the blocking way would stop the event loop."""
        if self._server is None:
            connection = await self.aget_connection(self.conn_id)
            self._server = Server(Endpoint.from_connection(self.conn_id, connection, await connection.aextra_dejson()))
        return self._server

    async def _ask(self, call: Call[T]) -> T:
        return await self._run(calls.one(call))

    async def _run(self, asked: Calls[T]) -> T:
        server = await self._find_server()
        async with httpx.AsyncClient(**server.client_options) as client:
            retrying = AsyncRetrying(**server.repeating(), sleep=asyncio.sleep, retry_error_callback=server.gave_up)
            try:
                call = next(asked)
                while True:
                    call = asked.send(await retrying(_send, server, client, call))
            except StopIteration as end:
                answer: T = end.value
                return answer


async def _send(server: Server, client: httpx.AsyncClient, call: Call[T]) -> T:
    response: httpx.Response | Exception
    try:
        response = await client.request(**server.request(call))
    except (NotLoggedIn, *NO_ANSWER) as error:
        response = error
    finally:
        if token := server.auth.take_fresh_token():
            await amask_secret(token)
    return server.read(call, response)
