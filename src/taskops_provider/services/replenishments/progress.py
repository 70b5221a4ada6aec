"""How far replenishments are, as every surface shows it, and only what the actor may read of them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from taskops_provider.domain.progress import CellState, Percentages, ReplenishmentState, percentages
from taskops_provider.models import OperationItem, Replenishment, ReplenishmentCell, ReplenishmentRun
from taskops_provider.services.replenishments.recorded import RecordedInputs, readable_inputs
from taskops_provider.services.shared.actor import Actor

#: of the record of a replenishment
VERB = "replenish"
#: for those who may not read all of its Dags and their runs
HIDDEN_PROBLEM = "a part of it does not go on"
#: for those who may read none of the cells
_UNTOLD = Percentages(0.0, 0.0)


@dataclass(frozen=True, slots=True)
class CellCounts:
    """Cells by their class when they were planned, and by their state; every state is there.

    A cell is a task instance: those of Dags whose task instances the actor may not read are not counted. If that leaves
    none, the percentages are 0, and nothing says when it is likely to end.
    """

    by_class: Mapping[str, int]
    by_state: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class WorkflowProgress:
    """The part of one workflow."""

    dag_id: str
    percent_complete: float
    percent_success: float
    by_state: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class ReplenishmentProgress:
    """One replenishment.

    :param name: by the Dags that the actor may read if nobody gave it one
    :param eta: when it is likely to end
    :param problem: what it waits for, or what it could not execute; None if all is well
    """

    replenishment_id: int
    operation_id: int
    name: str
    state: str
    percent_complete: float
    percent_success: float
    eta: datetime | None
    counts: CellCounts
    actor: str
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    problem: str | None
    inputs: RecordedInputs


@dataclass(frozen=True, slots=True)
class ReplenishmentDetails(ReplenishmentProgress):
    """One replenishment, and each of its workflows that the actor may read."""

    workflows: Sequence[WorkflowProgress]


@dataclass(frozen=True, slots=True)
class CreatedReplenishment(ReplenishmentDetails):
    """One that was just queued, and what people should know of its plan."""

    warnings: Sequence[str]


def cell_counts(session: Session, ids: Collection[int]) -> dict[int, dict[str, int]]:
    """Count the cells of replenishments by state."""
    query = (
        select(ReplenishmentCell.replenishment_id, ReplenishmentCell.state, func.count())
        .where(ReplenishmentCell.replenishment_id.in_(ids))
        .group_by(ReplenishmentCell.replenishment_id, ReplenishmentCell.state)
    )
    counts: dict[int, dict[str, int]] = defaultdict(dict)
    for key, state, number in session.execute(query):
        counts[key][state] = number
    return counts


def read_progress(
    session: Session, actor: Actor, rows: Collection[Replenishment], now: datetime
) -> list[ReplenishmentProgress]:
    """Return how far replenishments are. A constant number of queries."""
    states: dict[int, Counter[str]] = defaultdict(Counter)
    classes: dict[int, Counter[str]] = defaultdict(Counter)
    for key, was, state, number in session.execute(_cells(actor, [row.id for row in rows])):
        states[key][state] += number
        classes[key][was] += number
    names = _default_names(session, actor, [row.operation_id for row in rows if not row.name])
    hidden = _partly_hidden(session, actor, [row.id for row in rows if row.problem])
    progress = []
    for row in rows:
        by_state = {state.value: states[row.id].get(state, 0) for state in CellState}
        name = row.name or names.get(row.operation_id, f"replenishment {row.id}")
        one = _progress(row, name, CellCounts(dict(classes[row.id]), by_state), actor, now)
        progress.append(replace(one, problem=HIDDEN_PROBLEM) if row.id in hidden else one)
    return progress


def _partly_hidden(session: Session, actor: Actor, ids: Collection[int]) -> set[int]:
    """Return those of which the actor may not read all Dags and their runs: their problem may name one of these."""
    readable = actor.permissions.runs_readable()
    if readable is None or not ids:
        return set()
    query = select(ReplenishmentRun.replenishment_id).where(
        ReplenishmentRun.replenishment_id.in_(ids), ReplenishmentRun.dag_id.not_in(sorted(readable))
    )
    return set(session.scalars(query.distinct()))


def _cells(actor: Actor, ids: Collection[int]) -> Select[int, str, str, int]:
    """Count cells by class and state: those of Dags whose task instances the actor may read."""
    cell = ReplenishmentCell
    query = (
        select(cell.replenishment_id, cell.was, cell.state, func.count())
        .where(cell.replenishment_id.in_(ids))
        .group_by(cell.replenishment_id, cell.was, cell.state)
    )
    readable = actor.permissions.instances_readable()
    if readable is None:
        return query
    return query.join(ReplenishmentRun, ReplenishmentRun.id == cell.of_run_id).where(
        ReplenishmentRun.dag_id.in_(sorted(readable))
    )


def _default_names(session: Session, actor: Actor, operation_ids: Collection[int]) -> dict[int, str]:
    """Name those to which nobody gave a name by the Dags in their records that the actor may read."""
    if not operation_ids:
        return {}
    query = (
        select(OperationItem.operation_id, func.min(OperationItem.dag_id), func.count(OperationItem.dag_id.distinct()))
        .where(OperationItem.operation_id.in_(operation_ids))
        .group_by(OperationItem.operation_id)
    )
    readable = actor.permissions.readable()
    if readable is not None:
        query = query.where(OperationItem.dag_id.in_(sorted(readable)))
    return {
        key: dag_id + (f" and {number - 1} more" if number > 1 else "")
        for key, dag_id, number in session.execute(query)
    }


def _progress(row: Replenishment, name: str, counts: CellCounts, actor: Actor, now: datetime) -> ReplenishmentProgress:
    # every replenishment has cells
    is_hidden = not any(counts.by_state.values()) and actor.permissions.instances_readable() is not None
    percent = _UNTOLD if is_hidden else percentages(counts.by_state)
    return ReplenishmentProgress(
        replenishment_id=row.id,
        operation_id=row.operation_id,
        name=name,
        state=row.state,
        percent_complete=percent.complete,
        percent_success=percent.success,
        eta=None if is_hidden else _eta(row, percent.complete, now),
        counts=counts,
        actor=row.actor,
        created_at=row.created_at,
        started_at=row.started_at,
        ended_at=row.ended_at,
        problem=row.problem,
        inputs=RecordedInputs.read(readable_inputs(actor, row.inputs)),
    )


def _eta(row: Replenishment, percent: float, now: datetime) -> datetime | None:
    """When it is likely to end: by how it went so far, before that by the plan's estimate."""
    if row.state not in (ReplenishmentState.QUEUED, ReplenishmentState.RUNNING):
        return None
    if row.started_at and percent >= 1:
        left = (now - row.started_at) * ((100 - percent) / percent)
    elif row.estimated_seconds is not None:
        left = timedelta(seconds=row.estimated_seconds)
    else:
        return None
    return (now + left).replace(microsecond=0)


def workflow_progress(session: Session, actor: Actor, replenishment_id: int) -> list[WorkflowProgress]:
    """Return the progress of each workflow of a replenishment that the actor may read. One query.

    Of those whose task instances they may not read it has no counts.
    """
    query = (
        select(ReplenishmentRun.dag_id, ReplenishmentCell.state, func.count())
        .join(ReplenishmentCell, ReplenishmentCell.of_run_id == ReplenishmentRun.id)
        .where(ReplenishmentRun.replenishment_id == replenishment_id)
        .group_by(ReplenishmentRun.dag_id, ReplenishmentCell.state)
    )
    told = actor.permissions.instances_readable()
    counts: dict[str, dict[str, int]] = defaultdict(dict)
    for dag_id, state, number in session.execute(query):
        if actor.may_read(dag_id):
            counts[dag_id].update({state: number} if told is None or dag_id in told else {})
    return [
        WorkflowProgress(dag_id, *(percentages(by_state) if by_state else _UNTOLD), by_state)
        for dag_id, by_state in sorted(counts.items())
    ]
