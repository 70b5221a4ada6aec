"""The filters of the lists from the arguments."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence

from taskops_provider.domain.periods import Period
from taskops_provider.domain.states import TaskStatus, WorkflowStatus
from taskops_provider.exceptions import BadInput
from taskops_provider.services.catalog.filters import TaskFilter, WorkflowFilter, check_choices

#: argument -> its flag
_COMMON = {
    "search": "--search",
    "owned_by": "--owner",
    "folders": "--folder",
    "projects": "--project",
    "periods": "--period",
    "statuses": "--status",
    "deleted": "--deleted",
    "absent": "--absent",
}
_OF_TASKS = {
    "workflows": "--workflow-like",
    "in_dags": "--dag-id",
    "task_types": "--type",
    "source_table": "--source-table",
    "target_table": "--target-table",
}
_FLAGS = {**_COMMON, **_OF_TASKS}
#: these widen the selection
_WIDENING = ("deleted", "absent")


def given_filters(args: Namespace, *, widening: bool = True) -> list[str]:
    """Return the flags of the filters that were given.

    :param widening: count ``--deleted`` and ``--absent`` as well
    """
    return [
        flag
        for name, flag in _FLAGS.items()
        if getattr(args, name, None) not in (None, False) and (widening or name not in _WIDENING)
    ]


def workflow_filter(args: Namespace) -> WorkflowFilter:
    """Make the filter of workflows.

    :raises BadInput: for a value that cannot be
    """
    _check(args, WorkflowStatus)
    return WorkflowFilter(
        search=args.search or "",
        owners=_all(args.owned_by),
        folders=_all(args.folders),
        projects=_all(args.projects),
        periods=_all(args.periods),
        statuses=_all(args.statuses),
        deleted=args.deleted,
        absent=args.absent,
    )


def task_filter(args: Namespace) -> TaskFilter:
    """Make the filter of tasks.

    :raises BadInput: for a value that cannot be
    """
    _check(args, TaskStatus)
    return TaskFilter(
        search=args.search or "",
        dag_ids=_all(args.in_dags),
        workflows=_all(args.workflows),
        owners=_all(args.owned_by),
        folders=_all(args.folders),
        projects=_all(args.projects),
        periods=_all(args.periods),
        statuses=_all(args.statuses),
        task_types=_all(args.task_types),
        source_table=args.source_table or "",
        target_table=args.target_table or "",
        deleted=args.deleted,
        absent=args.absent,
    )


def _all(values: Sequence[str] | None) -> tuple[str, ...]:
    return tuple(values or ())


def _check(args: Namespace, statuses: type[TaskStatus] | type[WorkflowStatus]) -> None:
    check_choices("period", _all(args.periods), [period.value for period in Period])
    check_choices("status", _all(args.statuses), [status.value for status in statuses])
    for name, flag in _FLAGS.items():
        value = getattr(args, name, None)
        texts = value if isinstance(value, list) else [value]
        # an empty one is a script's unset variable, and would match everything
        if any(isinstance(text, str) and not text.strip() for text in texts):
            raise BadInput(f"{flag} is empty; leave it out to match everything")
