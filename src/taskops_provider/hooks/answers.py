"""What the API answers, as far as Dags and our operators look at it: dicts, so that they can be pushed as XCom.

The API may give more keys than are named here; its own description, ``/taskops/v1/openapi.json``, has them all.
"""

from __future__ import annotations

from typing import Any, NotRequired, TypeAlias, TypedDict

from taskops_provider.domain.answers import Json

#: one page of a list: the entries under the list's name, and ``total_entries``
PageJson: TypeAlias = Json


class TargetJson(TypedDict):
    """A task."""

    dag_id: str
    task_id: str


class TaskJson(TypedDict):
    """One task, with at least the fields of ``airflow taskops tasks list --output json``."""

    dag_id: str
    task_id: str
    status: str
    reason: NotRequired[str | None]


class WorkflowJson(TypedDict):
    """One workflow, with at least the fields of ``airflow taskops workflows list --output json``."""

    dag_id: str
    status: str
    draining_runs: int


class BlockerJson(TypedDict):
    """A task that blocks another one in strict mode; the ids are None where the user may not see it."""

    dag_id: str | None
    task_id: str | None


class ItemJson(TypedDict):
    """What came, or would come, of a change for one target; ``task_id`` is None for a workflow as such."""

    dag_id: str
    task_id: str | None
    outcome: str
    before: str | None
    after: str | None
    reason: str | None
    blocked_by: list[BlockerJson]


class NotifiedJson(TypedDict):
    """Which owners are told, and of whom no address is known; older servers give no ``channels``."""

    told: list[str]
    unreachable: list[str]
    channels: NotRequired[list[str]]


class ChangeJson(TypedDict):
    """The answer to a change, or its preview: then with ``plan_hash`` and ``affects``."""

    operation_id: int | None
    verb: str
    dry_run: bool
    outcome: str
    counts: dict[str, int]
    items: list[ItemJson]
    plan_hash: NotRequired[str]
    affects: NotRequired[Json]
    notified: NotRequired[NotifiedJson]
    gap: NotRequired[Any]
    replenishment_id: NotRequired[int]


class PlanCountsJson(TypedDict):
    """How many cells a replenishment would execute."""

    execute: int


class PlanJson(TypedDict):
    """What a replenishment would do."""

    cells: int
    counts: PlanCountsJson
    warnings: list[str]


class CellCountsJson(TypedDict):
    """Cells by state."""

    by_state: dict[str, int]


class ReplenishmentJson(TypedDict):
    """One replenishment and its progress."""

    replenishment_id: int
    name: str
    state: str
    percent_complete: int
    counts: CellCountsJson
    inputs: Json
    ended_at: str | None
