"""What all sensors of TaskOps do: look over HTTP, in the worker or in the triggerer."""

from __future__ import annotations

from abc import abstractmethod
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseSensorOperator, conf

from taskops_provider.hooks.taskops import TaskOpsHook

if TYPE_CHECKING:
    from airflow.sdk import Context

    from taskops_provider.triggers.base import PollingTrigger


class PollingSensor(BaseSensorOperator):
    """Looks in ``poke``, which raises what is bad input and returns what is pushed as XCom.

    :param taskops_conn_id: the connection to Airflow's API server (templated)
    :param deferrable: wait in the triggerer, without occupying a worker; default ``[operators] default_deferrable``
    """

    ui_color = "#d7e8ee"

    def __init__(
        self,
        *,
        taskops_conn_id: str = TaskOpsHook.default_conn_name,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.taskops_conn_id = taskops_conn_id
        self.deferrable = deferrable

    @cached_property
    def hook(self) -> TaskOpsHook:
        """The client, with its token."""
        return TaskOpsHook(self.taskops_conn_id)

    @abstractmethod
    def trigger(self, **common: Any) -> PollingTrigger:
        """The trigger that waits for the same.

        :param common: arguments that every trigger has
        """

    def execute(self, context: Context) -> Any:
        """Look, and wait in the way that was chosen."""
        if not self.deferrable:
            return super().execute(context)
        # the first look is this one's: bad input and what is so already need no triggerer
        found = self.poke(context)
        if found:
            return found.xcom_value  # type: ignore[union-attr]
        self.defer(
            trigger=self.trigger(
                taskops_conn_id=self.taskops_conn_id, poke_interval=self.poke_interval, go_on=self.silent_fail
            ),
            method_name="execute_complete",
            timeout=timedelta(seconds=self.timeout),
        )

    def on_kill(self) -> None:
        """Do not wait for the server any more."""
        self.hook.stop()
