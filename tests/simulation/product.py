"""What the simulation takes from TaskOps: the one file that knows where it lies, and how it is called."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from taskops_provider.adapter.gate_turns import GateTurns
from taskops_provider.domain.cells import CellSelection
from taskops_provider.domain.instances import InstanceVerb
from taskops_provider.domain.operations.outcomes import Outcome
from taskops_provider.domain.operations.targets import Scope, Target
from taskops_provider.domain.replenishment import Range, ReplenishmentRequest
from taskops_provider.domain.states import Downstream, Verb
from taskops_provider.exceptions import TaskOpsError
from taskops_provider.inputs.operation import Options, ReasonAndTicket, Request
from taskops_provider.models import EscapedRun, Operation, OperationItem, Replenishment
from taskops_provider.monitor.per_item import PerItemStep
from taskops_provider.monitor.steps import STEPS, Step
from taskops_provider.services.gate import settle as _settle
from taskops_provider.services.gate.settle import ensure_pools
from taskops_provider.services.operations.apply import apply_operation
from taskops_provider.services.operations.on_instances import InstanceRequest, Ref, apply_on_instances
from taskops_provider.services.operations.undo import undo
from taskops_provider.services.replenishments import execute as _replenishments
from taskops_provider.services.replenishments.control import ControlVerb
from taskops_provider.services.replenishments.control import control_replenishment as _control
from taskops_provider.services.replenishments.create import create_replenishment
from taskops_provider.services.shared.actor import Actor, UnrestrictedPermissions

__all__ = [
    "STEPS",
    "AnyStep",
    "TaskOpsError",
    "act_on_instances",
    "control_replenishment",
    "do_step",
    "effects_of_terminating",
    "ensure_pools",
    "escaped_runs",
    "forget_dags",
    "let_rounds_end",
    "operate",
    "replenish",
    "undo_operation",
]

AnyStep = Step | PerItemStep[Any]

#: from the command line: nobody loses rights here, and no auth manager has to know him
BOB = Actor("bob", "cli", UnrestrictedPermissions())


def operate(session: Session, verb: str, dag_id: str, task_ids: Sequence[str] | None, options: dict[str, Any]) -> None:
    """Apply an operation to tasks, or with None to a whole workflow.

    :param options: as :class:`Options` has them; ``resume_in``: seconds from now
    """
    scope = Scope.WORKFLOW if task_ids is None else Scope.TASK
    targets = (Target(dag_id),) if task_ids is None else tuple(Target(dag_id, task_id) for task_id in task_ids)
    chosen = dict(options)
    if "downstream" in chosen:
        chosen["downstream"] = Downstream(chosen["downstream"])
    if "resume_in" in chosen:
        chosen["resume_at"] = datetime.now(UTC) + timedelta(seconds=chosen.pop("resume_in"))
    apply_operation(session, BOB, Request(Verb(verb), scope, targets, Options(**chosen)))


def effects_of_terminating(session: Session, after: int) -> dict[tuple[str, str], str]:
    """Return what the records say of the tasks whose instances were to be ended: (dag id, task id) -> the effect.

    :param after: of operations with higher numbers than this
    """
    query = (
        select(OperationItem.dag_id, OperationItem.task_id, Operation.options)
        .join(Operation, Operation.id == OperationItem.operation_id)
        .where(Operation.id > after, OperationItem.outcome == Outcome.APPLIED.value)
        .order_by(Operation.id)
    )
    return {
        (dag_id, task_id): options.get("downstream", Downstream.SKIP.value)
        for dag_id, task_id, options in session.execute(query)
        if options.get("terminate_instances")
    }


def undo_operation(session: Session, back: int) -> None:
    """Undo the newest operation, or an earlier one."""
    ids = session.scalars(select(Operation.id).order_by(Operation.id.desc())).all()
    if ids:
        undo(session, BOB, ids[back % len(ids)])


def act_on_instances(
    session: Session, verb: str, dag_id: str, task_id: str, run_id: str, map_indexes: Sequence[int]
) -> None:
    """Rerun, end or mark instances of a task in a run."""
    refs = [Ref(run_id, index) for index in map_indexes]
    request = InstanceRequest(dag_id, task_id, InstanceVerb(verb), refs, ReasonAndTicket())
    apply_on_instances(session, BOB, request)


def replenish(
    session: Session,
    dag_id: str,
    task_ids: Sequence[str] | None,
    first: datetime,
    last: datetime,
    cells: str,
    **options: Any,
) -> None:
    """Create a replenishment of tasks, or with None of a whole workflow.

    :param cells: words of :class:`CellSelection`, separated by commas
    :param options: as :class:`ReplenishmentRequest` has them
    """
    request = ReplenishmentRequest(
        workflows=(dag_id,) if task_ids is None else (),
        tasks=tuple(Target(dag_id, task_id) for task_id in task_ids or ()),
        ranges=(Range(first, last),),
        cells=frozenset(CellSelection(word) for word in cells.split(",")),
        **options,
    )
    create_replenishment(session, BOB, request, datetime.now(UTC))


def control_replenishment(session: Session, verb: str, which: int, *, end_running: bool) -> None:
    """Pause, resume, cancel or retry a replenishment, counted from the newest."""
    ids = session.scalars(select(Replenishment.id).order_by(Replenishment.id.desc())).all()
    if ids:
        number = ids[which % len(ids)]
        _control(session, BOB, number, ControlVerb(verb), datetime.now(UTC), end_running=end_running)


def do_step(
    step: AnyStep, opened: Callable[[], AbstractContextManager[Session]], now: datetime
) -> Iterator[tuple[str, Exception]]:
    """Do a step of the monitor, as its loop does.

    :param opened: opens a transaction
    :return: what it set aside, and for which error
    :raises Exception: when the step itself fails
    """
    if isinstance(step, Step):
        with opened() as session:
            step.do(session, now)
        return
    with opened() as session:
        listed = list(step.each(session, now))
    for one in listed:
        try:
            with opened() as session:
                step.do(session, one, now)
        except Exception as error:
            yield step.name_of(one), error


def escaped_runs(session: Session) -> list[str]:
    """The runs that the monitor takes for created without the gate, which every process here has."""
    return [f"{run.dag_id} {run.run_id}" for run in session.scalars(select(EscapedRun).order_by(EscapedRun.found_at))]


def forget_dags() -> None:
    """Forget what the product keeps in memory between two steps of the monitor: another process goes on."""
    _settle._of_thread.turns = GateTurns()
    _replenishments._of_thread.__dict__.clear()


def let_rounds_end() -> None:
    """Take its limit of time from a round: how quick this machine is would decide how far one comes."""
    _replenishments.ROUND_SECONDS = math.inf
