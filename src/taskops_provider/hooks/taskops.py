"""The hook for tasks."""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import datetime
from functools import cached_property
from typing import Any, TypeVar

import httpx
from airflow.sdk import BaseHook
from airflow.sdk.log import mask_secret
from tenacity import Retrying

from taskops_provider.domain.answers import Json
from taskops_provider.hooks import calls
from taskops_provider.hooks import instances as of_instances
from taskops_provider.hooks.answers import ChangeJson, PlanJson, ReplenishmentJson, TaskJson, WorkflowJson
from taskops_provider.hooks.auth import NotLoggedIn
from taskops_provider.hooks.calls import Call, Calls
from taskops_provider.hooks.client import NO_ANSWER
from taskops_provider.hooks.deprecated import with_new_names
from taskops_provider.hooks.endpoint import Endpoint
from taskops_provider.hooks.errors import Stopped, TaskOpsHookError
from taskops_provider.hooks.instances import Instances
from taskops_provider.hooks.server import Server
from taskops_provider.hooks.targets import TaskTargets, task_targets

#: a longer wait is taken in such steps, so that a task that is told to end does
_STEP = 0.2

T = TypeVar("T")


class TaskOpsHook(BaseHook):
    """TaskOps' REST API over an Airflow connection of type ``taskops``.

    Host, port and schema (``http`` or ``https``) of the connection name Airflow's API server; the host may be a whole
    address with a path prefix. Login and password are those of an Airflow user; without a login the password (or the
    extra ``token``) is a bearer token. Extras: ``timeout`` (seconds, 30), ``retries`` (5), ``verify`` (true, false or
    the path of a CA bundle).

    What reads is repeated on connection errors and 5xx. A change is repeated only where the one before was surely not
    carried out; otherwise it raises :class:`~taskops_provider.hooks.errors.NoAnswer`.

    Every method raises a :class:`~taskops_provider.hooks.errors.TaskOpsHookError`, with one line that says what
    is wrong.
    """

    conn_name_attr = "conn_id"
    default_conn_name = "taskops_default"
    conn_type = "taskops"
    hook_name = "TaskOps"

    def __init__(self, conn_id: str = default_conn_name):
        super().__init__()
        self.conn_id = conn_id
        self._stopped = False

    def get_task(self, dag_id: str, task_id: str) -> TaskJson:
        """Return one task, with at least the fields of ``airflow taskops tasks list --output json``."""
        return self._ask(calls.read_task(dag_id, task_id))

    def get_tasks(self, targets: TaskTargets) -> list[TaskJson]:
        """Return several tasks, in the same order."""
        return self._run(calls.read_each(task_targets(targets)))

    def get_instances(self, dag_id: str, task_id: str, *, limit: int = 25, **filters: Any) -> list[Json]:
        """Return the newest instances of a task, those of the newest run first.

        :param filters: query parameters of ``GET /taskops/v1/tasks/{dag_id}/{task_id}/instances``
        """
        return self._run(calls.read_instances(dag_id, task_id, {"limit": limit, **filters}))

    def get_workflow(self, dag_id: str) -> WorkflowJson:
        """Return one workflow, with at least the fields of ``airflow taskops workflows list --output json``."""
        return self._ask(calls.read_workflow(dag_id))

    def list_tasks(self, **filters: Any) -> list[TaskJson]:
        """Return all tasks that match, page by page.

        :param filters: query parameters of ``GET /taskops/v1/tasks``
        """
        return self._run(calls.list_tasks(with_new_names("TaskOpsHook.list_tasks", filters)))

    def list_workflows(self, **filters: Any) -> list[WorkflowJson]:
        """Return all workflows that match, page by page.

        :param filters: query parameters of ``GET /taskops/v1/workflows``
        """
        return self._run(calls.list_workflows(filters))

    def change_tasks(
        self,
        verb: str,
        targets: TaskTargets,
        *,
        reason: str | None = None,
        ticket: str | None = None,
        downstream: str | None = None,
        terminate_instances: bool | None = None,
        resume_at: datetime | str | None = None,
        held: str | None = None,
        cascade: bool | None = None,
        fill_gap: bool | None = None,
        owners: Iterable[str] | None = None,
        notify_owners: bool | None = None,
        plan_hash: str | None = None,
        dry_run: bool | None = None,
    ) -> ChangeJson:
        """Change tasks; what an operation does not apply to is left alone and said so in the answer.

        :param verb: start, pause, offline, delete, submit or set-owners
        :param targets: ``(dag_id, task_id)`` pairs, dicts with these keys, or the answer to another change: the
            tasks that it changed
        :param plan_hash: of a preview; nothing is done where the state has changed since
        :param dry_run: only preview
        :return: ``operation_id, verb, dry_run, outcome, counts, items`` as ``airflow taskops`` prints them; a preview
            has ``plan_hash`` and ``affects`` besides; a start with ``fill_gap`` has ``gap`` and ``replenishment_id``,
            a change with ``notify_owners`` has ``notified``
        :raises NoAnswer: when the change may have been carried out and the answer was lost
        """
        options = {
            "reason": reason,
            "ticket": ticket,
            "downstream": downstream,
            "terminate_instances": terminate_instances,
            "resume_at": resume_at,
            "held": held,
            "cascade": cascade,
            "fill_gap": fill_gap,
            "owners": None if owners is None else list(owners),
            "notify_owners": notify_owners,
            "plan_hash": plan_hash,
            "dry_run": dry_run,
        }
        return self._ask(calls.change_tasks(verb, targets, options))

    def change_workflows(self, verb: str, dag_ids: Iterable[str], **options: Any) -> ChangeJson:
        """Change whole workflows. Options, answer and errors are those of :meth:`change_tasks`."""
        return self._ask(calls.change_workflows(verb, dag_ids, options))

    def change_instances(
        self,
        verb: str,
        dag_id: str,
        task_id: str,
        instances: Instances,
        *,
        with_downstream: str | None = None,
        reason: str | None = None,
        ticket: str | None = None,
        override_freeze: bool | None = None,
        plan_hash: str | None = None,
        dry_run: bool | None = None,
    ) -> ChangeJson:
        """Change single instances of a task.

        :param verb: rerun, force, hold, release, terminate, set-success or set-failed
        :param instances: run ids, ``(run_id, map_index)`` pairs, or dicts with these keys
        :param with_downstream: rerun: ``none``, ``workflow`` or ``everywhere``
        :param override_freeze: do it although a window freezes the task
        :param plan_hash: of a preview; nothing is done where something has changed since
        :return: as :meth:`change_tasks`, with ``run_id`` and ``map_index`` in each item; a rerun everywhere has
            ``follows`` where workflows get new runs by it
        :raises NoAnswer: when the change may have been carried out and the answer was lost
        """
        options = {
            "with_downstream": with_downstream,
            "reason": reason,
            "ticket": ticket,
            "override_freeze": override_freeze,
            "plan_hash": plan_hash,
            "dry_run": dry_run,
        }
        return self._ask(of_instances.change_instances(verb, dag_id, task_id, instances, options))

    def change_runs(self, verb: str, dag_id: str, run_ids: Iterable[str], **options: Any) -> ChangeJson:
        """Hold or release whole runs of a workflow.

        :param verb: hold or release
        :param options: ``reason``, ``ticket``, ``override_freeze``, ``plan_hash``, ``dry_run``; answer and errors are
            those of :meth:`change_instances`
        """
        return self._ask(of_instances.change_runs(verb, dag_id, run_ids, options))

    def list_holds(self, dag_id: str | None = None) -> list[Json]:
        """Return the instances and runs that people hold, the newest first."""
        return self._run(of_instances.list_holds(dag_id))

    def find_operation(self, verb: str, dag_id: str, task_id: str, reason: str) -> Json | None:
        """Return the newest operation of a verb on a task that was recorded with this reason; None without one.

        :param verb: as records have it: ``instances-rerun``
        """
        for one in self._run(of_instances.newest_operations(verb, dag_id, task_id)):
            if one.get("reason") == reason:
                return self._ask(of_instances.read_operation(one["operation_id"]))
        return None

    def plan_replenishment(self, **inputs: Any) -> PlanJson:
        """Return what a replenishment would do: the JSON of ``airflow taskops replenish plan``.

        :param inputs: as :meth:`create_replenishment` takes them
        """
        return self._ask(calls.plan_replenishment(with_new_names("TaskOpsHook.plan_replenishment", inputs)))

    def create_replenishment(self, **inputs: Any) -> ReplenishmentJson:
        """Queue a replenishment and return it: the JSON of ``airflow taskops replenish create``.

        :param inputs: fields of the body of ``POST /taskops/v1/replenishments``; ``tasks`` in any form that
            :meth:`change_tasks` takes, ``ranges`` as ``(from, to)`` pairs too, times as datetimes too
        :raises NoAnswer: when it may have been created and the answer was lost
        """
        return self._ask(calls.create_replenishment(with_new_names("TaskOpsHook.create_replenishment", inputs)))

    def get_replenishment(self, replenishment_id: int | str) -> ReplenishmentJson:
        """Return one replenishment and its progress."""
        return self._ask(calls.read_replenishment(replenishment_id))

    def newest_replenishments(self, limit: int = 50) -> list[ReplenishmentJson]:
        """Return the newest replenishments."""
        return self._run(calls.newest_replenishments(limit))

    def control_replenishment(self, replenishment_id: int | str, verb: str, **options: Any) -> ReplenishmentJson:
        """Pause, resume, cancel or retry a replenishment and return it.

        :param options: ``reason``; with ``cancel`` also ``terminate_instances``
        """
        return self._ask(calls.control_replenishment(replenishment_id, verb, options))

    def test_connection(self) -> tuple[bool, str]:
        """Tell whether the connection works, for the button in Airflow's UI."""
        try:
            # not the health page: that answers anyone, and this shows that the login is good too
            self._ask(calls.look())
        except TaskOpsHookError as error:
            return False, str(error)
        return True, f"TaskOps answers at {self.endpoint}"

    def stop(self) -> None:
        """Give up waiting for a server that does not answer: the task was told to end."""
        self._stopped = True

    @cached_property
    def endpoint(self) -> Endpoint:
        """The server that the connection names."""
        connection = self.get_connection(self.conn_id)
        return Endpoint.from_connection(self.conn_id, connection, connection.extra_dejson)

    @cached_property
    def _server(self) -> Server:
        # kept as long as the hook: the token is in it
        return Server(self.endpoint)

    def _ask(self, call: Call[T]) -> T:
        return self._run(calls.one(call))

    def _run(self, asked: Calls[T]) -> T:
        # one client for one question: a connection kept open until the next one is often closed by the server
        with httpx.Client(**self._server.client_options) as client:
            retrying = Retrying(**self._server.repeating(), sleep=self._wait, retry_error_callback=self._server.gave_up)
            try:
                call = next(asked)
                while True:
                    call = asked.send(retrying(self._send, client, call))
            except StopIteration as end:
                answer: T = end.value
                return answer

    def _send(self, client: httpx.Client, call: Call[T]) -> T:
        server = self._server
        response: httpx.Response | Exception
        try:
            response = client.request(**server.request(call))
        except (NotLoggedIn, *NO_ANSWER) as error:
            response = error
        finally:
            if token := server.auth.take_fresh_token():
                mask_secret(token)
        return server.read(call, response)

    def _wait(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if self._stopped:
                raise Stopped("the task was told to end while it waited for TaskOps to answer")
            time.sleep(min(left, _STEP))
