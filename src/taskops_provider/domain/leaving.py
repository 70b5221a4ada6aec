"""What somebody chooses who uninstalls TaskOps."""

from __future__ import annotations

from enum import StrEnum


class StoppedTasks(StrEnum):
    """What becomes of Dags with tasks that are paused, offline or deleted: without TaskOps these tasks execute."""

    PAUSE_DAGS = "pause-dags"
    EXECUTE = "execute"


class WaitingInstances(StrEnum):
    """What becomes of instances that wait in the gate."""

    SETTLE = "settle"
    EXECUTE = "execute"
