"""Wait until a replenishment is over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import PokeReturnValue
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from taskops_provider.hooks.progress import check, told
from taskops_provider.sensors.base import PollingSensor
from taskops_provider.triggers.replenishment import ReplenishmentTrigger

if TYPE_CHECKING:
    from airflow.sdk import Context


class ReplenishmentSensor(PollingSensor):
    """Wait until a replenishment is over; fail unless every cell succeeded.

    :param replenishment_id: its number (templated)
    :param part_success: it will do that some cells succeeded
    :param kwargs: of every sensor of TaskOps (``taskops_conn_id``, ``deferrable``) and of Airflow; with
        ``silent_fail=True`` a server that does not answer is waited for, until ``timeout``
    :return: pushed as XCom: the replenishment, as ``airflow taskops replenish show`` prints it
    """

    template_fields: Sequence[str] = ("replenishment_id", "taskops_conn_id")

    def __init__(self, *, replenishment_id: int | str, part_success: bool = False, **kwargs: Any):
        super().__init__(**kwargs)
        self.replenishment_id = replenishment_id
        self.part_success = part_success
        self._said = ""

    def trigger(self, **common: Any) -> ReplenishmentTrigger:
        """The trigger that waits for the same."""
        return ReplenishmentTrigger(replenishment_id=int(self.replenishment_id), **common)

    def poke(self, context: Context) -> PokeReturnValue:
        """Look once."""
        shown = self.hook.get_replenishment(self.replenishment_id)
        if (line := told(shown)) != self._said:
            self._said = line
            self.log.info(line)
        if shown["ended_at"]:
            check(shown, part_success=self.part_success)
        return PokeReturnValue(is_done=bool(shown["ended_at"]), xcom_value=shown)

    def execute_complete(self, context: Context, event: Mapping[str, Any]) -> Any:
        """Say what the trigger found."""
        if event["status"] == "over":
            check(event["replenishment"], part_success=self.part_success)
            return event["replenishment"]
        raise (AirflowFailException if event["permanent"] else AirflowException)(event["message"])
