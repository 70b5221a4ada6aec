"""What the templates of the dialog of a replenishment show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from taskops_provider.domain.operations.limits import MAX_REASON_LENGTH
from taskops_provider.domain.replenishment import (
    MAX_ACTIVE_RUNS,
    MAX_DEPTH,
    MAX_NAME_LENGTH,
    MAX_RANGES,
    ReplenishmentRequest,
    WaitFor,
)
from taskops_provider.services.replenishments.plan_summary import PlanCounts
from taskops_provider.services.replenishments.progress import WorkflowProgress
from taskops_provider.www.presenters.replenishments.cell_marks import Mark
from taskops_provider.www.presenters.replenishments.plan_grid import PlanGrid

TITLE = "Replenish"


@dataclass(frozen=True)
class PlanPart:
    """What the template ``replenishments/plan.html`` shows: a plan, why there is none, or both.

    :param action: what the button says
    :param differences: lines about what is not as it was when the person looked
    :param is_refresh: the dialog is open already
    :param counts: None without a plan
    :param is_large: the number of cells has to be confirmed
    :param plan_hash: the fingerprint of the plan
    :param legend: marks of the plan's cells, each with how many there are
    :param cycles: ``busy``, ``all``, or empty if neither was chosen
    """

    problem: str = ""
    differences: Sequence[str] = ()
    takes_focus: bool = False
    is_refresh: bool = False
    action: str = TITLE
    address: str = ""
    zone: str = ""
    counts: PlanCounts | None = None
    is_large: bool = False
    cells_total: int = 0
    estimate: str = ""
    wanted: str = ""
    plan_hash: str = ""
    legend: Sequence[tuple[Mark, int]] = ()
    warnings: Sequence[str] = ()
    more_warnings: int = 0
    grid: PlanGrid | None = None
    cycle_page: int | str = ""
    task_page: int = 1
    cycles: str = ""


@dataclass(frozen=True, kw_only=True)
class ReplenishDialog(PlanPart):
    """What the template ``replenishments/dialog.html`` shows.

    :param has_steps: tasks around the chosen ones can be added
    :param cells: which of ``cell_choices`` is chosen
    :param ranges: as their fields have them
    :param quick: what a range can be set to with one click: label, beginning, end
    :param waits: what cells can wait for: value, label
    :param versions: by which version existing runs can execute: value, label, choice
    :param without: how many of the chosen instances are not in the plan
    """

    title: str
    selection: Sequence[tuple[str, str]]
    has_steps: bool
    inputs: ReplenishmentRequest
    refuses_busy: bool
    cells: str
    cell_choices: Sequence[tuple[str, str, str]]
    ranges: Sequence[tuple[str, str]]
    quick: Sequence[tuple[str, str, str]]
    without: int
    waits: Sequence[tuple[str, str]] = (
        (WaitFor.INSIDE.value, "What this executes"),
        (WaitFor.ALL.value, "Everything upstream"),
        (WaitFor.NONE.value, "Nothing in other workflows"),
    )
    versions: Sequence[tuple[str, str, bool | None]] = (
        ("", "As the Dag or Airflow is set", None),
        ("latest", "The newest", True),
        ("run", "That of the run", False),
    )
    max_runs: int = MAX_ACTIVE_RUNS
    max_depth: int = MAX_DEPTH
    max_name: int = MAX_NAME_LENGTH
    max_reason: int = MAX_REASON_LENGTH
    max_ranges: int = MAX_RANGES


@dataclass(frozen=True)
class CreatedDialog:
    """What the template ``replenishments/result.html`` shows."""

    title: str
    number: str
    name: str
    cells: str
    workflows: Sequence[WorkflowProgress]
    warnings: Sequence[str]
    watch_url: str
    record_url: str
    operation_id: int
