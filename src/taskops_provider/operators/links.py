"""Links from a task instance in Airflow's UI to what its operator did in TaskOps.

The worker stores each when the task ends, however it ends; there is none if nothing was done.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from airflow.sdk import BaseOperatorLink, conf

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator

#: where Airflow's UI shows our pages in a frame, and where they are
_FRAME = "plugin/taskops"
_PAGES = "pluginsv2/taskops"


def _address(page: str, number: object) -> str:
    """Return the address of a page about something with a number; empty if there is none."""
    if not isinstance(number, int):
        return ""
    base = str(conf.get("api", "base_url", fallback="") or "").rstrip("/")
    # Airflow's UI puts a page's whole path behind its own, so that a prefix comes twice
    prefix = urlsplit(base).path
    return f"{base}/{_FRAME}{prefix}/{_PAGES}/{page}?id={number}"


class ReplenishmentLink(BaseOperatorLink):
    """From ``DataReplenishmentOperator`` to its replenishment."""

    name = "Replenishment"

    def get_link(self, operator: BaseOperator, *, ti_key: Any) -> str:
        """Return the address of the replenishment that the task created, or took up."""
        return _address("replenishment", getattr(operator, "replenishment_id", None))


class OperationLink(BaseOperatorLink):
    """From an operator that changes tasks to the record of the operation."""

    name = "Operation record"

    def get_link(self, operator: BaseOperator, *, ti_key: Any) -> str:
        """Return the address of the operation record."""
        return _address("operation", getattr(operator, "operation_id", None))
