"""What operations are about."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Scope(StrEnum):
    """Whether the targets are tasks or whole workflows."""

    TASK = "task"
    WORKFLOW = "workflow"


class Target(NamedTuple):
    """A task, or with an empty ``task_id`` a workflow."""

    dag_id: str
    task_id: str = ""
