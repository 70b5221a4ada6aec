"""Replenish data from a Dag."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator, conf
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from taskops_provider.hooks.answers import ReplenishmentJson
from taskops_provider.hooks.deprecated import with_new_names
from taskops_provider.hooks.errors import NoAnswer, TaskOpsHookError
from taskops_provider.hooks.progress import check, told
from taskops_provider.hooks.targets import TaskTargets
from taskops_provider.hooks.taskops import TaskOpsHook
from taskops_provider.operators.base import reason_of
from taskops_provider.operators.links import ReplenishmentLink
from taskops_provider.triggers.replenishment import ReplenishmentTrigger

if TYPE_CHECKING:
    from airflow.sdk import Context

#: inputs that are sent as they are
_INPUTS = (
    *("workflows", "tasks", "ranges", "cells", "upstream_depth", "downstream_depth"),
    *("max_active_runs", "newest_first", "window", "name"),
    *("timezone", "exclude", "wait_for", "override_conf", "run_on_latest_version"),
)


class DataReplenishmentOperator(BaseOperator):
    """Execute missing and failed cycles of tasks and workflows, and wait until that is done.

    Where nothing is to be done, the task succeeds. One that is tried again takes up the replenishment that its earlier
    try left going on.

    :param workflows: Dag ids of which every task is wanted (templated)
    :param tasks: single tasks, as ``(dag_id, task_id)`` (templated)
    :param ranges: logical dates as ``(from, to)``, both included (templated)
    :param timezone: of ranges that name none, as ``Asia/Shanghai``; default: each Dag's own (templated)
    :param exclude: tasks that do not execute and count as success, as ``(dag_id, task_id)`` (templated)
    :param cells: ``missing``, ``failed`` or both, or ``all``; default: missing and failed (templated)
    :param upstream_depth: add so many steps upstream of the tasks, across workflows
    :param downstream_depth: add so many steps downstream
    :param max_active_runs: runs of a workflow at a time
    :param newest_first: begin with the newest cycle
    :param window: when runs may start, UTC, as ``22:00-06:00`` (templated)
    :param wait_for: which cells upstream, across workflows, a cell waits for: ``none``; ``inside``, those that the
        replenishment executes (default); ``all``, also those that it does not execute must have succeeded (templated)
    :param run_conf: conf of the runs that are made (templated)
    :param override_conf: existing runs in which cells execute get ``run_conf`` too
    :param run_on_latest_version: what is cleared executes by the newest version of its Dag (True) or by its run's
        (False); default: as Airflow's own clearing decides
    :param name: a name for it (templated)
    :param reason: recorded; what Dag, task and run asked is added (templated)
    :param wait_for_completion: False: succeed as soon as it is queued
    :param part_success: it will do that some cells succeeded
    :param poke_interval: seconds between two looks
    :param deferrable: wait in the triggerer, without occupying a worker; default ``[operators] default_deferrable``
    :param taskops_conn_id: the connection to Airflow's API server (templated)
    :param upstream: deprecated, use ``upstream_depth``
    :param downstream: deprecated, use ``downstream_depth``
    :return: pushed as XCom: the replenishment, as ``airflow taskops replenish show`` prints it; None where nothing is
        to be done
    """

    template_fields: Sequence[str] = (
        *("workflows", "tasks", "ranges", "cells", "window", "run_conf", "name", "reason", "taskops_conn_id"),
        *("timezone", "exclude", "wait_for"),
    )
    template_fields_renderers = {"run_conf": "json"}
    ui_color = "#d7e8ee"
    operator_extra_links = (ReplenishmentLink(),)

    def __init__(
        self,
        *,
        workflows: Iterable[str] | None = None,
        tasks: TaskTargets | None = None,
        ranges: Iterable[Sequence[Any] | Mapping[str, Any]],
        cells: str | Iterable[str] | None = None,
        upstream_depth: int = 0,
        downstream_depth: int = 0,
        max_active_runs: int = 1,
        newest_first: bool = False,
        window: str | None = None,
        run_conf: Mapping[str, Any] | None = None,
        timezone: str | None = None,
        exclude: TaskTargets | None = None,
        wait_for: str | None = None,
        override_conf: bool | None = None,
        run_on_latest_version: bool | None = None,
        name: str | None = None,
        reason: str | None = None,
        wait_for_completion: bool = True,
        part_success: bool = False,
        poke_interval: float = 10,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        taskops_conn_id: str = TaskOpsHook.default_conn_name,
        upstream: int | None = None,
        downstream: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.workflows = workflows
        self.tasks = tasks
        self.ranges = ranges
        self.cells = cells
        old = {name: value for name, value in (("upstream", upstream), ("downstream", downstream)) if value is not None}
        depths = with_new_names(DataReplenishmentOperator.__name__, old, stacklevel=4)
        self.upstream_depth: int = depths.get("upstream_depth", upstream_depth)
        self.downstream_depth: int = depths.get("downstream_depth", downstream_depth)
        self.max_active_runs = max_active_runs
        self.newest_first = newest_first
        self.window = window
        self.run_conf = run_conf
        self.timezone = timezone
        self.exclude = exclude
        self.wait_for = wait_for
        self.override_conf = override_conf
        self.run_on_latest_version = run_on_latest_version
        self.name = name
        self.reason = reason
        self.wait_for_completion = wait_for_completion
        self.part_success = part_success
        self.poke_interval = poke_interval
        self.deferrable = deferrable
        self.taskops_conn_id = taskops_conn_id
        self.replenishment_id: int | None = None
        if workflows is None and tasks is None:
            raise ValueError(f"{type(self).__name__} needs workflows or tasks")

    @cached_property
    def hook(self) -> TaskOpsHook:
        """The client, with its token."""
        return TaskOpsHook(self.taskops_conn_id)

    def execute(self, context: Context) -> ReplenishmentJson | None:
        """Create the replenishment, wait for its end, and return it."""
        shown = self._start(context)
        self.replenishment_id = shown["replenishment_id"] if shown else None
        if shown is None or not self.wait_for_completion:
            return shown
        if self.deferrable:
            self.log.info(told(shown))
            self.defer(
                trigger=ReplenishmentTrigger(
                    taskops_conn_id=self.taskops_conn_id,
                    replenishment_id=shown["replenishment_id"],
                    poke_interval=self.poke_interval,
                    go_on=True,
                    cancel_on_kill=True,
                ),
                method_name=self.execute_complete.__name__,
            )
        return self._wait(shown)

    def execute_complete(self, context: Context, event: Mapping[str, Any]) -> Any:
        """Say what the trigger found."""
        self.replenishment_id = (event.get("replenishment") or {}).get("replenishment_id")
        if event["status"] == "over":
            check(event["replenishment"], part_success=self.part_success)
            return event["replenishment"]
        raise (AirflowFailException if event["permanent"] else AirflowException)(event["message"])

    def on_kill(self) -> None:
        """Cancel the replenishment; what runs of it goes on to its end."""
        self.hook.stop()
        if self.replenishment_id is None:
            return
        try:
            self.hook.control_replenishment(
                self.replenishment_id, "cancel", reason="the task that waited for it was ended"
            )
        except TaskOpsHookError as error:
            self.log.warning("replenishment %s was not cancelled: %s", self.replenishment_id, error)
        else:
            self.log.info("replenishment %s is cancelled", self.replenishment_id)

    def _start(self, context: Context) -> ReplenishmentJson | None:
        reason = reason_of(context, self.reason)
        if context["ti"].try_number > 1 and (found := self._mine(reason)):
            self.log.info("an earlier try of this task has left replenishment %s", found["replenishment_id"])
            return found
        inputs = {name: getattr(self, name) for name in _INPUTS} | {"conf": self.run_conf, "reason": reason}
        plan = self.hook.plan_replenishment(**inputs)
        for warning in plan["warnings"]:
            self.log.info("note: %s", warning)
        if not plan["counts"]["execute"]:
            self.log.info("none of %s cells is to execute: nothing to do", plan["cells"])
            return None
        try:
            return self.hook.create_replenishment(**inputs)
        except NoAnswer as error:
            self.log.warning("%s; looking whether it was", error)
            found = self._mine(reason)
            if found is None:
                raise
            return found

    def _mine(self, reason: str) -> ReplenishmentJson | None:
        """Return the replenishment that this task instance has created and that goes on: its reason tells."""
        for shown in self.hook.newest_replenishments():
            if shown["inputs"].get("reason") == reason and not shown["ended_at"]:
                return shown
        return None

    def _wait(self, shown: ReplenishmentJson) -> ReplenishmentJson:
        said = ""
        while True:
            if (line := told(shown)) != said:
                said = line
                self.log.info(line)
            if shown["ended_at"]:
                check(shown, part_success=self.part_success)
                return shown
            time.sleep(self.poke_interval)
            shown = self.hook.get_replenishment(shown["replenishment_id"])
